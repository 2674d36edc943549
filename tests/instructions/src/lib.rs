//! Counts of instructions: see `benches`. A package of its own, so that building it in release builds what it needs and not
//! what the tests of the engine and the SDK need beside.
