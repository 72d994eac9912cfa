//! `prober slo import openslo FILE`: an SLO file from one of OpenSLO; what it cannot hold stays as a comment.

use std::fmt::Write as _;

use scenario::diagnostic::Report;
use scenario::source::Source;
use scenario::tree::{FILE_BYTES_MAX, Node, parse};

use super::super::args::SloImport;
use super::super::out::Out;
use crate::exit::{Exit, Stop};

/// Prints an SLO file for each `SLO` in the file; several are told apart by a line of dashes.
pub(super) fn import(args: &SloImport, out: &Out) -> Result<Exit, Stop> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Stop::file(format!("{shown} could not be read: {error}")))?;
    if text.len() > FILE_BYTES_MAX {
        return Err(Stop::file(format!("{shown} is longer than {} KiB", FILE_BYTES_MAX >> 10)));
    }
    let imported = read(&shown.to_string(), &text)?;
    if imported.slos == 0 {
        return Err(Stop::file(format!("{shown} has no document of apiVersion openslo/v1 and kind SLO")));
    }
    out.raw(imported.files.join("---\n").as_bytes());
    let (slos, left_out) = (imported.slos, imported.left_out);
    if slos > 1 {
        out.note("each part between lines of dashes belongs into a file of its own");
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    out.note(&format!(
        "{slos} SLO{} imported, {left_out} thing{} not imported; look at the comments, and at which scenarios are meant",
        plural(slos),
        plural(left_out)
    ));
    Ok(Exit::Good)
}

/// What came of a file.
#[derive(Debug, Default)]
struct Imported {
    files: Vec<String>,
    /// Files that hold an SLO; before the first there may be one of notes alone.
    slos: usize,
    left_out: usize,
}

/// The documents of the file, one after the other: a document ends with a line of three dashes.
fn read(path: &str, text: &str) -> Result<Imported, Stop> {
    let mut imported = Imported::default();
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    for document in documents.iter().filter(|document| has_content(document)) {
        let mut report = Report::default();
        let root = parse(0, document, &mut report);
        let Some(root) = root.filter(|_| !report.has_errors()) else {
            let source = Source { path: path.to_owned(), text: document.clone() };
            let style = scenario::render::Style::PLAIN;
            return Err(Stop::file(scenario::render::human(&report.finish(), &[source], &style)));
        };
        imported.document(&root);
    }
    Ok(imported)
}

fn has_content(document: &str) -> bool {
    document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

fn text<'n>(node: &'n Node, path: &[&str]) -> Option<&'n str> {
    at(node, path)?.scalar().map(|scalar| &*scalar.text)
}

impl Imported {
    fn document(&mut self, root: &Node) {
        let kind = text(root, &["kind"]).unwrap_or_default();
        let is_openslo = text(root, &["apiVersion"]).is_some_and(|version| version.starts_with("openslo/v1"));
        if is_openslo && kind == "SLO" {
            self.slo(root);
        } else {
            // It stands behind whatever comes before it, or alone.
            self.left_out += 1;
            let name = text(root, &["metadata", "name"]).unwrap_or("without a name");
            let note = format!("# not imported: the {} {}\n", plain(kind, "document"), plain(name, ""));
            match self.files.last_mut() {
                Some(last) => last.push_str(&note),
                None => self.files.push(note),
            }
        }
    }

    fn slo(&mut self, root: &Node) {
        let mut file = File::default();
        let name = text(root, &["metadata", "name"]).unwrap_or_default();
        file.key("slo", &quoted(&public(name)));
        if public(name) != name {
            file.lost(&format!("metadata.name {name}: it is no name here"));
        }
        if let Some(aim) = text(root, &["spec", "description"]).filter(|aim| !aim.trim().is_empty()) {
            file.key("aim", &quoted(aim));
        }
        match text(root, &["spec", "service"]) {
            Some(service) => {
                file.key("labels", &format!("{{ service: {} }}", quoted(service)));
                file.note(
                    "the scenarios whose runs count have this label; or name them: scenarios: [NAME, …]",
                );
            }
            None => file.lost("spec.service: say which scenarios are meant with `scenarios` or `labels`"),
        }
        objectives(root, &mut file);
        time_window(root, &mut file);
        rest(root, &mut file);
        self.left_out += file.left_out;
        self.slos += 1;
        match self.files.last_mut().filter(|last| last.starts_with("# not imported")) {
            Some(notes) => *notes += &file.text,
            None => self.files.push(file.text),
        }
    }
}

