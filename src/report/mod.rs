//! Events, plans and states as text or JSON, over `impl Write`.
