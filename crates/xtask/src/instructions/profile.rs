//! Where the instructions of a benchmark are: by function, out of what Callgrind dumped.
//!
//! Most functions of a hot path stand inside their callers, where Callgrind sees none: so each address is looked up in the
//! program's line tables, by `addr2line`, which knows what was put inside what. What the standard library does counts for
//! whoever has it inside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::TIMES;
use crate::bench::{DOCUMENT, Machine, Record};
use crate::marks;
use crate::steps::line as line_of;

/// The name of its marks in the document.
pub(crate) const NAME: &str = "profile";

/// The benchmarks that are looked into, as the document calls them: what misses its goal.
const PROFILED: [(&str, &str); 5] = [
    ("sdk/w1-boolean-by-key", "W1 by key"),
    ("sdk/w2-five-rules-by-key", "W2 by key"),
    ("sdk/w3-split-by-key", "W3 by key"),
    ("sdk/pass-async-nothing-running", "fault point, async"),
    ("sdk/pass-by-name-nothing-running", "the same by name"),
];

/// Functions with less than this share of a benchmark are told together, in per cent.
const SHARE_MIN: u64 = 3;

/// Where the benchmarks' own code stands.
const BENCHES: [&str; 2] = ["/tests/instructions/", "/benches/"];
const BENCH: &str = "the benchmark itself";

/// Tables of where instructions are.
#[derive(Debug, Default)]
pub(super) struct Profile(String);

/// What Callgrind counted of a benchmark: by address in the program, and by function elsewhere.
#[derive(Debug, Default, PartialEq)]
struct Own {
    addresses: BTreeMap<u64, u64>,
    functions: BTreeMap<String, u64>,
}

impl Profile {
    /// Looks into a benchmark, if it is one that is looked into. `program` is what ran, `dump` what Callgrind wrote.
    ///
    /// # Errors
    /// When addresses cannot be looked up.
    pub(super) fn add(&mut self, name: &str, program: &Path, dump: &Path) -> Result<()> {
        let Some((_, called)) = PROFILED.iter().find(|(known, _)| *known == name) else { return Ok(()) };
        let text = std::fs::read_to_string(dump).with_context(|| dump.display().to_string())?;
        let mut own = own(&text, &program.display().to_string());
        let names = names(program, &dump.with_extension("addresses"), own.addresses.keys())?;
        for (address, count) in own.addresses {
            *own.functions.entry(names.get(&address).map_or("unknown", String::as_str).to_owned()).or_default() +=
                count;
        }
        self.0 += &rows(called, own.functions);
        Ok(())
    }

    /// Writes the tables into the document.
    ///
    /// # Errors
    /// When it has no place for them.
    pub(super) fn write(self, root: &Path) -> Result<()> {
        let markdown = format!("| work | instructions | share | function |\n|---|---|---|---|\n{}", self.0);
        println!("{markdown}");
        let command = "cargo xtask instructions --profile".to_owned();
        let (name, machine) = (NAME.to_owned(), Machine::here(root));
        let section = Record { name, command, machine, markdown, plots: Vec::new() }.section();
        let path = root.join(DOCUMENT);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, marks::placed(&text, NAME, &section)?)?;
        println!("{DOCUMENT}");
        Ok(())
    }
}

/// The rows of one benchmark: the functions with most instructions first.
fn rows(called: &str, functions: BTreeMap<String, u64>) -> String {
    let total: u64 = functions.values().sum();
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by(|(one, its), (other, others)| others.cmp(its).then_with(|| one.cmp(other)));
    let shown = functions.iter().take_while(|(_, count)| count * 100 >= total * SHARE_MIN).count();
    let rest = functions.split_off(shown);
    let share = |count: u64| (count * 100 + total / 2).checked_div(total).unwrap_or_default();
    let each = |count: u64| (count + TIMES / 2) / TIMES;
    let mut rows = format!("| {called} | {} | 100 % | |\n", each(total));
    for (name, count) in functions {
        let name = if name == BENCH { name } else { format!("`{name}`") };
        _ = writeln!(rows, "| | {} | {} % | {name} |", each(count), share(count));
    }
    if !rest.is_empty() {
        let count = rest.iter().map(|(_, count)| count).sum();
        _ = writeln!(rows, "| | {} | {} % | {} others |", each(count), share(count), rest.len());
    }
    rows
}

