//! Whether a statement that commits by itself has been applied (rule L4).
