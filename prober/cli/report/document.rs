//! A report as tables, and the tables as Markdown, HTML and JSON: pure functions to text.
//!
//! Texts come from scenario files and targets: nothing of them becomes markup.

use std::fmt::Write as _;

use dashboard::{Review, ReviewSection};
use serde_json::{Map, Value};

/// A report.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) title: String,
    /// What it is about, in a sentence.
    pub(super) about: String,
    pub(super) sections: Vec<Section>,
}

/// One part of it.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The key in JSON.
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    /// A sentence below the title; empty for none.
    pub(super) note: String,
    /// The keys in JSON and the titles of the columns.
    pub(super) columns: &'static [(&'static str, &'static str)],
    /// Each with a cell for each column.
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is said where there is no row.
    pub(super) empty: &'static str,
}

/// One cell: its value for machines, and what people see.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) value: Value,
    pub(super) shown: String,
}

impl Cell {
    /// A text, the same for both.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let shown: String = text.into();
        Self { value: shown.clone().into(), shown }
    }

    /// A value that people see otherwise.
    pub(super) fn shown(value: impl Into<Value>, shown: impl Into<String>) -> Self {
        Self { value: value.into(), shown: shown.into() }
    }

    /// Nothing.
    pub(super) fn none() -> Self {
        Self { value: Value::Null, shown: "–".to_owned() }
    }
}

impl Document {
    /// Puts sections behind the one with this key.
    pub(super) fn insert_after(&mut self, key: &str, sections: impl IntoIterator<Item = Section>) {
        let place = self.sections.iter().position(|section| section.key == key);
        let at = place.map_or(self.sections.len(), |place| place + 1);
        self.sections.splice(at..at, sections);
    }

    pub(super) fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", markdown(&self.title), markdown(&self.about));
        for section in &self.sections {
            add(&mut out, format_args!("\n## {}\n\n", section.title));
            if !section.note.is_empty() {
                add(&mut out, format_args!("{}\n\n", markdown(&section.note)));
            }
            if section.rows.is_empty() {
                add(&mut out, format_args!("{}\n", section.empty));
                continue;
            }
            let titles: Vec<_> = section.columns.iter().map(|(_, title)| *title).collect();
            add(&mut out, format_args!("| {} |\n|{}\n", titles.join(" | "), " --- |".repeat(titles.len())));
            for row in &section.rows {
                let cells: Vec<_> = row.iter().map(|cell| markdown(&cell.shown)).collect();
                add(&mut out, format_args!("| {} |\n", cells.join(" | ")));
            }
        }
        out
    }

    /// The same as tables for the page.
    pub(super) fn review(&self) -> Review {
        let section = |section: &Section| ReviewSection {
            key: section.key.to_owned(),
            title: section.title.to_owned(),
            note: section.note.clone(),
            columns: section
                .columns
                .iter()
                .map(|(key, title)| ((*key).to_owned(), (*title).to_owned()))
                .collect(),
            rows: section
                .rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.shown.clone()).collect())
                .collect(),
            empty: section.empty.to_owned(),
        };
        Review {
            title: self.title.clone(),
            about: self.about.clone(),
            sections: self.sections.iter().map(section).collect(),
            markdown: self.markdown(),
        }
    }

    pub(super) fn html(&self) -> String {
        let mut out = String::from(HEAD);
        let (title, about) = (html(&self.title), html(&self.about));
        add(
            &mut out,
            format_args!("<title>{title}</title></head><body>\n<h1>{title}</h1>\n<p>{about}</p>\n"),
        );
        for section in &self.sections {
            add(&mut out, format_args!("<h2 id=\"{}\">{}</h2>\n", section.key, html(section.title)));
            if !section.note.is_empty() {
                add(&mut out, format_args!("<p>{}</p>\n", html(&section.note)));
            }
            if section.rows.is_empty() {
                add(&mut out, format_args!("<p>{}</p>\n", html(section.empty)));
                continue;
            }
            let titles = section.columns.iter().map(|(_, title)| format!("<th>{}</th>", html(title)));
            add(&mut out, format_args!("<table>\n<tr>{}</tr>\n", titles.collect::<String>()));
            for row in &section.rows {
                let cells = row.iter().map(|cell| {
                    let class = if cell.value.is_number() { " class=n" } else { "" };
                    format!("<td{class}>{}</td>", html(&cell.shown))
                });
                add(&mut out, format_args!("<tr>{}</tr>\n", cells.collect::<String>()));
            }
            out.push_str("</table>\n");
        }
        out.push_str("</body></html>\n");
        out
    }

    pub(super) fn json(&self) -> String {
        let mut whole = Map::new();
        whole.insert("title".to_owned(), self.title.clone().into());
        for section in &self.sections {
            let row = |row: &Vec<Cell>| -> Value {
                let cells = section.columns.iter().zip(row);
                Value::Object(cells.map(|((key, _), cell)| ((*key).to_owned(), cell.value.clone())).collect())
            };
            whole.insert(section.key.to_owned(), section.rows.iter().map(row).collect());
        }
        let mut text = serde_json::to_string_pretty(&Value::Object(whole)).expect("a JSON value has a text");
        text.push('\n');
        text
    }
}

const HEAD: &str = "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport \
content=\"width=device-width\">\n<style>body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem \
auto;padding:0 1rem;color:#1c2330}h2{margin-top:2rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
padding:.25rem .6rem;border-bottom:1px solid #d9dde3;vertical-align:top}td.n{text-align:right;font-variant-numeric:\
tabular-nums}</style>\n";

fn add(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes every text");
}

/// A text of one line in which nothing is markup.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => {
                out.push('\\');
                out.push(letter);
            }
            control if control.is_control() => out.push(' '),
            plain => out.push(plain),
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            control if control.is_control() => out.push(' '),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_target_says_becomes_markup() {
        let hostile = "<script>|\n# x `y` [a](b)";
        let section = Section {
            key: "one",
            title: "One",
            columns: &[("what", "What"), ("count", "Count")],
            rows: vec![vec![Cell::text(hostile), Cell::shown(3, "3")]],
            ..Section::default()
        };
        let empty = Section { key: "two", title: "Two", empty: "Nothing.", ..Section::default() };
        let document =
            Document { title: "T".to_owned(), about: hostile.to_owned(), sections: vec![section, empty] };
        let text = document.markdown();
        assert!(text.contains("| \\<script\\>\\| \\# x \\`y\\` \\[a\\](b) | 3 |"), "{text}");
        assert!(text.contains("## Two\n\nNothing.\n"), "{text}");
        let page = document.html();
        assert!(!page.contains("<script>") && page.contains("<td class=n>3</td>"), "{page}");
        let json: Value = serde_json::from_str(&document.json()).unwrap();
        assert_eq!(json["one"][0]["count"], 3);
        assert_eq!(json["one"][0]["what"], hostile);
        assert_eq!(json["two"], Value::Array(Vec::new()));
    }
}
