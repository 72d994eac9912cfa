//! Which files are read: what a pattern names and cannot be read is a mistake of that file alone, and nothing is left out
//! without a word.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode};
use serde_json::Value;

use crate::support::{Project, text};

const GOOD: &str = "name: good\naim: x\nevery: 1m\nhttp: http://127.0.0.1:1/\n";

/// A project with its own file's text and one good scenario.
fn project(file: &str) -> Project {
    let project = Project::new("");
    project.write("prober.yaml", &format!("version: 1\nnetwork: {{ private: allow }}\n{file}"));
    project.write("scenarios/good.yaml", GOOD);
    project
}

/// The codes of all mistakes with their files' names, and how many scenarios are right if none is an error.
fn said(project: &Project) -> Vec<(String, String)> {
    let ran = project.prober(&["validate", "--format", "json"]);
    let mistakes: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} {ran:?}"));
    let one = |mistake: &Value| {
        let path = text(&mistake["at"], "file").to_owned();
        (text(mistake, "code").to_owned(), path.rsplit('/').next().unwrap().to_owned())
    };
    mistakes.iter().map(one).collect()
}

#[test]
fn what_cannot_be_read_is_a_mistake_of_its_own_and_the_others_are_checked() {
    let project = project("");
    let at = |name: &str| project.path("scenarios").join(name);
    project.write("scenarios/bad.yaml", "name: bad\nevery: 1x\nhttp: http://127.0.0.1:1/\n");
    symlink("/nonexistent", at("link.yaml")).unwrap();
    rustix::fs::mknodat(CWD, at("pipe.yaml"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::write(project.path("scenarios").join(OsStr::from_bytes(b"\xff.yaml")), GOOD).unwrap();
    // A circle is walked once; a folder is no file, whatever it is called.
    symlink(".", at("self")).unwrap();
    fs::create_dir(at("folder.yaml")).unwrap();
    project.write("scenarios/folder.yaml/inside.yaml", &GOOD.replace("good", "inside").replace(":1/", ":2/"));
    let mut said = said(&project);
    said.sort();
    let wanted =
        [("E020", "link.yaml"), ("E020", "pipe.yaml"), ("E020", "\u{fffd}.yaml"), ("E109", "bad.yaml")];
    assert_eq!(said, wanted.map(|(code, file)| (code.to_owned(), file.to_owned())));
}

#[test]
fn a_folder_without_scenarios_is_not_right() {
    let project = project("");
    fs::create_dir_all(project.path("scenarios/new/deep")).unwrap();
    project.write("scenarios/new/notes.txt", "x");
    for command in ["validate", "run"] {
        let ran = project.prober(&[command, project.path("scenarios/new").to_str().unwrap()]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("scenarios/new has no scenario file in it"), "{ran:?}");
    }
    project.write("scenarios/new/deep/good.yml", GOOD);
    let ran = project.prober(&["validate", project.path("scenarios/new").to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_pattern_that_names_nothing_and_a_file_that_nothing_names_are_told() {
    for (file, extra, wanted) in [
        ("", None, vec![]),
        ("", Some("scenarios/more.yml"), vec!["W358"]),
        ("", Some("scenarios/deep/more.YAML"), vec!["W358"]),
        // Editors and version control leave such files behind.
        ("", Some("scenarios/.more.yaml"), vec![]),
        ("", Some("scenarios/more.yaml.orig"), vec![]),
        ("scenarios: [\"scenarios/*.yaml\", \"scenarios/*.yml\"]\n", Some("scenarios/more.yml"), vec![]),
        ("scenarios: [\"scenarios/*.yaml\", \"team-b/**/*.yaml\"]\n", None, vec!["W357"]),
        ("scenarios: [\"./scenarios/good.yaml\", \"scenarios/bad.yaml\"]\n", None, vec!["W357"]),
        ("include: [\"template/*.yaml\"]\n", None, vec!["W357"]),
    ] {
        let project = project(file);
        if let Some(path) = extra {
            project.write(path, &GOOD.replace("good", "more").replace(":1/", ":2/"));
        }
        let codes: Vec<_> = said(&project).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, wanted, "{file} {extra:?}");
    }
}

#[test]
fn a_project_in_a_folder_with_a_strange_name_is_read() {
    let outer = project("");
    let folder = outer.path(".").join(OsStr::from_bytes(b"\xff[1]*"));
    fs::create_dir_all(folder.join("scenarios")).unwrap();
    fs::copy(outer.path("prober.yaml"), folder.join("prober.yaml")).unwrap();
    fs::write(folder.join("scenarios/good.yaml"), GOOD).unwrap();
    let ran = outer.prober_in(&folder, &["validate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("1 scenario") || ran.out.contains("1 scenario"), "{ran:?}");
}
