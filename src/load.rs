//! Release files in: lists what lies in `releases/`, reads its release files and every file that a release names.

use crate::{
    model::{Class, Finding},
    release::{self, Files},
};
use std::{fs, io, path::Path};

/// Reads a project's release files. A folder that is missing gives no entries; a file that can't be read is listed with the reason.
/// Links are followed as long as they stay inside the project.
///
/// # Errors
/// Where a folder can't be listed.
pub fn files(project: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    list(project, "releases", &mut files.entries)?;
    files.entries.sort();
    for file in release::release_files(&files.entries) {
        read(project, file, &mut files);
    }
    for file in release::named_files(&files) {
        read(project, file, &mut files);
    }
    Ok(files)
}

/// Why a project folder is none.
pub fn no_folder(project: &Path) -> Option<Finding> {
    if project.is_dir() {
        return None;
    }
    let shown = project.display();
    let message = match project.exists() {
        true => format!("the project folder `{shown}` is no folder"),
        false => format!("there is no project folder `{shown}`"),
    };
    let way_out = format!("give another with --path, or make one: triphase --path {shown} init");
    Some(Finding::new(Class::Usage, "T2", message).way_out(way_out))
}

/// What lies below a folder, itself left out. A link to a folder is listed as a file: it is not entered, so none leads in a circle.
fn list(project: &Path, folder: &str, entries: &mut Vec<String>) -> io::Result<()> {
    let listing = match fs::read_dir(project.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listing => listing.map_err(|error| io::Error::new(error.kind(), format!("cannot list {folder}/: {error}")))?,
    };
    for entry in listing {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            entries.push(format!("{path}/"));
            list(project, &path, entries)?;
        } else {
            entries.push(path);
        }
    }
    Ok(())
}

fn read(project: &Path, file: String, files: &mut Files) {
    if files.texts.contains_key(&file) || files.unread.contains_key(&file) {
        return;
    }
    match text(project, &file) {
        Ok(Some(text)) => drop(files.texts.insert(file, text.into())),
        Ok(None) => {}
        Err(why) => drop(files.unread.insert(file, why)),
    }
}

/// A file's text; `None` where there is no such file.
fn text(project: &Path, file: &str) -> Result<Option<String>, String> {
    let path = match project.join(file).canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        path => path.map_err(|error| error.to_string())?,
    };
    if !path.starts_with(project.canonicalize().map_err(|error| error.to_string())?) {
        return Err("it is a link that leaves the project folder".to_owned());
    }
    if !path.is_file() {
        return Err("it is no file".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map(Some).map_err(|error| {
        format!("it is no UTF-8 text (byte {} is not); save it as UTF-8", error.utf8_error().valid_up_to() + 1)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Dialect;

    fn write(folder: &Path, file: &str, bytes: &[u8]) {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn no_folder_is_an_empty_project() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(files(folder.path()).unwrap().entries, Vec::<String>::new());
    }

    #[test]
    fn releases_and_what_they_name_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        write(outside.path(), "secret.sql", b"SELECT 1");
        let v1 = "steps: {a: {add: [{sql_file: one.sql}, {sql_file: ../../sql/two.sql}, {sql_file: out.sql}]}}";
        write(folder.path(), "releases/v1/release.yaml", v1.as_bytes());
        write(folder.path(), "releases/v1/one.sql", b"SELECT 1");
        write(folder.path(), "releases/v1/other.sql", b"SELECT 2");
        write(folder.path(), "sql/two.sql", b"SELECT \xff");
        std::os::unix::fs::symlink(outside.path().join("secret.sql"), folder.path().join("releases/v1/out.sql"))
            .unwrap();
        let files = files(folder.path()).unwrap();
        assert_eq!(files.texts.keys().collect::<Vec<_>>(), ["releases/v1/one.sql", "releases/v1/release.yaml"]);
        assert_eq!(files.unread.keys().collect::<Vec<_>>(), ["releases/v1/out.sql", "sql/two.sql"]);
        let messages: Vec<_> =
            release::project(&files, Dialect::Sqlite).findings.into_iter().map(|f| f.message).collect();
        assert!(
            messages
                .iter()
                .any(|m| m == "releases/v1/out.sql can't be read: it is a link that leaves the project folder"),
            "{messages:?}"
        );
        assert!(
            messages.iter().any(|m| m.starts_with("sql/two.sql can't be read: it is no UTF-8 text (byte 8 is not)")),
            "{messages:?}"
        );
    }
}
