//! Templates (rule F7): where a release asks for them, its SQL, queries and files are filled in from the target's `vars`. Strict: what is
//! not there is an error, and nothing can be read or included from elsewhere.

use crate::{model::Dialect, sql};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use std::{error::Error, ops::Range};

/// Fills in texts of one release.
pub(super) struct Template {
    environment: Environment<'static>,
    vars: Value,
}

/// Why a text can't be filled in.
pub(super) struct Unfilled {
    /// What is wrong, naming no value.
    pub message: String,
    /// Where in the text.
    pub span: Range<usize>,
}

impl Template {
    /// With these variables. `literal` and `ident` quote a value for the dialect.
    pub fn new(dialect: Dialect, vars: &indexmap::IndexMap<String, serde_json::Value>) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_keep_trailing_newline(true);
        environment.add_filter("literal", move |text: String| sql::literal(dialect, &text));
        environment.add_filter("ident", move |text: String| sql::ident(dialect, &text));
        Self { environment, vars: Value::from_serialize(vars) }
    }

    /// Fills a text in.
    ///
    /// # Errors
    /// Where it is no template, or names what is not there.
    pub fn fill(&self, text: &str) -> Result<String, Unfilled> {
        self.environment.render_str(text, &self.vars).map_err(|error| {
            let line = error.line().unwrap_or(1).saturating_sub(1);
            let from = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>().min(text.len());
            let to = from + text[from..].find('\n').unwrap_or(text.len() - from);
            let span = error.range().filter(|range| text.get(range.clone()).is_some()).unwrap_or(from..to);
            let span =
                if error.kind() == ErrorKind::UndefinedError { filtered(text, &span).unwrap_or(span) } else { span };
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            let named = text.get(span.clone()).filter(|name| !name.is_empty() && name.len() < 60);
            let at = named.map_or_else(String::new, |name| format!(" at `{name}`"));
            Unfilled { message: format!("the template can't be filled in{at}: {detail}{cause}"), span }
        })
    }
}

/// Of `name | filter`, where the filter was found at fault for being given nothing: the name.
fn filtered(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let before = text.get(..span.start)?.trim_end().strip_suffix('|')?.trim_end();
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let from = before.trim_end_matches(name).len();
    (from < before.len()).then_some(from..before.len())
}

/// A text without the template's own comments: as those of SQL, they do not count for checksums.
pub(super) fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{#") {
        kept.push_str(&rest[..at]);
        kept.push(' ');
        rest = rest[at..].find("#}").map_or("", |end| &rest[at + end + 2..]);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn template() -> Template {
        let vars = serde_json::json!({ "role": "app's", "shards": [1, 2], "on": false });
        Template::new(Dialect::Postgres, &serde_json::from_value(vars).unwrap())
    }

    #[test]
    fn texts_are_filled_in() {
        let fill = |text| template().fill(text).map_err(|e| e.message).unwrap();
        assert_eq!(fill("GRANT x TO {{ role | ident }}, {{ role | literal }}\n"), "GRANT x TO \"app's\", 'app''s'\n");
        assert_eq!(
            fill("{% for n in shards %}CREATE TABLE t{{ n }} ();{% endfor %}"),
            "CREATE TABLE t1 ();CREATE TABLE t2 ();"
        );
        assert_eq!(fill("a{% if on %}b{% endif %} <&>"), "a <&>");
    }

    #[test]
    fn its_own_comments_do_not_count() {
        assert_eq!(without_comments("a{# b #}c {#- d\n-#} e{# f"), "a c   e ");
    }

    #[test]
    fn what_is_not_there_is_found_where_it_stands() {
        let error = |text: &str| template().fill(text).err().map(|e| (e.message, text[e.span].to_owned())).unwrap();
        let (message, at) = error("SELECT 1;\nSELECT {{ rolle }};");
        assert!(message.contains("undefined") && at.contains("rolle"), "{message} {at}");
        for filter in ["literal", "ident"] {
            let (message, at) = error(&format!("SELECT {{{{ owner | {filter} }}}};"));
            assert!(message.contains("at `owner`") && at == "owner", "{message} {at}");
        }
        let (message, _) = error("a\n{% include 'secrets' %}");
        assert!(message.contains("include"), "{message}");
        assert!(template().fill("{{ role.name.first }}").is_err() && template().fill("{% if %}").is_err());
    }
}
