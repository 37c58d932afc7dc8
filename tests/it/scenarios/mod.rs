//! What people do, on each engine.
