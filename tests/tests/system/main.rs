//! The whole system: the real binary, real curl, the real SDK in a process of its own.

mod access;
mod application;
mod as_code;
mod backups;
mod bad_input;
mod crash;
mod documents;
mod evidence;
mod files;
mod flags;
mod guard;
mod hours;
mod leases;
mod load;
mod operating;
mod pages;
mod prometheus;
mod runs;
mod schedules;
mod share;
mod shop;
mod sticky;
mod stop;
mod tls;
mod tour;
mod webhooks;
