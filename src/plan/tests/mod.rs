//! The laws of planning, and a test for each rule.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app_release;
pub(crate) mod fixture;
mod guards;
mod half;
mod hooks;
mod kept;
mod laws;
mod order;
mod rebuild;
mod repair;
