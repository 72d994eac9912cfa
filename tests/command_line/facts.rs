//! The commands that tell about the project, the machine and the program.

use serde_json::Value;

use super::shop;
use crate::support::Project;

fn json(project: &Project, args: &[&str]) -> Value {
    let ran = project.prober(args);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn the_next_starts_are_those_of_the_scheduler() {
    let (_server, project) = shop();
    project.scenario("backup", "cron: \"30 2 * * *\"\ntimezone: Europe/Berlin\nhttp: http://127.0.0.1:9/");
    let all = json(&project, &["schedule", "--at", "2026-03-28", "-n", "2", "--format", "json"]);
    assert_eq!(all.as_array().unwrap().len(), 3);
    let backup = json(&project, &["schedule", "backup", "--at", "2026-03-28", "-n", "2", "--format", "json"]);
    let starts = &backup[0]["starts"];
    assert_eq!(starts[0]["at"], "2026-03-28T01:30:00.000000000Z");
    assert_eq!(starts[1]["local"], "Sun 2026-03-29 03:00:00 CEST");
    assert_eq!(starts[1]["remark"], "the clocks went from +01 to +02");
    let ran = project.prober(&["schedule", "good", "-n", "3"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 4), "{}", ran.out);
    let wrong = project.prober(&["schedule", "--at", "tomorrow"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(project.prober(&["schedule", "goood"]).err.contains("did you mean `good`?"));
}

#[test]
fn a_doctor_says_what_is_missing_and_what_to_do() {
    let project = Project::with(
        "secrets: { token: { env: NOT_THERE_AT_ALL } }\nserve: { listen: \"127.0.0.1:1\" }\n",
        &[("keyed", "http: { url: http://127.0.0.1:9/, headers: { A: \"${secrets.token}\" } }".to_owned())],
    );
    let ran = project.prober(&["doctor", "--format", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let found: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let of = |name: &str| found.iter().find(|finding| finding["check"] == name).unwrap();
    assert_eq!(of("secrets")["state"], "fail");
    assert!(of("secrets")["seen"].as_str().unwrap().contains("NOT_THERE_AT_ALL"));
    for name in [
        "project",
        "data folder",
        "store",
        "port",
        "DNS",
        "IPv6",
        "CA roots",
        "ICMP",
        "clock",
        "open files",
        "CPU",
        "memory",
    ] {
        of(name);
    }
    assert!(!project.path("prober-data").exists(), "looking makes nothing");
    let missing = project.prober(&["doctor", "--data", "prober.yaml/below", "--format", "json"]);
    assert!(missing.out.contains("data folder"), "{missing:?}");
}

#[test]
fn a_running_server_is_healthy_and_a_missing_one_is_not() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let address = serving.said_address().unwrap().to_string();
    let live = project.prober(&["doctor", "--live", "--listen", &address]);
    assert_eq!(live.code, Some(0), "{live:?}");
    let whole = json(&project, &["doctor", "--listen", &address, "--format", "json"]);
    let port = whole.as_array().unwrap().iter().find(|finding| finding["check"] == "port").unwrap();
    assert_eq!(port["state"], "ok", "{port}");
    assert_eq!(serving.stop().0, Some(0));
    assert_eq!(project.prober(&["doctor", "--live", "--listen", &address]).code, Some(3));
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let mut project = Project::with(
        "store: { keep: 7d }\nvars: { a: one, b: two }\nserve: { listen: \"127.0.0.1:9800\" }\n",
        &[("idle", "http: http://127.0.0.1:9/".to_owned())],
    );
    let from = |project: &Project, args: &[&str]| {
        let rows = json(project, &[&["config", "--format", "json"], args].concat());
        move |name: &str| {
            let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name);
            let row = row.unwrap_or_else(|| panic!("{name} is not there"));
            format!("{} {}", row["value"].as_str().unwrap(), row["from"].as_str().unwrap())
        }
    };
    let plain = from(&project, &["--var", "b=given"]);
    assert_eq!(plain("store.keep"), "7d prober.yaml:3");
    assert_eq!(plain("store.max_bytes"), "1073741824 built-in");
    assert_eq!(plain("serve.listen"), "127.0.0.1:9800 prober.yaml:5");
    assert_eq!(plain("vars.a"), "one prober.yaml:4");
    assert_eq!(plain("vars.b"), "given --var");
    assert_eq!(plain("defaults.timeout"), "10s built-in");
    project.env("PROBER_LISTEN", "127.0.0.1:9801");
    assert_eq!(from(&project, &[])("serve.listen"), "127.0.0.1:9801 PROBER_LISTEN");
    assert_eq!(from(&project, &["--listen", "127.0.0.1:9802"])("serve.listen"), "127.0.0.1:9802 --listen");
}

#[test]
fn every_shell_gets_completions_and_packages_get_manual_pages() {
    let (_server, project) = shop();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = project.prober(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.out.contains("wait-for"), "{shell}");
        let named = ["bash", "zsh", "fish"].contains(&shell);
        assert_eq!(ran.out.contains("prober names"), named, "{shell}");
    }
    let zsh = project.prober(&["completions", "zsh"]).out;
    let named = |line: &&str| line.contains(":_prober_names'");
    assert!(zsh.lines().filter(named).all(|line| line.contains("which") || line.contains("what")), "{zsh}");
    assert!(zsh.lines().any(|line| named(&line)), "{zsh}");
    assert_eq!(project.prober(&["names"]).out, "good\nwrong\n");
    let empty = tempfile::tempdir().unwrap();
    let ran = project.prober_in(empty.path(), &["names"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    assert_eq!(project.prober(&["man", "pages"]).code, Some(0));
    assert!(project.path("pages/prober-run.1").exists());
    let version = json(&project, &["version", "--format", "json"]);
    assert_eq!(version["event"], "prober.run/1");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

/// A report that was cut off passes for a whole one in no pipeline; a reader that has enough is no mistake.
#[test]
fn what_cannot_be_written_to_standard_output_is_said() {
    let (_server, project) = shop();
    let piped = |args: &str, to: &str| {
        let program = env!("CARGO_BIN_EXE_prober");
        let line = format!("set -o pipefail; {program} {args} {to}");
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &line]).current_dir(project.path("")).output().unwrap()
    };
    for args in ["list", "validate --format json", "schema", "explain E101"] {
        let full = piped(args, "> /dev/full");
        let said = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(3), "{args}: {said}");
        assert!(said.contains("not all of it could be written to standard output"), "{args}: {said}");
        assert_eq!(piped(args, "| true").status.code(), Some(0), "{args}");
    }
}

#[test]
fn a_variable_of_the_environment_that_is_empty_is_none() {
    let (_server, mut project) = shop();
    for name in ["PROBER_PROJECT", "PROBER_DATA", "PROBER_LISTEN", "PROBER_ID"] {
        project.env(name, "");
    }
    assert_eq!(project.prober(&["list"]).code, Some(0));
    let config = project.prober(&["config"]);
    assert_eq!(config.code, Some(0), "{config:?}");
    assert!(config.out.contains("127.0.0.1:9899"), "{config:?}");
    assert_eq!(project.prober(&["events", "--data", ""]).code, Some(2), "who types it has to say what");
}

#[test]
fn who_wants_only_errors_gets_no_warnings() {
    let (_server, project) = shop();
    project.scenario("often", "every: 1s\nhttp: https://often.example/");
    let validate = |args: &[&str]| project.prober(&[&["validate"], args].concat());
    assert!(validate(&[]).err.contains("warning[W341]"));
    let quiet = validate(&["-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""));
    assert!(validate(&["-q", "--strict"]).err.contains("error[W341]"));
    assert!(validate(&["-q", "--format", "json"]).out.contains("W341"), "programs get what they ask for");
    project.scenario("wrong", "every: 60\nhttp: https://wrong.example/");
    let quiet = validate(&["-q"]);
    assert_eq!(quiet.code, Some(2));
    assert!(quiet.err.contains("error[E109]") && !quiet.err.contains("W341"), "{quiet:?}");
}

#[test]
fn colours_go_only_where_somebody_wants_them() {
    let (_server, mut project) = shop();
    let coloured = |project: &Project, args: &[&str]| {
        project.prober(&[&["run", "good"], args].concat()).out.contains('\u{1b}')
    };
    assert!(!coloured(&project, &[]), "a file is no terminal");
    assert!(coloured(&project, &["--color", "always"]));
    project.env("CLICOLOR_FORCE", "1");
    assert!(coloured(&project, &[]));
    assert!(!coloured(&project, &["--color", "never"]));
    let quiet = project.prober(&["run", "good", "-q"]);
    assert_eq!(
        (quiet.code, quiet.out.as_str(), quiet.err.as_str()),
        (Some(0), "", ""),
        "good news is no news"
    );
    let quiet = project.prober(&["run", "-q"]);
    assert!(quiet.code == Some(1) && quiet.out.contains("FAIL") && !quiet.out.contains("PASS"), "{quiet:?}");
    for args in [
        &["run", "--bogus"][..],
        &["run", "--repeat", "0"],
        &["run", "--wait-for", "60"],
        &["run", "--format", "xml"],
    ] {
        assert_eq!(project.prober(args).code, Some(2), "{args:?}");
    }
}
