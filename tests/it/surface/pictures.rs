//! docs/pictures/: each `.svg` is drawn from the `.txt` beside it. `UPDATE_GOLDEN=1` draws again.
//!
//! `chart`: columns in time, marks between them, the way back below each mark, rows of cells. `graph`: nodes on a grid, edges with labels.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

#[test]
fn pictures_are_drawn_from_their_texts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let mut drawn = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            assert!(path.with_extension("txt").is_file(), "{} has no text", path.display());
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let svg = match text.split_once(' ').unwrap().0 {
            "chart" => chart(&text),
            "graph" => graph(&text),
            other => panic!("{}: `{other}` is no kind of picture", path.display()),
        };
        let file = path.with_extension("svg");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &svg).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == svg, "{}: UPDATE_GOLDEN=1 draws it again", file.display());
        drawn += 1;
    }
    assert!(drawn >= 2);
}

/// An SVG being drawn.
struct Svg(String);

impl Svg {
    fn new(title: &str, width: i32, height: i32) -> Self {
        let mut svg = Self(String::new());
        svg.line(&format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="14">"#
        ));
        svg.line(&format!("<title>{}</title>", escaped(title)));
        svg.line(r##"<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0 0 9 4 0 8z" fill="#444"/></marker></defs>"##);
        svg.rect((0, 0), (width, height), "#ffffff", 8);
        svg
    }

    fn line(&mut self, text: &str) {
        writeln!(self.0, "{text}").unwrap();
    }

    fn rect(&mut self, (x, y): (i32, i32), (width, height): (i32, i32), fill: &str, round: i32) {
        self.line(&format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}" fill="{fill}"/>"#));
    }

    fn text(&mut self, (x, y): (i32, i32), anchor: &str, weight: &str, text: &str) {
        self.line(&format!(
            r##"<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="#222">{}</text>"##,
            escaped(text)
        ));
    }

    fn arrow(&mut self, (ax, ay): (i32, i32), (bx, by): (i32, i32)) {
        self.line(&format!(
            r##"<path d="M{ax} {ay} L{bx} {by}" stroke="#444" stroke-width="1.5" fill="none" marker-end="url(#tip)"/>"##
        ));
    }

    fn end(mut self) -> String {
        self.line("</svg>");
        self.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a cell says, by the colour of it.
fn colour(cell: &str) -> &'static str {
    match cell.split([' ', ',']).next().unwrap() {
        "works" | "there" => "#cdeccd",
        "fails" => "#f6cfcf",
        "hidden" => "#fbe9b7",
        _ => "#eeeeee",
    }
}

fn chart(text: &str) -> String {
    let mut lines = text.lines();
    let title = lines.next().unwrap().strip_prefix("chart ").unwrap();
    let (mut columns, mut marks, mut back, mut rows) = (vec![], vec![], vec![], vec![]);
    for line in lines {
        let (key, cells) = line.split_once(": ").unwrap();
        let cells: Vec<&str> = cells.split(" | ").collect();
        match key {
            "columns" => columns = cells,
            "marks" => marks = cells,
            "back" => back = cells,
            row => rows.push((row.strip_prefix("row ").unwrap(), cells)),
        }
    }
    let (left, wide, high, gap) = (160, 180, 34, 8);
    let count = |n: usize| i32::try_from(n).unwrap();
    let (top, width) = (90, left + count(columns.len()) * wide + 20);
    let bottom = top + count(rows.len()) * (high + gap);
    let mut svg = Svg::new(title, width, bottom + 60);
    for (n, column) in columns.iter().enumerate() {
        svg.text((left + count(n) * wide + wide / 2, top - 14), "middle", "bold", column);
    }
    for (r, (name, cells)) in rows.iter().enumerate() {
        let y = top + count(r) * (high + gap);
        svg.text((left - 12, y + 22), "end", "normal", name);
        assert_eq!(cells.len(), columns.len(), "{name}");
        for (n, cell) in cells.iter().enumerate() {
            let x = left + count(n) * wide;
            svg.rect((x + 3, y), (wide - 6, high), colour(cell), 4);
            svg.text((x + wide / 2, y + 22), "middle", "normal", cell);
        }
    }
    for (n, (mark, back)) in marks.iter().zip(&back).enumerate() {
        let x = left + count(n + 1) * wide;
        svg.text((x, 30), "middle", "bold", mark);
        svg.arrow((x, 40), (x, top - 6));
        svg.line(&format!(
            r##"<path d="M{x} {top} V{bottom}" stroke="#444" stroke-width="1.5" stroke-dasharray="4 3"/>"##
        ));
        let y = bottom + 20;
        if !back.starts_with("no ") {
            svg.arrow((x, y), (x - wide / 2, y));
        }
        svg.text((x, y + 24), "middle", "normal", back);
    }
    svg.end()
}

fn graph(text: &str) -> String {
    let mut lines = text.lines();
    let title = lines.next().unwrap().strip_prefix("graph ").unwrap();
    let mut nodes: BTreeMap<&str, (i32, i32)> = BTreeMap::new();
    let mut edges = vec![];
    for line in lines {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["node", name, x, y] => {
                nodes.insert(name, (x.parse().unwrap(), y.parse().unwrap()));
            }
            ["edge", from, to, label] => edges.push((from, to, label)),
            _ => panic!("{line}"),
        }
    }
    let (wide, high) = (300, 110);
    let (box_wide, box_high) = (130, 36);
    let centre = |name: &str| {
        let (x, y) = nodes[name];
        (x * wide + 80, y * high + 40)
    };
    let most = |f: fn(&(i32, i32)) -> i32| nodes.values().map(f).max().unwrap();
    let mut svg = Svg::new(title, most(|n| n.0) * wide + 160, most(|n| n.1) * high + 80);
    for (from, to, label) in &edges {
        let ((ax, ay), (bx, by)) = (centre(from), centre(to));
        // Two ways between the same nodes run side by side.
        let both = edges.iter().any(|(f, t, _)| f == to && t == from);
        let (sx, sy) = ((bx - ax).signum(), (by - ay).signum());
        let (ox, oy) = if both { (-sy * 12, sx * 9) } else { (0, 0) };
        let start = (ax + sx * box_wide / 2 * i32::from(sy == 0) + ox, ay + sy * box_high / 2 + oy);
        let end = (bx - sx * (box_wide / 2 + 1) * i32::from(sy == 0) + ox, by - sy * (box_high / 2 + 1) + oy);
        svg.arrow(start, end);
        let middle = ((start.0 + end.0) / 2, (start.1 + end.1) / 2);
        let (at, anchor) = match (sy == 0, both) {
            (true, false) => ((middle.0, middle.1 - 6), "middle"),
            (true, true) => ((middle.0, middle.1 + if sx > 0 { 16 } else { -6 }), "middle"),
            (false, _) if ox < 0 => ((middle.0 - 6, middle.1 + 5), "end"),
            (false, _) => ((middle.0 + 6, middle.1 + 5), "start"),
        };
        svg.text(at, anchor, "normal", label);
    }
    for name in nodes.keys() {
        let (x, y) = centre(name);
        svg.rect((x - box_wide / 2, y - box_high / 2), (box_wide, box_high), "#dce8f8", 6);
        svg.text((x, y + 5), "middle", "bold", name);
    }
    svg.end()
}
