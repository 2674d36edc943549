//! The API in process: what it answers to good and to bad requests.

#[cfg(test)]
mod access;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod cors;
#[cfg(test)]
mod first;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod ofrep;
#[cfg(test)]
mod ofrep_events;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod truth;
