//! Every code of a mistake: a file that shows it, its full text, its example, and the file mended.
//!
//! `scenarios/broken/codes` holds a file for each code, or a folder where a project is needed, and beside it the
//! full text. After a change of wording, read the new text, then write it with
//! `cargo run -- validate scenarios/broken/codes/CODE.yaml 2> scenarios/broken/codes/CODE.txt`.
//! A code without a file is either not tested or cannot be produced, and is then to be taken out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use scenario::codes::{CODES, Example, example};
use serde_json::Value;

use crate::support::{Project, Ran, text};

/// Codes whose file cannot be kept: the example is words, and the file is made here or is no text.
const BY_HAND: [&str; 3] = ["E001", "E002", "E020"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("scenarios/broken/codes")
}

/// What is validated for a code, from the root: a file or a folder.
fn shown(code: &str) -> String {
    let file = format!("scenarios/broken/codes/{code}.yaml");
    if root().join(&file).exists() { file } else { format!("scenarios/broken/codes/{code}") }
}

fn validate(args: &[&str]) -> Ran {
    Project::new("").prober_in(root(), &[&["validate"], args].concat())
}

/// The codes of all mistakes that a path shows.
fn codes_of(path: &str) -> Vec<String> {
    let ran = validate(&["--format", "json", path]);
    let mistakes: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{path}: {error} {ran:?}"));
    mistakes.iter().map(|mistake| text(mistake, "code").to_owned()).collect()
}

