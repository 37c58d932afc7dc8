//! What lies in `releases/`, and which of it is a release (rule F1).

use crate::model::{Class, Finding, Version};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of release files, with its final `/`.
pub(super) const FOLDER: &str = "releases/";

/// The releases in order, each with its file, from paths relative to the project folder (folders end with `/`).
pub(super) fn releases(entries: &[String], findings: &mut Vec<Finding>) -> Vec<(Version, String)> {
    let inside: BTreeSet<&str> = entries.iter().filter_map(|path| path.strip_prefix(FOLDER)).collect();
    let mut found: BTreeMap<Version, String> = BTreeMap::new();
    for name in inside.iter().filter(|path| !path.is_empty() && !path.trim_end_matches('/').contains('/')) {
        if name.starts_with('.') || name.starts_with("README") {
            continue;
        }
        let (stem, file) = match (name.strip_suffix('/'), name.strip_suffix(".yaml")) {
            (Some(folder), _) => (folder, format!("{folder}/release.yaml")),
            (None, Some(stem)) => (stem, (*name).to_owned()),
            (None, None) => {
                findings.push(stray(name));
                continue;
            }
        };
        let version = match Version::parse(stem) {
            Ok(version) => version,
            Err(why) => {
                findings.push(refuse(
                    format!("{FOLDER}{name} is no release: {why}"),
                    "rename it, or move it out of releases/",
                ));
                continue;
            }
        };
        if !inside.contains(file.as_str()) {
            findings.push(no_release_file(stem, &inside));
        } else if let Some((same, other)) = found.get_key_value(&version) {
            let (what, way_out) = if same.as_str() == version.as_str() {
                (format!("both release {version}"), "keep one of them")
            } else {
                ("one version in release order".to_owned(), "rename one of them")
            };
            findings.push(refuse(format!("{FOLDER}{other} and {FOLDER}{file} are {what}"), way_out));
        } else {
            found.insert(version, file);
        }
    }
    found.into_iter().map(|(version, file)| (version, format!("{FOLDER}{file}"))).collect()
}

fn refuse(message: String, way_out: impl Into<String>) -> Finding {
    Finding::new(Class::Usage, "F1", message).way_out(way_out)
}

fn stray(name: &str) -> Finding {
    let way_out = match name.rsplit_once('.') {
        Some((stem, "yml" | "yaml~" | "YAML" | "YML")) if Version::parse(stem).is_ok() => {
            format!("rename it to {stem}.yaml, or move it out of releases/")
        }
        Some(_) | None => "move it out of releases/, or into its release's folder".to_owned(),
    };
    refuse(format!("{FOLDER}{name} is no release: those are vN.yaml and vN/release.yaml"), way_out)
}

fn no_release_file(version: &str, inside: &BTreeSet<&str>) -> Finding {
    let message = format!("{FOLDER}{version}/ holds no release.yaml");
    if inside.contains(format!("{version}/release.yml").as_str()) {
        refuse(message, "rename its release.yml to release.yaml")
    } else {
        refuse(message, "add one, or move the folder out of releases/")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn messages(entries: &[&str]) -> Vec<String> {
        let entries: Vec<_> = entries.iter().map(|e| format!("{FOLDER}{e}")).collect();
        let mut findings = vec![];
        releases(&entries, &mut findings);
        findings.into_iter().map(|f| format!("{} — {}", f.message, f.way_out)).collect()
    }

    #[test]
    fn both_shapes_are_releases_in_order() {
        let entries =
            ["", ".keep", "README.md", "v10.yaml", "v2/", "v2/a.sql", "v2/old/", "v2/release.yaml", "v1.yaml"]
                .map(|e| format!("{FOLDER}{e}"));
        let mut findings = vec![];
        let files: Vec<_> = releases(&entries, &mut findings).into_iter().map(|(_, file)| file).collect();
        assert_eq!(files, ["releases/v1.yaml", "releases/v2/release.yaml", "releases/v10.yaml"]);
        assert_eq!(findings, []);
    }

    #[test]
    fn whatever_else_lies_there_is_refused() {
        let shapes = "those are vN.yaml and vN/release.yaml";
        let version =
            "a version is `v`, then numbers or words split at `.`, `-` or `_` — rename it, or move it out of releases/";
        let rename = "rename it to v9.yaml, or move it out of releases/";
        assert_eq!(
            messages(&["v9.yml", "v9.yaml~", "notes.txt", "1.yaml", "old/", "v3/", "v4/", "v4/release.yml"]),
            [
                format!("releases/1.yaml is no release: `1` is no version: {version}"),
                format!(
                    "releases/notes.txt is no release: {shapes} — move it out of releases/, or into its release's folder"
                ),
                format!("releases/old/ is no release: `old` is no version: {version}"),
                "releases/v3/ holds no release.yaml — add one, or move the folder out of releases/".to_owned(),
                "releases/v4/ holds no release.yaml — rename its release.yml to release.yaml".to_owned(),
                format!("releases/v9.yaml~ is no release: {shapes} — {rename}"),
                format!("releases/v9.yml is no release: {shapes} — {rename}"),
            ]
        );
    }

    #[test]
    fn one_version_twice_is_refused() {
        assert_eq!(
            messages(&["v001.yaml", "v1.yaml", "v2.yaml", "v2/", "v2/release.yaml"]),
            [
                "releases/v001.yaml and releases/v1.yaml are one version in release order — rename one of them",
                "releases/v2.yaml and releases/v2/release.yaml are both release v2 — keep one of them",
            ]
        );
    }
}
