//! Files as people have them, and hostile ones: `tests/import/FORMAT/` has them, and beside each what comes of it.
//!
//! Every secret in them has `s3cr3t` in it. `NAME.prometheus` and `NAME.vars` say what is given with the file.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use probe::{KINDS, Net};
use scenario::compile::{Options, Sources, compile};
use scenario::diagnostic::Severity;
use scenario::source::Source;

use super::load::document;
use super::{Given, ImportFrom, SOURCES, printed, read, take, told, written};

/// Ends of files that are not imported themselves.
const BESIDE: [&str; 3] = ["expected", "prometheus", "vars"];

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut all: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_none_or(|end| !BESIDE.iter().any(|one| end == *one)));
    all.sort();
    all
}

/// What is printed for a file, on both streams, and what is wrong with it.
fn outcome(from: ImportFrom, path: &Path) -> (String, Vec<String>) {
    let source = SOURCES.iter().find(|source| source.which == from).unwrap();
    let lines = fs::read_to_string(path.with_extension("vars")).unwrap_or_default();
    let var = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let prometheus = fs::read_to_string(path.with_extension("prometheus")).ok();
    let given = read(path, source.bytes_max).map(|text| Given {
        path: "FILE".to_owned(),
        stem: path.file_stem().unwrap().to_string_lossy().into_owned(),
        text,
        vars: lines.lines().filter_map(var).collect(),
        prometheus: prometheus.map(|text| document("PROMETHEUS", &text).unwrap()),
    });
    let imported = match given.and_then(|given| take(source, &given)) {
        Ok(imported) => imported,
        Err(stop) => {
            let message = stop.message.replace(&*path.to_string_lossy(), "FILE");
            return (format!("== refused\n{message}\n"), Vec::new());
        }
    };
    let files = written(&imported, from);
    let mut wrong = faults(&files);
    let (files, told) = (printed(&files), told(&imported));
    let lost = files.lines().filter(|line| line.starts_with("# not imported: ")).count();
    let counted = format!(" {lost} thing{} not imported", if lost == 1 { "" } else { "s" });
    if !told.last().is_some_and(|last| last.contains(&counted)) {
        wrong.push(format!("{lost} comments, and {told:?}"));
    }
    (format!("{files}\n== told\n{}\n", told.join("\n")), wrong)
}

/// Together the files are a project without a mistake, without a warning of a secret, and in canonical form.
fn faults(files: &[(String, String)]) -> Vec<String> {
    let below = |folder: &str| -> Vec<Source> {
        let all = files.iter().filter(|(path, _)| path.starts_with(folder));
        all.map(|(path, text)| Source { path: path.clone(), text: text.clone() }).collect()
    };
    let sources = Sources {
        project: below("prober.yaml").pop(),
        scenarios: below("scenarios/"),
        templates: below("templates/"),
        ..Sources::default()
    };
    let compiled = compile::<Net>(sources, &KINDS, &Options::default());
    let wrong = compiled
        .diagnostics
        .iter()
        .filter(|one| one.severity == Severity::Error || one.code == "W303")
        .map(|one| format!("{} {}", one.code, one.message));
    let mut wrong: Vec<_> = wrong.collect();
    let is_other = |text: &str| scenario::fmt::format(0, text, &KINDS).ok().as_deref() != Some(text);
    let others = files.iter().filter(|(_, text)| is_other(text));
    wrong.extend(others.map(|(name, _)| format!("{name} is not in canonical form")));
    wrong
}

#[test]
fn files_become_projects_without_a_mistake_a_secret_or_silence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let (mut stale, mut faulty) = (Vec::new(), Vec::new());
    for from in ImportFrom::value_variants() {
        let name = from.to_possible_value().unwrap().get_name().to_owned();
        let files = inputs(&root.join(&name));
        assert!(!files.is_empty(), "{name}");
        for path in files {
            let (outcome, mut wrong) = outcome(*from, &path);
            let shown = outcome.lines().filter(|line| line.contains("s3cr3t"));
            wrong.extend(shown.map(|line| format!("a secret is shown: {line}")));
            if !wrong.is_empty() {
                faulty.push((path, wrong));
                continue;
            }
            let expected = PathBuf::from(format!("{}.expected", path.display()));
            if fs::read_to_string(&expected).unwrap_or_default() != outcome {
                fs::write(&expected, &outcome).unwrap();
                stale.push(expected);
            }
        }
    }
    assert!(faulty.is_empty(), "{faulty:#?}");
    assert!(
        stale.is_empty(),
        "these were out of date and have been written anew: look at them and commit them: {stale:#?}"
    );
}