/// An SLO file in the making.
#[derive(Debug, Default)]
struct File {
    text: String,
    left_out: usize,
}

impl File {
    fn key(&mut self, name: &str, value: &str) {
        writeln!(self.text, "{name}: {value}").expect("a String takes every text");
    }

    fn note(&mut self, note: &str) {
        writeln!(self.text, "# {note}").expect("a String takes every text");
    }

    fn lost(&mut self, what: &str) {
        self.left_out += 1;
        self.note(&format!("not imported: {}", plain(what, "")));
    }
}

fn objectives(root: &Node, file: &mut File) {
    let all = at(root, &["spec", "objectives"]).and_then(Node::list).unwrap_or_default();
    let Some(first) = all.first() else {
        file.lost("spec.objectives: there is none");
        return;
    };
    let share = text(first, &["target"]).and_then(|text| text.parse::<f64>().ok());
    let percent = text(first, &["targetPercent"]).and_then(|text| text.parse::<f64>().ok());
    match share.map(|share| share * 100.0).or(percent).filter(|percent| (0.0..100.0).contains(percent)) {
        Some(percent) => {
            let digits = format!("{percent:.4}");
            file.key("objective", &format!("{}%", digits.trim_end_matches('0').trim_end_matches('.')));
        }
        None => file.lost("spec.objectives[0].target: it is no share below 1"),
    }
    for key in ["op", "value", "timeSliceTarget", "timeSliceWindow", "compositeWeight"] {
        if first.get(key).is_some() {
            file.lost(&format!("spec.objectives[0].{key}: what counts as good stands in the scenarios"));
        }
    }
    if all.len() > 1 {
        file.lost(&format!("{} further objectives: an SLO has one", all.len() - 1));
    }
}

fn time_window(root: &Node, file: &mut File) {
    let windows = at(root, &["spec", "timeWindow"]).and_then(Node::list).unwrap_or_default();
    let Some(window) = windows.first() else { return };
    let duration = text(window, &["duration"]).unwrap_or_default();
    let calendar = window.get("calendar");
    let is_rolling = text(window, &["isRolling"]).map_or(calendar.is_none(), |rolling| rolling == "true");
    let digits = duration.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let count: Option<u64> = digits.parse().ok();
    let written = match (is_rolling, &duration[digits.len()..], count) {
        (true, "m" | "h" | "d", Some(_)) => Some(duration.to_owned()),
        (true, "w", Some(weeks)) => weeks.checked_mul(7).map(|days| format!("{days}d")),
        (true, "M", Some(1)) => Some("30d".to_owned()),
        (true, "Q", Some(1)) => Some("90d".to_owned()),
        (false, "w", Some(1)) => Some("week".to_owned()),
        (false, "M", Some(1)) => Some("month".to_owned()),
        (false, "Q", Some(1)) => Some("quarter".to_owned()),
        _ => None,
    };
    match written {
        Some(written) => file.key("window", &written),
        None => {
            file.lost(&format!("spec.timeWindow: {duration}; a window is 30d, or week, month or quarter"));
        }
    }
    if let Some(zone) = calendar.and_then(|calendar| text(calendar, &["timeZone"])).filter(|_| !is_rolling) {
        file.key("timezone", &quoted(zone));
    }
}

