//! Moments, as a target's own clock gives them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment of the target's clock: microseconds since 1970-01-01 00:00 UTC. Shown as RFC 3339 with seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// This moment and `span` more.
    pub fn plus(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` until this moment; nothing where `earlier` is later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => f.pad(&t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            Err(_) => f.pad("never"),
        }
    }
}