/// What each function took itself, by a dump with addresses that is not compressed.
fn own(dump: &str, program: &str) -> Own {
    let mut own = Own::default();
    let (mut inside, mut function, mut called) = (false, "", false);
    for line in dump.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            inside = object == program;
        } else if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if line.starts_with("calls=") {
            called = true;
        } else if let Some((address, count)) = cost(line) {
            // After a call there is one line with what the other function took.
            if std::mem::take(&mut called) {
                continue;
            }
            if inside {
                *own.addresses.entry(address).or_default() += count;
            } else {
                *own.functions.entry(readable(function)).or_default() += count;
            }
        }
    }
    own
}

/// The address and the count of a line `0xADDRESS LINE COUNT`.
fn cost(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let address = u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok()?;
    Some((address, fields.nth(1)?.parse().ok()?))
}

/// The function that each address is of.
fn names<'a>(program: &Path, list: &Path, addresses: impl Iterator<Item = &'a u64>) -> Result<BTreeMap<u64, String>> {
    let lines: String = addresses.map(|address| format!("{address:#x}\n")).collect();
    std::fs::write(list, lines)?;
    let mut tool = Command::new("addr2line");
    tool.args(["--addresses", "--functions", "--inlines", "--demangle", "--exe"]).arg(program);
    let name = line_of(&tool);
    let tool = tool.stdin(File::open(list)?).stderr(Stdio::inherit());
    let output = tool.output().with_context(|| format!("`{name}` cannot be run: it is part of binutils"))?;
    ensure!(output.status.success(), "`{name}` ended with {}", output.status);
    Ok(found(&String::from_utf8_lossy(&output.stdout)))
}

/// What `addr2line` found: an address, then each function that it is in and where that stands, the innermost first.
fn found(output: &str) -> BTreeMap<u64, String> {
    let mut names = BTreeMap::new();
    let mut lines = output.lines().peekable();
    while let Some(address) = lines.next() {
        let mut frames = Vec::new();
        while let Some(function) = lines.next_if(|line| !line.starts_with("0x")) {
            frames.push((function, lines.next().unwrap_or_default()));
        }
        if let Some(address) = address.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            names.insert(address, owner(&frames));
        }
    }
    names
}

/// Whom an instruction counts for: the innermost function that is not the standard library's.
fn owner(frames: &[(&str, &str)]) -> String {
    let standard = |place: &str| place.contains("/rustc/") || place.contains("/rustlib/");
    let own = frames.iter().find(|(name, place)| !standard(place) && *name != "??");
    match own.or(frames.last()) {
        Some((name, _)) if *name == "??" => "unknown".to_owned(),
        Some((_, place)) if BENCHES.iter().any(|folder| place.contains(folder)) => BENCH.to_owned(),
        Some((name, place)) => match (readable(name), module(place)) {
            (path, _) if path.contains("::") => path,
            // Tables of lines alone name what stands inside something without its path, and closures not at all.
            (path, module) if path.is_empty() => format!("{module}, a closure"),
            (path, module) => format!("{module}::{path}"),
        },
        None => "unknown".to_owned(),
    }
}

