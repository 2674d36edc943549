//! Work that Valgrind counts: `cargo xtask instructions` has it look at nothing else.

/// How often work repeats what is told of it; xtask divides by it.
pub(crate) const TIMES: usize = 1_000;

/// Does work whose instructions are counted under this name. It is done once before, so that what a thread does for the
/// first time is no part of it.
pub(crate) fn counted(name: &str, mut work: impl FnMut()) {
    work();
    println!("{name}");
    instructions_are_counted_here(&mut work);
}

/// Valgrind knows it by this name.
#[inline(never)]
fn instructions_are_counted_here(work: &mut dyn FnMut()) {
    work();
}
