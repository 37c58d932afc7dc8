//! A target file's text as a code frame may show it: no value that could be a secret.

use super::KEYS;
use crate::release::yaml::nearest;

/// Keys whose plain values are no secret, and may be shown where they are wrong.
const HARMLESS: &[&str] = &[
    "drivername",
    "password_file",
    "host",
    "port",
    "database",
    "schema",
    "binary",
    "lock_timeout",
    "lock_retry_for",
    "min_simdrop_age",
    "require_rollout",
    "require_previous",
    "protected",
    "writers",
];

/// The text with everything blotted out but keys, plain values of harmless keys, and blanks; each character by one of the same length.
pub(super) fn blot(text: &str) -> String {
    text.split_inclusive('\n').map(blot_line).collect()
}

fn blot_line(line: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if let Some((key, value)) = line.split_once(':')
        && KEYS.iter().any(|known| nearest(key, &[known]).is_some())
    {
        let shows = HARMLESS.contains(&key) && value.trim().chars().all(plain);
        return format!("{key}:{}", if shows { value.to_owned() } else { blots(value) });
    }
    blots(line)
}

fn blots(text: &str) -> String {
    let blot = |c: char| match c.len_utf8() {
        _ if c.is_whitespace() => c,
        1 => '*',
        2 => '¤',
        3 => '•',
        _ => '🞄',
    };
    text.chars().map(blot).collect()
}
