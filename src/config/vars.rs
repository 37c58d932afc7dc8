//! `${VAR}` and `${VAR:-default}` in a target file's text; `$$` is one `$`.

use std::collections::BTreeMap;

/// Fills in variables.
///
/// # Errors
/// What is wrong and the way out, without any value.
pub(super) fn fill(text: &str, vars: &BTreeMap<String, String>) -> Result<String, (String, String)> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some(end) = after.find('}') else {
                return Err(("`${` has no `}`".to_owned(), "write ${VAR}, and $$ for a dollar sign".to_owned()));
            };
            filled.push_str(value(&after[..end], vars)?);
            rest = &after[end + 1..];
        } else {
            filled.push('$');
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Whether a name is that of a secret.
pub(super) fn secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let within =
        ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key", "credential"];
    let mut parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    within.iter().any(|word| lower.contains(word)) || parts.any(|part| ["pass", "pwd", "pw"].contains(&part))
}

fn value<'v>(inside: &'v str, vars: &'v BTreeMap<String, String>) -> Result<&'v str, (String, String)> {
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let shapes = "write ${VAR} or ${VAR:-default}, and $$ for a dollar sign";
        return Err(("`${…}` holds no variable's name".to_owned(), shapes.to_owned()));
    }
    // As in a shell, `:-` also serves a variable that is set and empty.
    match (vars.get(name).filter(|value| !value.is_empty()), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default),
        (None, None) if vars.contains_key(name) => {
            Err((format!("the environment's {name} is empty"), format!("set {name}")))
        }
        (None, None) => {
            Err((format!("the environment has no {name}"), format!("set {name}, or write ${{{name}:-default}}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_that_sounds_like_a_secret_is_one() {
        for name in ["db_pass", "DB_PASSWORD", "pass", "app-pwd", "apiKey", "credentials", "auth_token"] {
            assert!(secret(name), "{name}");
        }
        for name in ["schema", "compass", "passenger_table", "region"] {
            assert!(!secret(name), "{name}");
        }
    }

    #[test]
    fn variables_are_filled_in() {
        let vars = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("E".to_owned(), String::new())]);
        assert_eq!(fill("${A}-${B:-b:}-$$-$A-${E:-e}$", &vars).unwrap(), "x-b:-$-$A-e$");
        assert_eq!(fill("${B:-}", &vars).unwrap(), "");
        assert_eq!(fill("${B}", &vars).unwrap_err().0, "the environment has no B");
        assert_eq!(fill("${E}", &vars).unwrap_err().0, "the environment's E is empty");
        assert!(fill("${B", &vars).is_err() && fill("${}", &vars).is_err() && fill("${a b}", &vars).is_err());
    }
}
