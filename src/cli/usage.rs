//! A mistake on the command line: clap's words for people, and with `--json` the same object that every command ends with.

use crate::{
    event::{End, Outcome},
    model::{Class, Finding},
    report,
};
use std::{
    ffi::OsString,
    io::{self, Write as _},
};

/// Prints what clap has to say, help and version included; gives the exit code.
pub fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    // Who reads it may have gone away: that is no error.
    let _ = error.print();
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if error.use_stderr() && has(arguments, &["--json"]) {
        let end = End::Refused(vec![finding(&error.render().to_string())]);
        let mut result = report::json::result(&Outcome::from(end));
        result["noop"] = has(arguments, &["--noop", "-n"]).into();
        let _ = writeln!(io::stdout().lock(), "{result}");
    }
    code
}

/// Whether the line has a flag, by any of its names. It could not be parsed, so it is only looked at.
fn has(arguments: &[OsString], flag: &[&str]) -> bool {
    let mut flags = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    flags.any(|argument| flag.iter().any(|name| argument == name))
}

/// The parts of clap's text: `error: …`, then `tip: …`, then how the command is used.
fn finding(text: &str) -> Finding {
    let head = text.split("\n\nUsage: ").next().unwrap_or(text);
    let mut parts = head.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = parts.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let tips: Vec<String> = parts.filter_map(|part| part.strip_prefix("tip: ").map(str::to_owned)).collect();
    let way_out = if tips.is_empty() { "triphase --help".to_owned() } else { tips.join("; ") };
    Finding::new(Class::Usage, "", message).way_out(way_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn claps_text_becomes_a_finding() {
        let said = finding(
            "error: unexpected argument '--jsn' found\n\n  tip: a similar argument exists: '--json'\n\nUsage: triphase ff [VERSION]\n\n\
             For more information, try '--help'.\n",
        );
        assert_eq!(said.message, "unexpected argument '--jsn' found");
        assert_eq!(said.way_out, "a similar argument exists: '--json'");
        let missing = finding(
            "error: the following required arguments were not provided:\n  <VERSION>\n\nUsage: triphase add <VERSION>\n",
        );
        assert_eq!(missing.message, "the following required arguments were not provided: <VERSION>");
        assert_eq!(missing.way_out, "triphase --help");
    }

    #[test]
    fn what_stands_behind_two_dashes_is_no_flag() {
        let line = |words: &[&str]| has(&words.iter().map(OsString::from).collect::<Vec<_>>(), &["--json"]);
        assert!(line(&["triphase", "nonsense", "--json"]));
        assert!(!line(&["triphase", "ff", "--", "--json"]) && !line(&["--json"]));
    }
}
