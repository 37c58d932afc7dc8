//! What each dialect takes for a token.
#![allow(clippy::unwrap_used)]

use super::*;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

fn code(dialect: Dialect, text: &str) -> Vec<&str> {
    let lexed = lex(dialect, text);
    assert_eq!(lexed.fault, None, "{text}");
    lexed.tokens.iter().filter(|t| solid(t)).map(|t| &text[t.span.clone()]).collect()
}

#[test]
fn postgres_tokens() {
    for (text, expected) in [
        ("$$a;b$$ $x$ $$ ;$x$", vec!["$$a;b$$", "$x$ $$ ;$x$"]),
        ("a$1 a$b$ $1", vec!["a$1", "a$b$", "$1"]),
        ("$1$$;$$", vec!["$1", "$$;$$"]),
        ("/* a /* b; */ c; */ d", vec!["d"]),
        (r"'c:\' ; 'x'", vec![r"'c:\'", ";", "'x'"]),
        (r"E'it\'s;' e'\\'", vec![r"E'it\'s;'", r"e'\\'"]),
        ("E'a'\n'b\\'c;'", vec!["E'a'", "'b\\'c;'"]),
        ("E'a' -- x\n  -- y\n 'b\\';'", vec!["E'a'", "'b\\';'"]),
        (r"E'a' 'b\'", vec!["E'a'", r"'b\'"]),
        ("E'a' /* \n */ 'b\\'", vec!["E'a'", "'b\\'"]),
        (r#"U&'\0041;' U&"a;b" "quoted""names;""#, vec![r"U&'\0041;'", r#"U&"a;b""#, r#""quoted""names;""#]),
        (r"nameE'\'", vec!["nameE", r"'\'"]),
        ("?::jsonb ?| @> ->> #>>", vec!["?", "::", "jsonb", "?|", "@>", "->>", "#>>"]),
        ("a=-1 a@-1 a<--x\n1", vec!["a", "=", "-", "1", "a", "@-", "1", "a", "<", "1"]),
        ("a*/*;*/b", vec!["a", "*", "b"]),
        (
            "1e5 1E-5 0x1F 1. .5 1..10 1e 1_000",
            vec!["1e5", "1E-5", "0x1F", "1.", ".5", "1", "..", "10", "1", "e", "1_000"],
        ),
        ("1E'\\';'", vec!["1", "E'\\';'"]),
        ("x[1:n] é.ü", vec!["x", "[", "1", ":", "n", "]", "é", ".", "ü"]),
        ("-- a\r1", vec!["1"]),
        ("\u{feff}a", vec!["a"]),
        ("/*+ Seq */ a /*! b */", vec!["/*+ Seq */", "a", "/*! b */"]),
    ] {
        assert_eq!(code(Dialect::Postgres, text), expected, "{text}");
    }
}

#[test]
fn sqlite_tokens() {
    for (text, expected) in [
        ("/* a /* b */ c", vec!["c"]),
        (r"'c:\' ; 'it''s'", vec![r"'c:\'", ";", "'it''s'"]),
        ("[a;'b] `c;``d` \"e;\"\"f\"", vec!["[a;'b]", "`c;``d`", "\"e;\"\"f\""]),
        ("x'0a' X'' xx''", vec!["x'0a'", "X''", "xx", "''"]),
        (":name @v $t::u(x;y) ?1 ? #1", vec![":name", "@v", "$t::u(x;y)", "?1", "?", "#1"]),
        ("a->>'$.x'||b==c", vec!["a", "->>", "'$.x'", "||", "b", "==", "c"]),
        ("1e5 0x1F .5 1.5e+3", vec!["1e5", "0x1F", ".5", "1.5e+3"]),
        ("-- a\rb\nc", vec!["c"]),
        ("a$b $$", vec!["a$b", "$$"]),
    ] {
        assert_eq!(code(Dialect::Sqlite, text), expected, "{text}");
    }
}

#[test]
fn mysql_and_delta_tokens() {
    for (text, expected) in [
        (r#"'a\'b;' "c\";" `d;``e`"#, vec![r"'a\'b;'", r#""c\";""#, "`d;``e`"]),
        ("a--1 -- c\nb # d\ne", vec!["a", "-", "-", "1", "b", "e"]),
        ("/*!50001 x; */ @@a.b @c \\N", vec!["/*!50001 x; */", "@@a.b", "@c", "\\N"]),
        ("$$a", vec!["$$a"]),
    ] {
        assert_eq!(code(Dialect::Mysql, text), expected, "{text}");
    }
    assert_eq!(code(Dialect::Delta, r#"r'\' "a\";" `b;` /* /* */ */ x"#), [r"r'\'", r#""a\";""#, "`b;`", "x"]);
}

#[test]
fn what_is_open_is_named() {
    for (dialect, text, what, span) in [
        (Dialect::Postgres, "a 'b", "string", 2..3),
        (Dialect::Postgres, "E'b\\'", "string", 0..2),
        (Dialect::Postgres, "a $x$ $$", "string", 2..5),
        (Dialect::Postgres, "/* /* */", "comment", 0..2),
        (Dialect::Postgres, "\"a\"\"", "quoted name", 0..1),
        (Dialect::Sqlite, "[a", "quoted name", 0..1),
        (Dialect::Sqlite, "a /* b", "comment", 2..4),
        (Dialect::Mysql, "`a", "quoted name", 0..1),
    ] {
        let fault = lex(dialect, text).fault.unwrap();
        assert_eq!((fault.what, fault.span), (what, span), "{text}");
    }
}

proptest! {
    #[test]
    fn tokens_are_lossless(text in r#"([ \n\ra-eExX0-9$'"`;:/*\\#@.,()?&+=<>\[\]\-]|é|\x{feff}|\$\$){0,40}"#) {
        for dialect in Dialect::ALL {
            let lexed = lex(*dialect, &text);
            let mut at = 0;
            for token in &lexed.tokens {
                prop_assert_eq!(token.span.start, at);
                prop_assert!(token.span.end > at);
                prop_assert!(text.is_char_boundary(token.span.end));
                at = token.span.end;
            }
            prop_assert!(lexed.fault.is_some() || at == text.len());
        }
    }
}
