//! A password in a file of its own (rule T1).

use super::url::Wrong;
use crate::target::Secret;
use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// Reads it; a relative path is relative to the project folder.
///
/// # Errors
/// Where the file can't be read, or holds nothing.
pub(super) fn read(path: &str, project: &Path) -> Result<Secret, Wrong> {
    let file = project.join(path);
    let text = fs::read_to_string(&file).map_err(|error| {
        (
            format!("the password file {path} can't be read: {error}"),
            "a relative path is relative to the project folder".to_owned(),
        )
    })?;
    // A file made by an editor or `echo` ends its line.
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err((
            format!("the password file {path} is empty"),
            "write the password into it, or take the key out".to_owned(),
        ));
    }
    // Mounted secrets belong to another user, and are for everyone in their container.
    let own = |meta: &fs::Metadata| meta.uid() == rustix::process::geteuid().as_raw();
    if fs::metadata(&file).is_ok_and(|meta| meta.mode() & 0o004 != 0 && own(&meta) && !only_read(&meta)) {
        tracing::warn!("every user of this host can read the password file: chmod 600 {path}");
    }
    Ok(Secret::new(password))
}

/// Whether nobody may write it, as container runtimes mount secrets.
fn only_read(meta: &fs::Metadata) -> bool {
    meta.mode() & 0o222 == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_lines_end_is_cut_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (text, password) in [("a b \n", "a b "), ("a\r\n", "a"), ("a\nb", "a\nb")] {
            fs::write(folder.path().join("pw"), text).unwrap();
            assert_eq!(read("pw", folder.path()).unwrap().reveal(), password);
        }
        fs::write(folder.path().join("pw"), "\n").unwrap();
        assert_eq!(read("pw", folder.path()).unwrap_err().0, "the password file pw is empty");
        let missing = read("nothing", folder.path()).unwrap_err().0;
        assert!(missing.starts_with("the password file nothing can't be read"), "{missing}");
    }
}
