//! Wrong files, through `prober validate`: the shipped ones with their full texts, and what needs a folder of its own.
//!
//! Every mistake in `scenarios/broken` is marked in its line with the text that the caret must be under, and the
//! full message of each file stands beside it. After a change of wording, read the new text, then write it with
//! `cargo run -- validate scenarios/broken/NAME.yaml 2> scenarios/broken/NAME.txt`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Project, Ran, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The broken scenario files alone.
fn broken_scenarios() -> Vec<String> {
    let shown = broken().into_iter().map(|(shown, ..)| shown);
    shown.filter(|shown| Path::new(shown).extension().is_some()).collect()
}

fn validate(args: &[&str]) -> Ran {
    Project::new("").prober_in(root(), &[&["validate"], args].concat())
}

/// The broken files: what to validate, the file itself, and its full message.
fn broken() -> Vec<(String, PathBuf, PathBuf)> {
    let folder = root().join("scenarios/broken");
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let shown = format!("scenarios/broken/{}", path.file_name().unwrap().to_string_lossy());
            (shown, path.clone(), path.with_extension("txt"))
        })
        .collect();
    let project = folder.join("project");
    found.push((
        "scenarios/broken/project".to_owned(),
        project.join("prober.yaml"),
        project.join("prober.txt"),
    ));
    found.sort();
    found
}

/// The marks of a file: line and text.
fn marks(file: &str) -> Vec<(u64, &str)> {
    let numbered = (1..).zip(file.lines());
    numbered.filter_map(|(line, text)| Some((line, text.split_once("   # wrong: ")?.1))).collect()
}

#[test]
fn every_mistake_is_found_at_its_word() {
    for (shown, path, _) in broken() {
        let ran = validate(&["--format", "json", &shown]);
        assert_eq!(ran.code, Some(2), "{shown}: {ran:?}");
        let file = fs::read_to_string(&path).unwrap();
        let mistakes: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        let found: Vec<(u64, &str)> = mistakes
            .iter()
            .map(|mistake| {
                let offset = |end: &str| usize::try_from(mistake["at"][end].as_u64().unwrap()).unwrap();
                (mistake["at"]["line"].as_u64().unwrap(), &file[offset("start")..offset("end")])
            })
            .collect();
        assert_eq!(found, marks(&file), "{shown}");
        assert!(found.len() >= 8 || shown.ends_with("yaml.yaml"), "eight mistakes a kind of file: {shown}");
        for mistake in &mistakes {
            let message = text(mistake, "message");
            for word in ["Option", "struct", "enum", "serde", "u16", "u64", "usize", "String", "Vec<"] {
                assert!(!message.contains(word), "{message} speaks Rust");
            }
        }
    }
}

