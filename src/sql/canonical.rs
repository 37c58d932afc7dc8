//! The canonical form of a text (rule L7): what its checksum is taken over, so that reformatting is no drift.

use super::tokens::{Kind, lex};
use crate::model::Dialect;

/// The canonical form (rule L7): one space between tokens, comments and the last `;` ignored, LF, no BOM; `/*! */` and `/*+ */` are code.
/// A text that can't be read as tokens is its own canonical form.
///
/// LF inside strings too: a checkout may turn a file's line ends, and that is no edit. A string that goes on with the one before, across
/// a line end, keeps one: without it PostgreSQL would not join them.
pub fn canonical(dialect: Dialect, text: &str) -> String {
    let source = line_feeds(text.trim_start_matches('\u{feff}'));
    let lexed = lex(dialect, &source);
    if lexed.fault.is_some() {
        return text.to_owned();
    }
    let mut form = String::with_capacity(source.len());
    // Semicolons wait until something follows them, and so the last ones are never written.
    let mut waiting = 0_usize;
    for token in lexed.tokens {
        let word = &source[token.span];
        let gap = match token.kind {
            Kind::Blank | Kind::LineComment | Kind::BlockComment => continue,
            Kind::Symbol if word == ";" => {
                waiting += 1;
                continue;
            }
            Kind::Continuation => '\n',
            Kind::Hint
            | Kind::Word
            | Kind::Name
            | Kind::Text
            | Kind::Dollar
            | Kind::Number
            | Kind::Parameter
            | Kind::Symbol => ' ',
        };
        for _ in 0..std::mem::take(&mut waiting) {
            push(&mut form, ' ', ";");
        }
        push(&mut form, gap, word);
    }
    form
}

fn push(form: &mut String, gap: char, word: &str) {
    if !form.is_empty() {
        form.push(gap);
    }
    form.push_str(word);
}

/// Line ends as LF. All carriage returns before one go, so that doing it again changes nothing.
fn line_feeds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive('\n') {
        match piece.strip_suffix('\n') {
            Some(line) => {
                out.push_str(line.trim_end_matches('\r'));
                out.push('\n');
            }
            None => out.push_str(piece),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    #[test]
    fn formatting_is_no_difference() {
        for (dialect, a, b) in [
            (Dialect::Postgres, "select a.b", "select\ta . b ;"),
            (Dialect::Postgres, "a=-1", "a = - 1"),
            (Dialect::Postgres, "\u{feff}a;\r\nb;;", "a -- one\n ; /* two */ b"),
            (Dialect::Postgres, "'x\r\ny'", "'x\ny'"),
            (Dialect::Postgres, "E'a'\n'b\\''", "E'a' --c\n\n 'b\\''"),
            (Dialect::Sqlite, "insert into t(a)values(1)", "insert into t (a) values (1);"),
            (Dialect::Mysql, "a # b\n c", "a c"),
        ] {
            assert_eq!(canonical(dialect, a), canonical(dialect, b));
        }
    }

    #[test]
    fn code_is_a_difference() {
        for (a, b) in [
            ("select 1", "SELECT 1"),
            ("a; b", "a b"),
            ("x'a'", "x 'a'"),
            ("a /*+ h */", "a"),
            ("a /*! h */", "a"),
            ("'a b'", "'a  b'"),
            ("- -1", "--1"),
            ("a ->> b", "a -> > b"),
            ("'a' 'b'", "'a'\n'b'"),
        ] {
            assert_ne!(canonical(Dialect::Postgres, a), canonical(Dialect::Postgres, b));
        }
    }

    #[test]
    fn what_has_no_tokens_is_itself() {
        assert_eq!(canonical(Dialect::Postgres, "a  'b\r\n"), "a  'b\r\n");
        assert_eq!(canonical(Dialect::Sqlite, " -- nothing\n;;"), "");
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(text in r#"([ \n\ra-eExX0-9$'"`;:/*\\#@.,()?&+=<>\[\]\-]|é|\x{feff}|\$\$){0,40}"#) {
            for dialect in Dialect::ALL {
                let once = canonical(*dialect, &text);
                prop_assert_eq!(canonical(*dialect, &once), once);
            }
        }

        #[test]
        fn canonical_is_equal_under_reformatting(
            words in prop::collection::vec(prop::sample::select(vec![
                "a", "B9", "\"c d\"", "'it''s' ,", "E'x\\'' ,", "1e5", ".5", "$1", "=", "-", "->>", "@>", "(", ")", "::", ";", "$$ ; $$", "/*+ h */",
            ]), 0..12),
            gaps in prop::collection::vec(prop::sample::select(vec![" ", "\n", "\t \r\n", " -- c;'\n", " /* c /* ; */ ' */ "]), 13),
        ) {
            let plain = words.join(" ");
            let gaps: String = words.iter().zip(&gaps).map(|(word, gap)| format!("{word}{gap}")).collect();
            prop_assert_eq!(canonical(Dialect::Postgres, &plain), canonical(Dialect::Postgres, &gaps));
        }
    }
}
