//! The names that triphase makes (O9): `_tp_`, the step's hash, what they are for.

use super::state::TableState;
use crate::model::StepId;
use sha2::{Digest, Sha256};

/// What every such name begins with.
pub const OURS: &str = "_tp_";
/// The folder of triphase's own tables in a lake.
pub const OWN_FOLDER: &str = "_triphase";
/// How long such a name may be, in bytes: what the tightest engine allows.
const LONGEST: usize = 63;

/// A step's hash, for names.
pub fn hash(step: &StepId) -> String {
    let digest = Sha256::digest(format!("{}/{}", step.release, step.step));
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether triphase made a name.
pub fn ours(name: &str) -> bool {
    name.starts_with(OURS)
}

/// The hash of the step that a name of ours belongs to.
pub fn hash_in(name: &str) -> Option<&str> {
    name.strip_prefix(OURS)?.split_once('_').map(|(hash, _)| hash)
}

/// A hidden name for a column that is not taken: as much of the column's own as fits, in letters that [`generates`].
pub fn hidden(hash: &str, role: &str, column: &str, taken: impl Fn(&str) -> bool) -> String {
    let head = format!("{OURS}{hash}_{role}");
    let column = &column.to_lowercase().replace('.', "_");
    (1_u32..)
        .map(|n| {
            let tail = if n == 1 { String::new() } else { format!("_{n}") };
            format!("{head}{}{tail}", cut(column, LONGEST - head.len() - tail.len()))
        })
        .find(|name| !taken(name))
        .unwrap_or(head)
}

/// Whether delta-rs can write a table that has a generated column of this name. It reads the name as SQL where it can: upper case letters
/// become lower case, a dot ends a table's name (deltalake-core 1.1.3, `data_validation.rs`, `generated_columns_to_exprs`).
pub fn generates(name: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_$@#".contains(c));
    !name.split('.').all(word) || !name.chars().any(|c| c.is_uppercase() || c == '.')
}

/// The names of a step in a table.
pub fn of(hash: &str, state: &TableState) -> impl Iterator<Item = String> {
    let head = format!("{OURS}{hash}_");
    state.fields.iter().filter(move |field| field.name.starts_with(&head)).map(|field| field.name.clone())
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Version;

    #[test]
    fn hidden_names_fit_and_are_free() {
        let hash = hash(&StepId::new(Version::parse("v1").unwrap(), "a"));
        let long = "é".repeat(40);
        let first = hidden(&hash, "", &long, |_| false);
        let second = hidden(&hash, "", &long, |name| name == first);
        assert!(first.len() <= LONGEST && second.len() <= LONGEST, "{first} {second}");
        assert!(second.ends_with("_2") && ours(&second) && first != second);
        assert_eq!(hidden("0a", "new_", "amount", |_| false), "_tp_0a_new_amount");
        assert_eq!(hidden("0a", "", "Amount.net", |_| false), "_tp_0a_amount_net");
        assert!(generates(&hidden("0a", "", "Amount.net", |_| false)) && !generates("Amount") && !generates("a.b"));
        assert!(generates("Weird Name") && generates("amount"));
        assert_eq!((hash_in(&first), hash_in("amount")), (Some(hash.as_str()), None));
    }
}
