//! The API in process: what it answers to good and to bad requests.

mod access;
mod bad_input;
mod changes;
mod harness;
mod ofrep;
mod openapi;
mod problems;
mod runs;
mod sdk;