/// What has no place here.
fn rest(root: &Node, file: &mut File) {
    const KNOWN: [&str; 6] =
        ["description", "service", "objectives", "timeWindow", "budgetingMethod", "indicator"];
    let spec = root.get("spec").and_then(Node::map).unwrap_or_default();
    for (key, node) in spec {
        let value = node.scalar().map(|scalar| &*scalar.text);
        match key.value.as_str() {
            "indicator" | "indicatorRef" => {
                file.lost(&format!("spec.{}: the runs of the scenarios are counted", key.value));
            }
            "budgetingMethod" if value != Some("Occurrences") => {
                file.lost(&format!("spec.budgetingMethod: {}; runs are counted", value.unwrap_or_default()));
            }
            "alertPolicies" => {
                file.lost("spec.alertPolicies: the policy is prober's own; add alerts: { page: ROUTE, ticket: ROUTE }");
            }
            known if KNOWN.contains(&known) => {}
            other => file.lost(&format!("spec.{other}")),
        }
    }
    let metadata = root.get("metadata").and_then(Node::map).unwrap_or_default();
    for (key, _) in metadata.iter().filter(|(key, _)| key.value != "name") {
        file.lost(&format!("metadata.{}", key.value));
    }
}

/// The name with every other letter as `-`.
fn public(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.') { letter } else { '-' }
    };
    let name: String = name.chars().map(plain).take(64).collect();
    let name = name.trim_start_matches(['-', '_', '.']);
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}

/// A text on one line of a comment; `other` for an empty one.
fn plain(text: &str, other: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.is_empty() { other.to_owned() } else { line.chars().take(200).collect() }
}

/// A text in double quotes; `${` stands for itself.
fn quoted(text: &str) -> String {
    let text = text.trim().replace("${", "$${");
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_taken_and_the_rest_is_told() {
        let text = "\
apiVersion: openslo/v1
kind: Service
metadata: { name: shop }
---
apiVersion: openslo/v1
kind: SLO
metadata: { name: checkout latency, displayName: Checkout }
spec:
  description: Orders are quick.
  service: shop
  indicator: { metadata: { name: x }, spec: {} }
  timeWindow: [{ duration: 1M, isRolling: false, calendar: { startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin } }]
  budgetingMethod: Timeslices
  objectives:
    - { target: 0.995, timeSliceTarget: 0.9 }
    - { target: 0.9 }
  alertPolicies: [a]
";
        let imported = read("slo.yaml", text).unwrap();
        let [file] = imported.files.as_slice() else { panic!("{imported:?}") };
        for part in [
            "# not imported: the Service shop\n",
            "slo: \"checkout-latency\"\n",
            "aim: \"Orders are quick.\"\n",
            "labels: { service: \"shop\" }\n",
            "objective: 99.5%\n",
            "window: month\ntimezone: \"Europe/Berlin\"\n",
            "# not imported: spec.budgetingMethod: Timeslices",
            "# not imported: 1 further objectives",
            "# not imported: spec.alertPolicies",
        ] {
            assert!(file.contains(part), "{part:?} is not in\n{file}");
        }
        assert_eq!(imported.left_out, file.matches("# not imported").count());
        assert!(read("slo.yaml", "a: [").is_err());
        assert!(read("slo.yaml", "# nothing\n---\n").unwrap().files.is_empty());
        assert_eq!((imported.slos, read("slo.yaml", "kind: Pod\n").unwrap().slos), (1, 0));
    }

    #[test]
    fn windows_are_written_as_they_are_here() {
        for (window, written) in [
            ("{ duration: 28d, isRolling: true }", "window: 28d"),
            ("{ duration: 4w, isRolling: true }", "window: 28d"),
            ("{ duration: 1Q, isRolling: false }", "window: quarter"),
            ("{ duration: 1Y, isRolling: false }", "# not imported: spec.timeWindow"),
        ] {
            let text = format!(
                "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: a }}\nspec: {{ service: s, timeWindow: [{window}], objectives: [{{ target: 0.99 }}] }}\n"
            );
            let file = &read("a", &text).unwrap().files[0];
            assert!(file.contains(written) && file.contains("objective: 99%"), "{window}: {file}");
        }
    }
}
