//! triphase: zero-downtime phased migrations. Releases of steps, each with `add`, `simdrop`, `drop` and their rollbacks, and a ledger in
//! the target that says how far each has come.
//!
//! A module names only modules above it in this list; `ARCHITECTURE.md` draws the flow.

pub mod model;

pub mod target;

pub mod sql;

pub mod ops;

pub mod action;

pub mod release;

pub mod ledger;

pub mod plan;

pub mod event;

pub mod failpoint;

pub mod engine;

pub mod run;

pub mod report;

pub mod config;

pub mod load;

pub mod cli;
