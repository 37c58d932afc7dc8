//! Carries a plan out on one target: look, lock, plan again, commit one by one, release always.
