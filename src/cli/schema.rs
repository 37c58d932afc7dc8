//! `schema`: JSON Schemas (draft-07), kept by hand beside this file and compared with what is really read and printed.

use super::{
    app::{App, Halt},
    args::{Schema, SchemaOf},
};
use std::{io::Write as _, path::Path};

/// Where a project keeps the release files' schema for editors, relative to its folder.
pub const RELEASE_FILE: &str = ".triphase/release.schema.json";
/// Where it keeps the target files' schema.
pub const TARGET_FILE: &str = ".triphase/target.schema.json";

/// The release files' schema, where a project has it: a line that named a file that is not there would make editors complain.
pub fn of_releases(project: &Path) -> Option<&'static str> {
    project.join(RELEASE_FILE).is_file().then_some(RELEASE_FILE)
}

/// The schema's text.
pub const fn text(of: SchemaOf) -> &'static str {
    match of {
        SchemaOf::Release => include_str!("schema/release.json"),
        SchemaOf::Target => include_str!("schema/target.json"),
        SchemaOf::Output => include_str!("schema/output.json"),
    }
}

/// Prints it.
pub fn run(app: &App, args: &Schema) -> Result<u8, Halt> {
    app.print(|out| out.write_all(text(args.of).as_bytes()))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use serde_json::Value;
    use std::{collections::BTreeSet, fs};

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn schema(of: SchemaOf) -> Value {
        serde_json::from_str(text(of)).unwrap()
    }

    /// Why a YAML text is not what a schema describes; `None`: it is. What is no YAML is nothing that a schema describes.
    fn fault(of: SchemaOf, yaml: &str) -> Option<String> {
        let Ok(value) = serde_yaml::from_str::<Value>(yaml) else { return Some("no YAML".into()) };
        let validator = jsonschema::draft7::new(&schema(of)).unwrap();
        validator.iter_errors(&value).map(|error| error.to_string()).next()
    }

    #[test]
    fn the_schemas_are_draft_7() {
        for of in [SchemaOf::Release, SchemaOf::Target, SchemaOf::Output] {
            assert!(jsonschema::draft7::meta::is_valid(&schema(of)), "{of:?}");
        }
    }

    #[test]
    fn samples_are_as_described_and_name_the_schemas_beside_them() {
        let mut seen = 0;
        for (folder, of) in [
            ("releases", SchemaOf::Release),
            ("releases/v3", SchemaOf::Release),
            ("conf.d", SchemaOf::Target),
            ("src/cli/init", SchemaOf::Target),
        ] {
            for entry in fs::read_dir(root().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_dir() || !(name.ends_with(".yaml") || name.ends_with(".yaml.example")) {
                    continue;
                }
                let of = if name == "v1.yaml" { SchemaOf::Release } else { of };
                let yaml = fs::read_to_string(&path).unwrap();
                assert_eq!(fault(of, &yaml), None, "{}", path.display());
                let named = yaml.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
                let kept = if of == SchemaOf::Release { RELEASE_FILE } else { TARGET_FILE };
                assert!(named.ends_with(kept), "{}", path.display());
                // What init writes names files of the project that it is written to.
                if folder != "src/cli/init" {
                    let beside = fs::read_to_string(path.parent().unwrap().join(named)).unwrap();
                    assert!(beside == text(of), "triphase schema … > {kept}");
                }
                seen += 1;
            }
        }
        assert!(seen >= 10, "{seen}");
    }

    /// The fenced YAML of a document.
    fn blocks(file: &str) -> Vec<String> {
        let text = fs::read_to_string(root().join(file)).unwrap();
        text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn whole_files_in_documents_are_as_described() {
        let release = blocks("docs/recipes.md").into_iter().chain(blocks("docs/release-files.md"));
        let release = release.filter(|text| text.contains("steps:")).map(|text| (SchemaOf::Release, text));
        let target = blocks("docs/target-files.md").into_iter().map(|text| (SchemaOf::Target, text));
        let mut seen = 0;
        for (of, text) in release.chain(target.filter(|(_, text)| text.contains("connection:"))) {
            assert_eq!(fault(of, &text), None, "{text}");
            seen += 1;
        }
        assert!(seen >= 9, "{seen}");
    }

    /// What a schema can't see: other files, other steps, SQL, the target's engine, and what one reader of YAML refuses and another takes.
    const UNSEEN: &[&str] = &[
        "releases/after_cycle",
        "releases/after_itself",
        "releases/after_unknown",
        "releases/delta_fields_that_clash",
        "releases/delta_no_expression",
        "releases/delta_operation_and_handler",
        "releases/delta_operation_twice",
        "releases/delta_refused_operations",
        "releases/delta_table_outside",
        "releases/delta_two_operations",
        "releases/delta_type_unknown",
        "releases/done_when_for_two",
        "releases/done_when_is_two",
        "releases/duplicate_key",
        "releases/done_when_that_writes",
        "releases/duplicate_step",
        "releases/engine_missing",
        "releases/expect_is_two",
        "releases/expect_that_writes",
        "releases/file_holds_a_transaction",
        "releases/file_missing",
        "releases/file_outside",
        "releases/id_twice",
        "releases/name_is_an_id",
        "releases/number_as_key",
        "releases/only_a_comment_in_a_handler",
        "releases/operation",
        "releases/postgres_nameless_concurrent_index",
        "releases/template",
        "releases/transaction_in_a_block",
        "releases/transaction_in_a_folded_block",
        "releases/transaction_on_one_line",
        "releases/unterminated_string",
        "targets/absent_driver",
        "targets/absent_engine",
        "targets/duplicate_key",
        "targets/in_memory",
        "targets/missing_variable",
        "targets/no_file",
        "targets/open_variable",
        "targets/other_admin_engine",
        "targets/other_admin_file",
        "targets/password_file_missing",
        "targets/secret_var",
        "targets/two_passwords",
        "targets/unencoded_password",
    ];

    #[test]
    fn malformed_files_are_not_as_described() {
        let mut wrong = vec![];
        let unseen: BTreeSet<&str> = UNSEEN.iter().copied().collect();
        for (folder, of) in [("releases", SchemaOf::Release), ("targets", SchemaOf::Target)] {
            let mut seen = 0;
            for entry in fs::read_dir(root().join("tests/malformed").join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "yaml") {
                    continue;
                }
                let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
                let fault = fault(of, &fs::read_to_string(&path).unwrap());
                if fault.is_none() != unseen.contains(name.as_str()) {
                    wrong.push(format!("{name}: {fault:?}"));
                }
                seen += usize::from(fault.is_some());
            }
            assert!(seen > 15, "{folder}: {seen}");
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_kind_of_document_is_described() {
        fn sources(folder: &Path, found: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, found);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    found.push_str(&fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut text = String::new();
        sources(&root().join("src"), &mut text);
        // The call and its first argument may stand on two lines.
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("document( ", "document(");
        let kinds: BTreeSet<&str> = words
            .split("document(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|kind| kind.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            .collect();
        let output = schema(SchemaOf::Output);
        let described: Vec<&str> =
            output["oneOf"].as_array().unwrap().iter().map(|one| one["$ref"].as_str().unwrap()).collect();
        let missing: Vec<_> =
            kinds.iter().filter(|kind| !described.contains(&format!("#/definitions/{kind}").as_str())).collect();
        assert!(kinds.len() > 15 && missing.is_empty(), "src/cli/schema/output.json lacks {missing:?} of {kinds:?}");
    }

    /// The texts of a `const NAME: &[&str] = &[…]`.
    fn list(file: &str, name: &str) -> BTreeSet<String> {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let (_, rest) = source.split_once(&format!("const {name}: &[&str] =")).unwrap();
        let (list, _) = rest.split_once("];").unwrap();
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn keys(schema: &Value) -> BTreeSet<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// `UPDATE_GOLDEN=1` writes what the vocabulary says now.
    #[test]
    fn operations_are_described_as_the_vocabulary_has_them() {
        let mut release = schema(SchemaOf::Release);
        let definitions = release["definitions"].as_object_mut().unwrap();
        let mut step = definitions.remove("step").unwrap();
        for (name, described) in crate::ops::schema() {
            definitions.insert(name.clone(), described);
            let required = serde_json::json!({ "required": [&name] });
            let alone = step["anyOf"].as_array_mut().unwrap();
            if !alone.contains(&required) {
                alone.push(required);
            }
            step["properties"][&name] = serde_json::json!({ "$ref": format!("#/definitions/{name}") });
        }
        definitions.insert("step".to_owned(), step);
        if release != schema(SchemaOf::Release) && std::env::var_os("UPDATE_GOLDEN").is_some() {
            let text = format!("{release:#}\n");
            fs::write(root().join("src/cli/schema/release.json"), &text).unwrap();
            return fs::write(root().join(RELEASE_FILE), text).unwrap();
        }
        assert!(release == schema(SchemaOf::Release), "UPDATE_GOLDEN=1 describes the operations anew");
    }

    #[test]
    fn the_keys_are_those_that_are_read() {
        let release = schema(SchemaOf::Release);
        assert_eq!(keys(&release), list("src/release/step.rs", "RELEASE_KEYS"));
        let mut step = keys(&release["definitions"]["step"]);
        step.retain(|key| !crate::ops::schema().contains_key(key));
        assert_eq!(step, list("src/release/step.rs", "STEP_KEYS"));
        let shapes = release["definitions"]["action"]["oneOf"].as_array().unwrap();
        let actions: BTreeSet<String> = shapes.iter().flat_map(keys).collect();
        assert_eq!(actions, list("src/release/handler.rs", "ACTION_KEYS"));
        assert_eq!(keys(&schema(SchemaOf::Target)), list("src/config/file.rs", "KEYS"));
    }
}