#[test]
fn every_full_text_is_as_it_was_read() {
    for (shown, _, expected) in broken() {
        let ran = validate(&[&shown]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{shown}");
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(ran.err == wanted, "\n{shown} says now:\n{}\ninstead of:\n{wanted}", ran.err);
    }
}

#[test]
fn all_mistakes_of_all_files_come_in_one_run() {
    let paths = broken_scenarios();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let all = validate(&[&["--format", "json"], &paths[..]].concat());
    let alone =
        |path: &str| serde_json::from_str::<Vec<Value>>(&validate(&["--format", "json", path]).out).unwrap();
    let one_by_one: Vec<Value> = paths.iter().flat_map(|path| alone(path)).collect();
    let places = |list: &[Value]| -> Vec<String> {
        list.iter()
            .map(|one| format!("{} {}:{}", one["code"], one["at"]["file"], one["at"]["line"]))
            .collect()
    };
    let all: Vec<Value> = serde_json::from_str(&all.out).unwrap();
    assert_eq!(places(&all), places(&one_by_one));
    assert!(all.len() > 60, "{}", all.len());
}

#[test]
fn none_of_them_waits_for_a_run() {
    // Neither a run nor a server starts with a wrong file, and both say the same as `validate`.
    for shown in &broken_scenarios() {
        let (run, said) = (Project::new("").prober_in(root(), &["run", shown]), validate(&[shown]));
        assert_eq!(run.code, Some(2), "{shown}: {run:?}");
        let first = said.err.lines().next().unwrap();
        assert!(run.err.contains(first), "{shown}: {}", run.err);
    }
    let project = Project::with("", &[("a", "http: ${vars.nobody}/".to_owned())]);
    let ran = project.refused(&[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("scenarios/a.yaml:4:9"), "{}", ran.err);
    assert!(!project.path("prober-data").exists(), "nothing is made");
}

/// One wrong project in a folder of its own: its exit code is 2 and its text has all of `words`.
fn check(files: &[(&str, &str)], args: &[&str], words: &[&str]) {
    let project = Project::new("");
    for (path, text) in files {
        project.write(path, text);
    }
    let ran = project.prober(&[&["validate"], args].concat());
    assert_eq!(ran.code, Some(2), "{files:?} {ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in: {}", ran.err);
    }
}

const GOOD: &str = "name: a\naim: It works.\nevery: 1m\nhttp: https://shop.example/\n";

#[test]
fn mistakes_that_need_more_than_one_file() {
    let again = format!("# Another file.\n{GOOD}");
    check(
        &[("scenarios/a.yaml", GOOD), ("scenarios/b.yaml", &again)],
        &[],
        &["E108", "a.yaml:1:7", "b.yaml:2:7"],
    );
    let regions = "version: 1\nregions: { eu: { vars: { shop: https://eu.example } }, us: {} }\n";
    let one = "name: a\naim: It works.\nevery: 1m\nhttp: ${vars.shop}/\n";
    check(&[("prober.yaml", regions), ("scenarios/a.yaml", one)], &[], &["E208", "us"]);
    // A mistake in the project file hides none in the scenario files, and the other way round.
    let wrong = "name: b\naim: x\nevery: 1m\nhttps: x\n";
    check(
        &[("prober.yaml", "version: 1\nscenario: [x]\n"), ("scenarios/b.yaml", wrong)],
        &[],
        &["`scenario`", "`https`"],
    );
}

#[test]
fn places_where_no_scenario_is() {
    check(&[("prober.yaml", "version: 1\nscenarios: [\"nowhere/*.yaml\"]\n")], &[], &["nowhere/*.yaml"]);
    check(&[("prober.yaml", "version: 1\nscenarios: [\"a***b\"]\n")], &[], &["a***b"]);
    // The mistake that is the reason is told instead of what follows from it.
    check(&[("prober.yaml", "version: 1\nscenarois: [\"*.yaml\"]\n")], &[], &["`scenarois`", "`scenarios`"]);
    check(&[], &["missing.yaml"], &["missing.yaml", "does not exist"]);
    check(&[("scenarios/a.yaml", "")], &[], &["a.yaml:1:1"]);
    let empty = tempfile::tempdir().unwrap();
    let ran = Project::new("").prober_in(empty.path(), &["validate"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("prober init"), "it says what to do: {}", ran.err);
}

#[test]
fn files_that_are_hostile() {
    let project = Project::with("", &[("a", "http: https://shop.example/".to_owned())]);
    let validated = |bytes: &[u8]| {
        fs::write(project.path("scenarios/b.yaml"), bytes).unwrap();
        let ran = project.prober(&["validate"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("b.yaml"), "{}", ran.err);
        assert!(ran.err.len() < 200_000, "{} bytes of text", ran.err.len());
    };
    validated(b"name: \xff\xfe\n");
    validated(&[0; 4_096]);
    validated(&b"[".repeat(100_000));
    validated(&b"a: &a [x, x]\n".repeat(10_000));
    validated(&b"x".repeat(2 << 20));
    // Each alias doubles the one before: 2^60 values.
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..60 {
        writeln!(bomb, "a{level}: &a{level} [*a{0}, *a{0}]", level - 1).unwrap();
    }
    validated(bomb.as_bytes());
    validated(b"name: \x1b[31mred\nevery: 1m\nhttp: https://x.example\n");
    let ran = project.prober(&["validate"]);
    assert!(!ran.err.contains('\u{1b}'), "a file's escape reaches the terminal: {ran:?}");
}

#[test]
fn mistakes_on_the_command_line() {
    let project = Project::with("", &[("shop-home", "http: https://shop.example/".to_owned())]);
    let check = |args: &[&str], word: &str| {
        let ran = project.prober(args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.err.contains(word), "{word} is not in: {}", ran.err);
    };
    check(&["run", "shop-hom"], "did you mean `shop-home`?");
    check(&["run", "--label", "tier=1"], "label");
    check(&["validate", "--var", "shop"], "--var NAME=VALUE");
    check(&["validat"], "validate");
    check(&["explain", "E999"], "E999");
    check(&["-C", "nowhere", "validate"], "nowhere");
    let ran = project.prober(&["explain", "E102"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("unknown key"), "{ran:?}");
}

#[test]
fn programs_read_mistakes_of_a_run_too() {
    let project = Project::with("", &[("a", "htpp: https://shop.example/".to_owned())]);
    for format in ["json", "sarif", "junit", "tap"] {
        let report = project.path("report.txt");
        let to = format!("{format}={}", report.display());
        let ran = project.prober(&["run", "--format", format, "--report", &to]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.out.contains("E102") && ran.err.contains("E102"), "{format}: {ran:?}");
        assert_eq!(fs::read_to_string(report).unwrap(), ran.out, "{format}");
    }
    assert_eq!(project.prober(&["run"]).out, "", "people read them as the error");
}

#[test]
fn a_folder_belongs_to_one_exporter() {
    let project = |second: &str| {
        format!(
            "version: 1\nexporters:\n  - ndjson: {{ directory: out }}\n  - ndjson: {{ directory: {second} }}\n"
        )
    };
    for second in ["out", "./out/"] {
        let files = [("prober.yaml", &*project(second)), ("scenarios/a.yaml", GOOD)];
        check(&files, &[], &["E141", "prober.yaml:4:26", "the exporter `ndjson` writes into this folder"]);
    }
    let apart = Project::new("");
    apart.write("prober.yaml", &project("out/more"));
    apart.write("scenarios/a.yaml", GOOD);
    assert_eq!(apart.prober(&["validate"]).code, Some(0));
}

#[test]
fn labels_that_nothing_has() {
    let scenario = "labels: { tier: gold, team: shop }\nhttp: https://shop.example/".to_owned();
    let project = Project::with("", &[("shop-home", scenario)]);
    for (label, told) in [
        ("teir=gold", "no scenario has a label `teir`; did you mean `tier`?"),
        ("tier=glod", "no scenario has the label `tier=glod`; did you mean `gold`?"),
        ("tier=1", "no scenario has the label `tier=1`; there are gold"),
    ] {
        for command in ["list", "run"] {
            let ran = project.prober(&[command, "--label", label]);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.err.contains(told), "{label}: {}", ran.err);
        }
    }
    assert!(project.prober(&["list", "--label", "tier=gold"]).out.contains("shop-home"));
}

#[test]
fn before_anything_was_recorded() {
    let project = Project::with("", &[("shop-home", "http: https://shop.example/".to_owned())]);
    let events = project.prober(&["events"]);
    assert_eq!(events.code, Some(3), "{events:?}");
    assert!(events.err.starts_with("there are no events yet: no data directory "), "{}", events.err);
    let explained = project.prober(&["explain", "shop-home"]);
    assert_eq!(explained.code, Some(2), "{explained:?}");
    let told = "the scenario `shop-home` (scenarios/shop-home.yaml:1) has no events yet; `prober run shop-home` runs it now";
    assert!(explained.err.contains(told), "{}", explained.err);
}

#[test]
fn every_code_that_is_shown_is_explained() {
    for (shown, ..) in broken() {
        let mistakes: Vec<Value> =
            serde_json::from_str(&validate(&["--format", "json", &shown]).out).unwrap();
        for mistake in &mistakes {
            let code = text(mistake, "code");
            assert!(scenario::codes::explain(code).is_some(), "{shown}: {code} has no explanation");
        }
    }
}
