//! Links in the documents lead somewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// A heading's anchor as forges make it.
fn anchor(heading: &str) -> String {
    let kept = |c: char| (c.is_alphanumeric() || c == '-' || c == '_' || c == ' ').then_some(c.to_ascii_lowercase());
    heading.trim().chars().filter_map(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(file: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|l| l.starts_with('#')).any(|l| anchor(l.trim_start_matches('#')) == wanted)
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    documents(&root.join("docs"), &mut files);
    let mut broken = vec![];
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            seen += 1;
            let (path, wanted) = link.split_once('#').map_or((link, None), |(path, wanted)| (path, Some(wanted)));
            let to = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            if !to.exists() || wanted.is_some_and(|wanted| !has_anchor(&to, wanted)) {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty() && seen > 80, "{seen} links: {broken:#?}");
}
