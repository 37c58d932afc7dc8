//! Delta Lake: the real binary on tables on disk, read back by another library.

mod access;
mod beside;
mod cases;
#[cfg(feature = "failpoints")]
mod claimed;
mod cycles;
mod deletion;
#[cfg(feature = "failpoints")]
mod kill;
mod listed;
mod odd;
mod operations;
#[cfg(feature = "failpoints")]
mod overtaken;
mod phases;
mod promised;
mod python;
mod races;
mod repairs;
mod rewrite;
mod shore;
mod spark;
mod stamped;
mod tables;
mod together;

use shore::{SALES, Shore};
