//! `prober fmt`: files in their canonical form, or left exactly as they are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::Project;

const LOOSE: &str =
    "# what it shows\nhttp: \"https://shop.example/\" # the page\naim: It works.\nevery: 1m\nname: 'a'\n";
const CANONICAL: &str =
    "# what it shows\nname: a\naim: It works.\nevery: 1m\nhttp: https://shop.example/ # the page\n";

fn project() -> Project {
    let project = Project::new("");
    project.write("prober.yaml", "version: 1\nscenarios: [\"scenarios/*.yaml\"]\n");
    project.write("scenarios/a.yaml", LOOSE);
    project.write("scenarios/b.yaml", &CANONICAL.replace("name: a", "name: b"));
    project
}

fn read(project: &Project, path: &str) -> String {
    fs::read_to_string(project.path(path)).unwrap()
}

#[test]
fn a_project_is_formatted_and_stays_so() {
    let project = project();
    let ran = project.prober(&["fmt"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), "scenarios/a.yaml\n"), "{ran:?}");
    assert!(ran.err.contains("1 file changed, 2 as they are"), "{ran:?}");
    assert_eq!(read(&project, "scenarios/a.yaml"), CANONICAL);
    let again = project.prober(&["fmt", "--check"]);
    assert_eq!((again.code, &*again.out), (Some(0), ""), "{again:?}");
    assert!(fs::read_dir(project.path("scenarios")).unwrap().count() == 2, "nothing is left over");
}

#[test]
fn check_and_diff_write_nothing() {
    let project = project();
    let check = project.prober(&["fmt", "--check"]);
    assert_eq!((check.code, &*check.out), (Some(2), "scenarios/a.yaml\n"), "{check:?}");
    let diff = project.prober(&["fmt", "--diff"]);
    assert_eq!(diff.code, Some(0), "{diff:?}");
    assert!(diff.out.starts_with("--- scenarios/a.yaml\n+++ scenarios/a.yaml (formatted)\n@@ "), "{diff:?}");
    assert!(diff.out.contains("\n-name: 'a'\n"), "{diff:?}");
    assert!(diff.out.contains("\n+name: a\n"), "{diff:?}");
    assert_eq!(project.prober(&["fmt", "--diff", "--check"]).code, Some(2));
    assert_eq!(read(&project, "scenarios/a.yaml"), LOOSE);
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone_and_the_others_are_not() {
    let project = project();
    project.write("scenarios/broken.yaml", "name: c\naim: Every order arrives: at once\n");
    let ran = project.prober(&["fmt"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("E012") && ran.err.contains("scenarios/broken.yaml:2:"), "{ran:?}");
    assert!(ran.err.contains("1 cannot be formatted"), "{ran:?}");
    assert_eq!(read(&project, "scenarios/broken.yaml"), "name: c\naim: Every order arrives: at once\n");
    assert_eq!(read(&project, "scenarios/a.yaml"), CANONICAL);
}

#[test]
fn mode_and_links_stay_and_a_protected_file_is_not_replaced() {
    let project = project();
    let real = project.path("real.yaml");
    fs::write(&real, LOOSE).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(project.path("scenarios/a.yaml")).unwrap();
    symlink("../real.yaml", project.path("scenarios/a.yaml")).unwrap();
    assert_eq!(project.prober(&["fmt", "scenarios/a.yaml"]).code, Some(0));
    assert_eq!(fs::read_to_string(&real).unwrap(), CANONICAL);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(project.path("scenarios/a.yaml")).unwrap().is_symlink());
    // A link to nothing is no file to format.
    symlink("gone.yaml", project.path("scenarios/c.yaml")).unwrap();
    assert_eq!(project.prober(&["fmt", "scenarios/c.yaml"]).code, Some(2));
}

#[test]
fn templates_are_formatted_with_the_project_and_by_name() {
    let project = project();
    project.write(
        "prober.yaml",
        "version: 1\nscenarios: [\"scenarios/*.yaml\"]\ninclude: [\"templates/*.yaml\"]\n",
    );
    let (loose, canonical) = ("body: {http: x}\ntemplate: t\n", "template: t\nbody: { http: x }\n");
    for named in [&["fmt"][..], &["fmt", "templates/t.yaml"], &["fmt", "templates"]] {
        project.write("templates/t.yaml", loose);
        let ran = project.prober(named);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(read(&project, "templates/t.yaml"), canonical, "{named:?}");
    }
}

/// Runs `prober fmt` with a text on standard input: exit code, and what it writes.
fn piped(text: &[u8], args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prober"));
    command.args(["fmt", "-"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It need not read to the end.
    drop(child.stdin.take().unwrap().write_all(text));
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(piped(LOOSE.as_bytes(), &[]), (Some(0), CANONICAL.to_owned(), String::new()));
    assert_eq!(piped(CANONICAL.as_bytes(), &["--check"]), (Some(0), String::new(), String::new()));
    assert_eq!(
        piped(LOOSE.as_bytes(), &["--check"]),
        (Some(2), "standard input\n".to_owned(), String::new())
    );
    assert_eq!(piped(LOOSE.as_bytes(), &["a.yaml"]).0, Some(2), "`-` stands alone");
    for wrong in [&b"a: ["[..], b"a: \xff", b"", b"text", &vec![b'#'; 2 << 20]] {
        let (code, out, err) = piped(wrong, &[]);
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        assert!(!err.is_empty());
    }
}

#[test]
fn upgrade_says_that_there_is_nothing_newer() {
    let project = project();
    let ran = project.prober(&["fmt", "--upgrade"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("version 1 of the language is the newest, nothing to upgrade"), "{ran:?}");
    assert_eq!(read(&project, "scenarios/a.yaml"), CANONICAL);
    project.write("prober.yaml", "version: 2\n");
    let ran = project.prober(&["fmt", "--upgrade", "prober.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("E120"), "{ran:?}");
}

#[test]
fn what_is_shipped_is_canonical() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Project::new("");
    for place in ["scenarios", "prober/demo/project"] {
        let ran = project.prober_in(root, &["fmt", "--check", place]);
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
    }
    // And so is what `init` and `demo` write.
    let place = tempfile::tempdir().unwrap();
    assert_eq!(project.prober_in(place.path(), &["init"]).code, Some(0));
    let ran = project.prober_in(place.path(), &["fmt", "--check"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
    let at = |port| ([127, 0, 0, 1], port).into();
    let addresses =
        demo::Addresses { http: at(1), https: at(2), soon: at(3), expired: at(4), dns: at(5), mail: at(6) };
    for (path, text) in demo::project::files(&addresses, "shop") {
        project.write(path, &text);
    }
    let ran = project.prober(&["fmt", "--check"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
}
