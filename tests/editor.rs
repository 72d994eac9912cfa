//! Files in an editor: the language server that editors use, with the schemas that the program writes.

mod server;

use std::fs;
use std::path::{Path, PathBuf};

use server::Server;

use crate::support::Project;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A project as `prober init` writes it, to open files in.
fn project() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let ran = Project::new("").prober_in(place.path(), &["init"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let scenario = place.path().join("scenarios/open.yaml");
    (place, scenario)
}

const SCENARIO: &str = "# yaml-language-server: $schema=../.prober/scenario.schema.json\n";
const PROJECT: &str = "# yaml-language-server: $schema=.prober/project.schema.json\n";

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn files_without_a_mistake_have_no_complaint() {
    let (place, scenario) = project();
    let mut server = Server::start();
    for folder in ["scenarios/examples", "prober/demo/project/scenarios"] {
        for path in yaml_files(folder) {
            let text = format!("{SCENARIO}{}", fs::read_to_string(&path).unwrap());
            assert_eq!(server.open(&scenario, &text), [], "{}", path.display());
        }
    }
    // What `init` wrote names its schemas itself.
    for path in ["prober.yaml", "scenarios/home.yaml"] {
        let path = place.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
        assert_eq!(server.open(&path, &text), [], "{}", path.display());
        // The schema is really looked at: the same file with a key that nobody knows.
        let complaints = server.open(&path, &format!("{text}carrier: pigeon\n"));
        assert!(complaints.iter().any(|(_, words)| words.contains("carrier")), "{complaints:?}");
    }
}

/// How many of the mistakes in the broken files a schema sees; the others are of names, addresses, regular
/// expressions and queries. A new broken file may raise it.
const SEEN_MIN: usize = 34;

#[test]
fn mistakes_of_shape_are_marked_in_their_line() {
    let (place, scenario) = project();
    let project = place.path().join("prober.yaml");
    let mut server = Server::start();
    let (mut seen, mut unseen) = (0, Vec::new());
    let broken = yaml_files("scenarios/broken").into_iter().map(|path| (path, &scenario, SCENARIO));
    let broken = broken.chain([(root().join("scenarios/broken/project/prober.yaml"), &project, PROJECT)]);
    for (path, beside, modeline) in broken {
        let text = fs::read_to_string(&path).unwrap();
        let wrong = (2..).zip(text.lines()); // the modeline is the first line
        let wrong: Vec<(u64, &str)> =
            wrong.filter_map(|(line, text)| Some((line, text.split_once("   # wrong: ")?.1))).collect();
        let complaints = server.open(beside, &format!("{modeline}{text}"));
        // After a mistake in YAML itself nothing is as it was meant, and of two kinds in one step both are marked.
        let broken_yaml = path.ends_with("yaml.yaml");
        for (line, words) in &complaints {
            let marked = wrong.iter().any(|(known, _)| known == line);
            assert!(
                marked || broken_yaml || words.contains("one kind"),
                "{}:{line}: {words}",
                path.display()
            );
        }
        for (line, word) in wrong {
            if complaints.iter().any(|(known, _)| *known == line) {
                seen += 1;
            } else {
                unseen.push(format!("{}: {word}", path.file_stem().unwrap().to_string_lossy()));
            }
        }
    }
    assert!(seen >= SEEN_MIN, "{seen} are seen, these are not:\n{}", unseen.join("\n"));
}

#[test]
fn keys_are_offered_with_their_words() {
    let (place, scenario) = project();
    let mut server = Server::start();
    let mut offered = |text: &str, wanted: &[&str]| {
        let offers = server.offers(&scenario, &format!("{SCENARIO}{text}"));
        for label in wanted {
            let found = offers.iter().find(|(known, ..)| known == label);
            let (_, _, doc) =
                found.unwrap_or_else(|| panic!("{label} is not offered in {text}: {offers:#?}"));
            assert!(!doc.is_empty(), "{label} says nothing in {text}");
        }
        assert!(offers.iter().all(|(label, ..)| !label.contains("[object")), "{offers:#?}");
    };
    offered("name: a\n|", &["aim", "every", "http", "steps", "sli", "expect"]);
    offered("name: a\nhttp:\n  |", &["url", "method", "headers"]);
    offered("name: a\nhttp: https://shop.example/\nexpect:\n  |", &["status", "latency", "json"]);
    offered(
        "name: a\nhttp: https://shop.example/\nexpect:\n  body:\n    |",
        &["contains", "matches", "newer_than"],
    );
    offered("name: a\nsteps:\n  - |", &["name", "http", "dns"]);
    offered("name: a\nsteps:\n  - dns: shop.example\n    expect:\n      |", &["rcode", "answers"]);
    offered("|", &["scenario: http", "scenario: several steps"]);
    offered("name: a\ntls: shop.example:443\nexpect:\n  chain: |", &["trusted", "expired"]);
    let project = place.path().join("prober.yaml");
    let offers = server.offers(&project, &format!("{PROJECT}version: 1\n|"));
    for label in ["regions", "secrets", "exporters", "defaults"] {
        assert!(offers.iter().any(|(known, ..)| known == label), "{label}: {offers:#?}");
    }
}

#[test]
fn words_under_the_cursor_are_explained() {
    let (_place, scenario) = project();
    let mut server = Server::start();
    let mut helped = |text: &str, wanted: &[&str]| {
        let help = server.help(&scenario, &format!("{SCENARIO}name: a\n{text}"));
        for words in wanted {
            assert!(help.contains(words), "{words} is not in the help for {text}: {help}");
        }
    };
    helped("ev|ery: 1m\n", &["How often it is due.", "1m"]);
    helped("timez|one: UTC\n", &["The zone that `cron` is read in.", "Default: `UTC`", "Europe/Berlin"]);
    helped("ht|tp: https://shop.example/\n", &["Sends an HTTP request"]);
    helped("http: { url: https://shop.example/, fol|low: 3 }\n", &["How many redirects are followed"]);
    helped("http: https://shop.example/\nexpect: { stat|us: 200 }\n", &["The status code"]);
    helped(
        "http: https://shop.example/\nexpect: { body: { conta|ins: x } }\n",
        &["A text has this text in it"],
    );
}
