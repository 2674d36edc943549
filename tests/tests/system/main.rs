//! The whole system: the real binary, real curl, the real SDK in a process of its own.

mod access;
mod application;
mod bad_input;
mod documents;
mod files;
mod flags;
mod hours;
mod leases;
mod runs;
mod share;
mod shop;
mod stop;
mod tls;
mod tour;