/// The module of a place in a file: `engine::code`.
fn module(place: &str) -> String {
    let Some((folder, file)) = place.rsplit_once("/src/") else { return "unknown".to_owned() };
    let folder = folder.strip_suffix("/rust").unwrap_or(folder);
    let package = folder.rsplit('/').next().unwrap_or_default();
    // Packages of the registry have their version behind.
    let package = match package.rsplit_once('-') {
        Some((package, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => package,
        _ => package,
    };
    let file = file.split(".rs").next().unwrap_or_default();
    let file = file.strip_suffix("/mod").unwrap_or(file);
    format!("{package}::{}", file.replace('/', "::"))
}

/// A function's path without types, hashes and closures: `engine::code::Code::holds`.
fn readable(name: &str) -> String {
    // `<T as Trait>::name` is T's.
    let (head, rest) = match name.strip_prefix('<').and_then(|inner| Some((inner, closing(inner)?))) {
        Some((inner, end)) => (inner[..end].split(" as ").next().unwrap_or_default(), &inner[end + 1..]),
        None => ("", name),
    };
    let whole = format!("{}{rest}", head.trim_start_matches(['&', '<']));
    let mut plain = String::new();
    let mut depth = 0_usize;
    // The arrow of a function's type closes nothing.
    for letter in whole.replace("->", "").chars() {
        match letter {
            '<' | '{' | '[' => depth += 1,
            '>' | '}' | ']' => depth = depth.saturating_sub(1),
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let is_hash =
        |part: &str| part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|b| b.is_ascii_hexdigit());
    let parts = plain.split("::").filter(|part| !part.is_empty() && !is_hash(part));
    let path = parts.collect::<Vec<_>>().join("::");
    path.strip_prefix("daybreak_").unwrap_or(&path).to_owned()
}

/// Where what `<` opened is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    text.char_indices().find_map(|(at, letter)| {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_calls_is_not_its_own() {
        let dump = "positions: instr line\nevents: Ir\n\nob=/bin/sdk\nfl=a.rs\nfn=ask\n0x10 5 3000\n0x14 6 1000\ncob=/lib/libc.so\n\
            cfn=memcmp\ncalls=1000 0x90\n0x18 6 9000\n0x1c 7 2000\n\nob=/lib/libc.so\nfn=memcmp\n0x90 0 9000\n\ntotals: 15000\n";
        let expected = Own {
            addresses: BTreeMap::from([(0x10, 3_000), (0x14, 1_000), (0x1c, 2_000)]),
            functions: BTreeMap::from([("memcmp".to_owned(), 9_000)]),
        };
        assert_eq!(own(dump, "/bin/sdk"), expected);
    }

    #[test]
    fn an_instruction_counts_for_the_innermost_function_that_is_ours() {
        let output = "0x0000000000000010\ncore::option::Option<T>::map\n/rustc/1/library/core/src/option.rs:1\n\
            daybreak_engine::code::Code::node\n/w/crates/engine/src/code.rs:110\nsdk::repeat\n/w/tests/instructions/benches/sdk.rs:9\n\
            0x14\nsdk::repeat\n/w/tests/instructions/benches/sdk.rs:9\n0x18\n??\n??:0\n";
        let names = found(output);
        let expected = [(0x10, "engine::code::Code::node"), (0x14, BENCH), (0x18, "unknown")];
        assert_eq!(names, BTreeMap::from(expected.map(|(address, name)| (address, name.to_owned()))));
    }

    #[test]
    fn what_has_no_path_has_its_files() {
        let cases = [
            ("add", "/w/sdk/rust/src/counters.rs:37", "sdk::counters::add"),
            ("{closure#0}", "/w/crates/engine/src/explain/mod.rs:7", "engine::explain, a closure"),
            ("find_inner", "/r/hashbrown-0.17.1/src/raw.rs:2452 (discriminator 2)", "hashbrown::raw::find_inner"),
            ("fold<A, fn(u8) -> B, C>", "/w/crates/engine/src/code.rs:7", "engine::code::fold"),
        ];
        for (name, place, expected) in cases {
            assert_eq!(owner(&[(name, place)]), expected);
        }
    }

    #[test]
    fn names_are_short() {
        let cases = [
            ("daybreak_engine::code::Code::holds", "engine::code::Code::holds"),
            ("daybreak_sdk::core::Core::value::{{closure}}", "sdk::core::Core::value"),
            ("daybreak_sdk::current::Current::with::<u8, daybreak_sdk::X<u8>>", "sdk::current::Current::with"),
            ("<daybreak_sdk::flag::Flag<bool> as core::clone::Clone>::clone", "sdk::flag::Flag::clone"),
            (
                "<daybreak_model[f00d]::version::Version<&str>>::parse::h0123456789abcdef",
                "model::version::Version::parse",
            ),
            ("__memcmp_avx2_movbe", "__memcmp_avx2_movbe"),
            ("hashbrown::raw::RawTable<T,A>::find", "hashbrown::raw::RawTable::find"),
        ];
        for (name, expected) in cases {
            assert_eq!(readable(name), expected, "{name}");
        }
    }

    #[test]
    fn the_largest_come_first_and_the_smallest_together() {
        let functions = [("small", 1_000), ("b", 60_000), ("a", 38_000), ("tiny", 1_000)];
        let rows = rows("W1", functions.map(|(name, count)| (name.to_owned(), count)).into());
        let expected =
            "| W1 | 100 | 100 % | |\n| | 60 | 60 % | `b` |\n| | 38 | 38 % | `a` |\n| | 2 | 2 % | 2 others |\n";
        assert_eq!(rows, expected);
    }
}
