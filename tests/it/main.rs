//! The real binary against real databases: what it leaves there, its exit codes and what it says.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod contract;
mod harness;
#[cfg(feature = "failpoints")]
mod kill;
#[cfg(feature = "delta")]
mod lake;
mod readme;
mod scenarios;
mod surface;