/// The files of a code: their paths inside it, and their texts.
fn files(code: &str) -> Vec<(PathBuf, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let at = root().join(shown(code));
    if at.is_file() {
        return vec![(PathBuf::from("scenarios/example.yaml"), fs::read_to_string(at).unwrap())];
    }
    let mut paths = Vec::new();
    below(&at, &mut paths);
    paths.sort();
    let read =
        |path: PathBuf| (path.strip_prefix(&at).unwrap().to_owned(), fs::read_to_string(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Every code but those whose files are made by their own tests.
fn kept() -> impl Iterator<Item = &'static str> {
    CODES.iter().map(|code| code.code).filter(|code| !["E002", "E020"].contains(code))
}

#[test]
fn every_code_has_a_file_that_shows_it_and_nothing_else() {
    for code in kept() {
        assert!(
            root().join(shown(code)).exists(),
            "{code} has neither a file nor a folder in scenarios/broken/codes"
        );
        let found: BTreeSet<String> = codes_of(&shown(code)).into_iter().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [code]);
    }
}

#[test]
fn every_full_text_is_as_it_was_read() {
    for code in kept() {
        let ran = validate(&[&shown(code)]);
        let exit = if code.starts_with('E') { 2 } else { 0 };
        assert_eq!((ran.code, ran.out.as_str()), (Some(exit), ""), "{code}: {ran:?}");
        let wanted = fs::read_to_string(folder().join(format!("{code}.txt"))).unwrap_or_default();
        assert!(ran.err == wanted, "\n{code} says now:\n{}\ninstead of:\n{wanted}", ran.err);
        let strict = validate(&["--strict", &shown(code)]);
        assert_eq!(strict.code, Some(2), "--strict makes {code} an error");
        assert!(strict.err.starts_with(&format!("error[{code}]")), "{}", strict.err);
    }
}

/// The example of `explain` is what stands in the file, and with the right one in its place nothing is wrong.
#[test]
fn every_example_is_wrong_and_its_remedy_right() {
    let demo = fs::read_to_string(root().join("scenarios/prober.yaml")).unwrap();
    for code in kept().filter(|code| !BY_HAND.contains(code)) {
        let Some(Example { wrong, right, .. }) = example(code) else { panic!("{code} has no example") };
        let files = files(code);
        let lines = |text: &str| format!("\n{text}\n");
        assert!(files.iter().any(|(_, text)| lines(text).contains(&lines(wrong))), "{code}: {wrong}");
        let project = Project::new("");
        if files.len() == 1 {
            project.write(
                "prober.yaml",
                &demo.replace("[\"examples/*.yaml\", \"slos/*.yaml\"]", "[\"scenarios/*.yaml\"]"),
            );
        }
        for (path, text) in &files {
            let mended = lines(text).replace(&lines(wrong), &lines(right));
            project.write(path.to_str().unwrap(), mended.trim_start_matches('\n'));
        }
        // What the demo's own file names and this one scenario does not use is no mistake of it.
        let wanted: &[&str] = if files.len() == 1 { &["scenarios"] } else { &[] };
        let ran = project.prober(&[&["validate", "--strict"], wanted].concat());
        assert_eq!(ran.code, Some(0), "{code} is not mended by\n{right}\n{}", ran.err);
    }
}

#[test]
fn a_file_that_is_too_large() {
    let project = Project::new("");
    let line = "# One of many lines, and too many of them for a file that people read.\n";
    let mut file = "name: example\nevery: 1m\nhttp: https://shop.example/\n".to_owned();
    file.push_str(&line.repeat((1 << 20) / line.len()));
    project.write("scenarios/E002.yaml", &file);
    let ran = project.prober(&["validate"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.err, fs::read_to_string(folder().join("E002.txt")).unwrap());
}

#[test]
fn a_file_that_cannot_be_read() {
    let project = Project::new("");
    project.write("scenarios/example.yaml", "name: example\nevery: 1m\nhttp: https://shop.example/\n");
    std::os::unix::fs::symlink("../old/shop.yaml", project.path("scenarios/shop.yaml")).unwrap();
    let ran = project.prober(&["validate"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.err, fs::read_to_string(folder().join("E020.txt")).unwrap());
}

/// `explain` has all of it: what, why, the wrong lines and the right ones.
#[test]
fn every_code_is_explained_with_an_example() {
    let project = Project::new("");
    for code in CODES.iter().map(|code| code.code) {
        let ran = project.prober(&["explain", code]);
        assert_eq!(ran.code, Some(0), "{code}");
        let example = example(code).unwrap_or_else(|| panic!("{code} has no example"));
        assert!(ran.out.starts_with(code), "{}", ran.out);
        for part in
            ["wrong:", "right:", example.wrong.lines().next().unwrap(), example.right.lines().next().unwrap()]
        {
            assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
        }
    }
}

/// No text speaks of the program's own types.
#[test]
fn no_text_names_a_type_of_the_program() {
    let words = [
        "String",
        "&str",
        "u8",
        "u16",
        "u32",
        "u64",
        "i64",
        "f64",
        "usize",
        "Option",
        "Some(",
        "None",
        "Ok(",
        "Err(",
        "Vec<",
        "enum",
        "struct",
        "serde",
        "variant",
        "deserialize",
        "unwrap",
        "Box<",
        "Arc<",
        "Spanned",
        "HashMap",
        "BTreeMap",
        "sequence",
        "scalar",
        "mapping",
        "boolean",
    ];
    let broken = root().join("scenarios/broken");
    let mut texts = 0;
    for place in [folder(), broken.clone(), broken.join("project")] {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "txt") {
                continue;
            }
            texts += 1;
            for line in fs::read_to_string(&path).unwrap().lines() {
                let said = line.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ' ');
                // What the author wrote, shown again, may say anything.
                if said.starts_with("| ") && !said.contains('^') {
                    continue;
                }
                let letters = |letter: char| !letter.is_alphanumeric();
                for word in words {
                    let found = if word.chars().all(char::is_alphanumeric) {
                        said.split(letters).any(|spoken| spoken == word)
                    } else {
                        said.contains(word)
                    };
                    assert!(!found, "{}: {word} in {line}", path.display());
                }
            }
        }
    }
    assert!(texts >= CODES.len(), "{texts} texts");
}

#[test]
fn waived_warnings_are_counted() {
    let head = "name: a\naim: It works.\nevery: 1m\n";
    let waived =
        "timeout: 60s # prober: allow W340 because the shop answers at once\nhttp: https://shop.example/\n";
    let project = Project::new("");
    project.write("scenarios/a.yaml", &format!("{head}{waived}"));
    let ran = project.prober(&["validate", "--strict"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.out.contains("1 warning is waived"), "{ran:?}");
}
