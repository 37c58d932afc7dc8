//! Findings as text: all of them, each with its way out.

use super::{Paint, count, frame, indent};
use crate::model::{Class, Finding};
use std::io::{self, Write};

/// Writes every finding, in order.
///
/// # Errors
/// Where the writer fails.
pub fn all(out: &mut impl Write, findings: &[Finding], paint: Paint) -> io::Result<()> {
    findings.iter().try_for_each(|finding| one(out, finding, paint))
}

/// Writes one finding: `error[G4]: …`, its code frame where it has a place, its way out.
///
/// # Errors
/// Where the writer fails.
pub fn one(out: &mut impl Write, finding: &Finding, paint: Paint) -> io::Result<()> {
    if let Some(place) = &finding.place {
        return out.write_all(frame::render(finding, place, paint).as_bytes());
    }
    let rule = if finding.rule.is_empty() { String::new() } else { format!("[{}]", finding.rule) };
    let head = match finding.class {
        Class::Pending => paint.warn(&format!("pending{rule}")),
        Class::Usage | Class::Access | Class::Busy | Class::Decision | Class::Drift | Class::Guard => {
            paint.bad(&format!("error{rule}"))
        }
    };
    writeln!(out, "{head}: {}", indent(&finding.message, 2))?;
    if !finding.way_out.is_empty() {
        writeln!(out, "  = {}: {}", paint.strong("help"), indent(&finding.way_out, 10))?;
    }
    Ok(())
}

/// `3 findings: 1 drift, 2 pending`, the classes in the order of their exit codes' weight.
pub fn summary(findings: &[Finding]) -> String {
    let mut classes: Vec<Class> = findings.iter().map(|f| f.class).collect();
    classes.sort();
    let parts: Vec<String> = classes
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{} {}", same.len(), same.first().map_or("", |class| class.name())))
        .collect();
    format!("{}: {}", count(findings.len(), "finding"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_finding_names_its_rule_and_its_way_out() {
        let mut out = vec![];
        let findings = [
            Finding::new(Class::Guard, "G4", "cannot rollback_add step `v1/email`: it is simdropped")
                .way_out("roll back simdrop first: triphase rollback_simdrop v1/email"),
            Finding::new(Class::Pending, "", "v2/customers: add is pending"),
        ];
        all(&mut out, &findings, Paint::PLAIN).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "error[G4]: cannot rollback_add step `v1/email`: it is simdropped\n  = help: roll back simdrop first: \
             triphase rollback_simdrop v1/email\npending: v2/customers: add is pending\n"
        );
        assert_eq!(summary(&findings), "2 findings: 1 guard, 1 pending");
    }
}
