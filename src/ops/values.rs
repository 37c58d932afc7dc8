//! The values of table properties, as the library reads them (deltalake-core 1.1.3, `table/config.rs`): what it can't read is left out of
//! account without a word, or keeps the table from being opened.

/// What a property's value must be.
#[derive(Clone, Copy)]
enum Form {
    Truth,
    Interval,
    /// A whole number, from this on.
    Whole(i64),
    OneOf(&'static [&'static str]),
}

use Form::{Interval, OneOf, Truth, Whole};

const FORMS: &[(&str, Form)] = &[
    ("delta.appendOnly", Truth),
    ("delta.autoOptimize.autoCompact", OneOf(&["true", "false", "auto", "legacy"])),
    ("delta.autoOptimize.optimizeWrite", Truth),
    ("delta.checkpoint.writeStatsAsJson", Truth),
    ("delta.checkpoint.writeStatsAsStruct", Truth),
    ("delta.checkpointInterval", Whole(1)),
    ("delta.compatibility.symlinkFormatManifest.enabled", Truth),
    ("delta.dataSkippingNumIndexedCols", Whole(-1)),
    ("delta.deletedFileRetentionDuration", Interval),
    ("delta.isolationLevel", OneOf(&["Serializable", "WriteSerializable", "SnapshotIsolation"])),
    ("delta.logRetentionDuration", Interval),
    ("delta.randomizeFilePrefixes", Truth),
    ("delta.sampleRetentionDuration", Interval),
    ("delta.setTransactionRetentionDuration", Interval),
    ("delta.targetFileSize", Whole(1)),
];

/// What a property's value would have to be; `None`: it can be read, or nobody but its author knows.
pub(super) fn wanted(key: &str, value: &str) -> Option<String> {
    let (_, form) = FORMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
    let (fits, wanted) = match form {
        Truth => (matches!(value, "true" | "false"), "true or false".to_owned()),
        Interval => {
            (interval(value), "a time such as `interval 30 days`, in one unit from nanoseconds to weeks".to_owned())
        }
        Whole(least) => {
            (value.parse::<i64>().is_ok_and(|number| number >= *least), format!("a whole number, {least} or more"))
        }
        OneOf(words) => (words.contains(&value), format!("one of {}", words.join(", "))),
    };
    (!fits).then_some(wanted)
}

fn interval(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["interval", number, unit] = words.as_slice() else { return false };
    let units = ["nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week"];
    // What comes to more seconds than there are would wrap around.
    number.parse::<u32>().is_ok() && units.contains(&unit.strip_suffix('s').unwrap_or(unit))
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn values_that_the_library_can_not_read_are_found() {
        for (key, value) in [
            ("delta.logRetentionDuration", "nonsense"),
            ("delta.logRetentionDuration", "interval 1 month"),
            ("delta.logRetentionDuration", "interval -1 day"),
            ("delta.deletedFileRetentionDuration", "1 day"),
            ("delta.appendOnly", "maybe"),
            ("DELTA.APPENDONLY", "True"),
            ("delta.checkpointInterval", "-5"),
            ("delta.checkpointInterval", "0"),
            ("delta.targetFileSize", "abc"),
            ("delta.isolationLevel", "x"),
        ] {
            assert!(wanted(key, value).is_some(), "{key}: {value}");
        }
        for (key, value) in [
            ("delta.logRetentionDuration", "interval 30 days"),
            ("delta.appendOnly", "false"),
            ("delta.checkpointInterval", "10"),
            ("delta.dataSkippingNumIndexedCols", "-1"),
            ("delta.unknown", "x"),
            ("owner", "me"),
        ] {
            assert_eq!(wanted(key, value), None, "{key}: {value}");
        }
    }
}
