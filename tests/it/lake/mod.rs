//! Delta Lake: the real binary on tables on disk, read back by another library.

mod access;
mod deletion;
#[cfg(feature = "failpoints")]
mod kill;
mod operations;
mod phases;
mod python;
mod races;
mod shore;

use shore::{SALES, Shore};
