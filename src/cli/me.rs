//! Who runs: run id, person, host, and the command without its secrets.

use crate::engine::Me;
use std::{collections::BTreeMap, ffi::OsString, time::SystemTime};

/// Crockford's base32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Who runs this process.
pub fn me(command: &str, vars: &BTreeMap<String, String>) -> Me {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let named = ["USER", "LOGNAME"].iter().find_map(|name| vars.get(*name).filter(|user| !user.is_empty()).cloned());
    // A container often has neither; the system's own list of users has a name, or else there is a number.
    let user = named.or_else(named_by_system).unwrap_or_else(number);
    Me {
        run: run_id(SystemTime::now(), fastrand::u128(..)),
        who: format!("{user}@{host}"),
        host,
        pid: std::process::id(),
        command: command.to_owned(),
    }
}

/// The name that the system has for who runs this process.
fn named_by_system() -> Option<String> {
    let user = uzers::get_user_by_uid(uzers::get_effective_uid())?;
    user.name().to_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Who runs this process, as a number.
fn number() -> String {
    format!("uid{}", uzers::get_effective_uid())
}

/// 26 characters that sort by time: 48 bits of milliseconds, 80 of chance.
fn run_id(now: SystemTime, chance: u128) -> String {
    let ms = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let bits = (ms << 80) | (chance >> 48);
    (0..26).rev().map(|place| char::from(ALPHABET[(bits >> (place * 5)) as usize & 31])).collect()
}

/// What may hold a password: a connection, and what goes into SQL in a placeholder's stead.
const SECRET: &[&str] = &["--conn", "--placeholder"];

/// The command as typed, by its words: `triphase`, then the arguments, quoted where a shell needs it. What may hold a password is not shown.
pub fn words(arguments: &[OsString]) -> Vec<String> {
    let mut words = vec!["triphase".to_owned()];
    let mut secret = false;
    for argument in arguments.iter().skip(1) {
        let argument = argument.to_string_lossy();
        words.push(if std::mem::take(&mut secret) {
            "***".to_owned()
        } else if let Some((name, _)) = argument.split_once('=').filter(|(name, _)| SECRET.contains(name)) {
            format!("{name}=***")
        } else {
            secret = SECRET.contains(&argument.as_ref());
            quote(&argument)
        });
    }
    words
}

fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+:@,%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn run_ids_have_26_characters_and_sort_by_time() {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let ids = [run_id(at(1), u128::MAX), run_id(at(2), 0), run_id(at(1_900_000_000_000), 7)];
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 26), "{ids:?}");
        assert_ne!(run_id(at(5), 1 << 100), run_id(at(5), 2 << 100));
    }

    #[test]
    fn the_command_has_no_secret() {
        let line = |typed: &[&str]| words(&typed.iter().map(OsString::from).collect::<Vec<_>>()).join(" ");
        assert_eq!(line(&["/bin/triphase", "--conn", "postgres://a:pw@h/d", "ff", "v1"]), "triphase --conn *** ff v1");
        assert_eq!(line(&["t", "ff", "--conn=postgres://a:pw@h/d"]), "triphase ff --conn=***");
        let import = line(&["t", "import", "flyway", "--placeholder", "pw=x", "--placeholder=pw=x"]);
        assert_eq!(import, "triphase import flyway --placeholder *** --placeholder=***");
        assert_eq!(line(&["t", "repair", "--reason", "it's done"]), r"triphase repair --reason 'it'\''s done'");
    }

    #[test]
    fn without_a_variable_the_system_names_the_user() {
        let asked = std::process::Command::new("id").arg("-un").output().expect("id is in every Debian");
        let name = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        let me = me("triphase ff", &BTreeMap::new());
        assert_eq!(me.who, format!("{name}@{}", me.host));
    }
}
