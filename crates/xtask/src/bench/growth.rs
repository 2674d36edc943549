//! Why the lines of criterion's growth plots are not flat: a sentence each, which criterion's own files have no place for.

/// Over what, and the sentence. Plots of other benchmarks bring their own.
const NOTES: &[(&str, &str)] = &[
    (
        "flags",
        "A flag that was asked for just now is in the cache however many there are; where each is asked for in turn, \
         each waits for memory.",
    ),
    (
        "rules",
        "Rules are asked one after the other until one matches, so the last of a thousand comes after 999 others.",
    ),
    ("ids of a segment", "An id among very many is not in the cache: a look-up waits for memory, once or twice."),
    (
        "threads",
        "Threads share nothing that is written, so each takes as long as one alone, as far as there are cores for them. Beside others, who take turns for the caches, two threads did less: see above.",
    ),
];

/// The sentence of a plot; none where nobody has written one.
pub(super) fn note(over: &str) -> &'static str {
    NOTES.iter().find(|(name, _)| *name == over).map_or("", |(_, note)| note)
}
