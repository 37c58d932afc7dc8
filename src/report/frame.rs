//! A finding with the lines of its file that it is about.

use super::Paint;
use crate::model::{Finding, Place};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// Renders a finding at its place, with `file:line:column`, the code and the path inside the file. Ends with a line feed.
pub fn render(finding: &Finding, place: &Place, paint: Paint) -> String {
    let mut title = Level::ERROR.primary_title(finding.message.as_str());
    if !finding.rule.is_empty() {
        title = title.id(finding.rule);
    }
    let mut primary = AnnotationKind::Primary.span(clamp(place));
    if !place.path.is_empty() {
        primary = primary.label(place.path.as_str());
    }
    let mut group = title.element(Snippet::source(&*place.source).path(&*place.file).annotation(primary));
    if !finding.way_out.is_empty() {
        group = group.element(Level::HELP.message(finding.way_out.as_str()));
    }
    let renderer = if paint.on() { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

/// The place's range inside its text, on character boundaries, and no longer than its first line: a frame shows where to look, not all of it.
fn clamp(place: &Place) -> Range<usize> {
    let source = &*place.source;
    let inside = |at: usize| (0..=at.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0);
    let start = inside(place.span.start);
    let end = inside(place.span.end).max(start);
    let line = source[start..end].find('\n').map_or(end, |at| start + at);
    start..line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Class;

    fn finding(source: &str, span: Range<usize>) -> (Finding, Place) {
        let place = Place { file: "releases/v1.yaml".into(), source: source.into(), span, path: "steps.a.ad".into() };
        (Finding::new(Class::Usage, "F8", "unknown key `ad`").way_out("did you mean `add`?"), place)
    }

    #[test]
    fn a_frame_shows_place_code_path_and_way_out() {
        let (finding, place) = finding("steps:\n  a:\n    ad: x\n", 16..18);
        let text = render(&finding, &place, Paint::PLAIN);
        assert_eq!(
            text,
            "error[F8]: unknown key `ad`\n --> releases/v1.yaml:3:5\n  |\n3 |     ad: x\n  |     ^^ steps.a.ad\n  |\n  \
             = help: did you mean `add`?\n"
        );
    }

    #[test]
    fn no_range_is_too_odd_to_show() {
        for span in [0..0, 0..999, 500..900, 3..4, 8..8, 2..8] {
            let (finding, place) = finding("é\naü\nx", span);
            assert!(render(&finding, &place, Paint::PLAIN).contains("unknown key"));
        }
        let (finding, place) = finding("", 0..0);
        assert!(render(&finding, &place, Paint::PLAIN).contains("unknown key"));
    }
}
