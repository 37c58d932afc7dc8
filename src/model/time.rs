//! Moments, as a target's own clock gives them.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A moment of the target's clock: microseconds since 1970-01-01 00:00 UTC. Shown as RFC 3339 with seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// This moment and `span` more.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` until this moment; nothing where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A length of time as settings write it: `6d 23h`, `1m 30s`, `500ms`. No unit above a day, since months and years have no one length;
/// what is below a millisecond is left out.
pub fn spell(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(length.subsec_millis()), "ms"),
    ];
    let spelt: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if spelt.is_empty() { "0s".to_owned() } else { spelt.join(" ") }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => f.pad(&t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            Err(_) => f.pad("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_spelt_as_settings_are() {
        for (seconds, spelt) in [(7 * 86_400, "7d"), (45 * 86_400 + 3_601, "45d 1h 1s"), (61, "1m 1s"), (0, "0s")] {
            assert_eq!(spell(Duration::from_secs(seconds)), spelt);
            assert_eq!(super::super::Span::parse(spelt).map(|span| span.length()), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(spell(Duration::from_micros(12_345)), "12ms");
    }
}
