//! `prober import`: files of other tools become projects without a mistake, a secret or silence, and they judge as
//! the tools do.
//!
//! `tests/import/FORMAT/` has files as people have them, and beside each what comes of it. Every secret in them has
//! `s3cr3t` in it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::Blackbox;

use crate::support::{Project, Ran, text};

const FORMATS: [&str; 8] = ["blackbox", "gatus", "curl", "hurl", "openapi", "har", "k8s-probe", "heartbeat"];

fn corpus(format: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(format);
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_input =
        |path: &PathBuf| path.extension().is_some_and(|end| end != "expected" && end != "prometheus");
    let mut all: Vec<_> = all.filter(is_input).collect();
    all.sort();
    all
}

/// Imports a file; the settings of Prometheus beside it are named.
fn import(project: &Project, format: &str, file: &Path, more: &[&str]) -> Ran {
    let prometheus = file.with_extension("prometheus");
    let mut args = vec!["import", format, file.to_str().unwrap()];
    if prometheus.exists() {
        args.extend(["--prometheus", prometheus.to_str().unwrap()]);
    }
    args.extend(more);
    project.prober(&args)
}

#[test]
fn files_become_projects_without_a_mistake_a_secret_or_silence() {
    let mut stale = Vec::new();
    for format in FORMATS {
        let files = corpus(format);
        assert!(!files.is_empty(), "{format}");
        for file in files {
            let place = Project::new("");
            let printed = import(&place, format, &file, &[]);
            assert_eq!(printed.code, Some(0), "{}: {printed:?}", file.display());
            let told = format!(
                "{}\n== stderr\n{}",
                printed.out,
                printed.err.replace(file.to_str().unwrap(), "FILE")
            );
            assert!(!told.contains("s3cr3t"), "{}: a secret is shown: {told}", file.display());
            let lost = printed.out.lines().filter(|line| line.starts_with("# not imported: ")).count();
            let counted = format!(" {lost} thing{} not imported", if lost == 1 { "" } else { "s" });
            assert!(
                printed.err.contains(&counted),
                "{}: {lost} comments, and {}",
                file.display(),
                printed.err
            );
            let expected = PathBuf::from(format!("{}.expected", file.display()));
            if fs::read_to_string(&expected).unwrap_or_default() != told {
                fs::write(&expected, &told).unwrap();
                stale.push(expected);
            }
            validates(format, &file);
        }
    }
    assert!(
        stale.is_empty(),
        "these were out of date and have been written anew: look at them and commit them: {stale:#?}"
    );
}

/// Written into a folder it is a project: without a mistake, without a warning of a secret, and in canonical form.
fn validates(format: &str, file: &Path) {
    let place = Project::new("");
    let into = place.path("made");
    let made = import(&place, format, file, &["--into", into.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let shown = file.display();
    let has_scenarios = into.join("scenarios").exists();
    let validated = place.prober(&["-C", "made", "validate"]);
    if has_scenarios {
        assert_eq!(validated.code, Some(0), "{shown}: {validated:?}");
        assert!(!(validated.out + &validated.err).contains("W303"), "{shown}: a secret stands in a file");
    } else {
        // Templates alone are asked by `/probe`.
        assert!(validated.err.contains("no scenario file"), "{shown}: {validated:?}");
    }
    let formatted = place.prober(&["fmt", "--check", "made"]);
    assert_eq!(formatted.code, Some(0), "{shown}: {formatted:?}");
    // Nothing is overwritten.
    let again = import(&place, format, file, &["--into", into.to_str().unwrap()]);
    assert_eq!(again.code, Some(3), "{shown}: {again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");
}

/// Imports a text with the help of `more`, runs what came of it, and gives the events.
fn run_of(format: &str, name: &str, text: &str, more: &[&str], env: &[(&str, &str)]) -> Vec<Value> {
    let mut place = Project::new("");
    for (name, value) in env {
        place.env(name, value);
    }
    place.write(name, text);
    let made = place.prober(&[&["import", format, name, "--into", "made"], more].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let ran = place.prober(&["-C", "made", "run", "--format", "json"]);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn verdicts(events: &[Value]) -> Vec<(String, bool)> {
    let one = |event: &Value| {
        (text(event, "prober.scenario.name").to_owned(), text(event, "prober.verdict") == "good")
    };
    let mut all: Vec<_> = events.iter().map(one).collect();
    all.sort();
    all
}

/// A service with an answer for each thing that is asked about.
fn service() -> Server {
    let server = Server::start();
    server.on("/ok", Reply::json(r#"{"status":"UP","n":5,"items":[1,2]}"#));
    server.on("/text", Reply::ok("Welcome to the shop"));
    server.on("/oops", Reply::status(500).body("Exception: out of tea"));
    server.on("/gone", Reply::status(404));
    server.on("/made", Reply::status(201).body("x"));
    server.on("/moved", Reply::status(302).header("Location", "/ok"));
    server
}

const MODULES: &str = r#"
modules:
  http_2xx: { prober: http, timeout: 3s }
  post: { prober: http, timeout: 3s, http: { method: POST, valid_status_codes: [201] } }
  not_found: { prober: http, timeout: 3s, http: { valid_status_codes: [404] } }
  has_welcome: { prober: http, timeout: 3s, http: { fail_if_body_not_matches_regexp: ["Welcome( to)?"] } }
  no_exception: { prober: http, timeout: 3s, http: { valid_status_codes: [200, 500], fail_if_body_matches_regexp: ["Exception"] } }
  only_tls: { prober: http, timeout: 3s, http: { fail_if_not_ssl: true } }
  stays: { prober: http, timeout: 3s, http: { follow_redirects: false, valid_status_codes: [302] } }
  is_json: { prober: http, timeout: 3s, http: { fail_if_header_not_matches: [{ header: Content-Type, regexp: "json" }] } }
  no_location: { prober: http, timeout: 3s, http: { follow_redirects: false, valid_status_codes: [200, 302], fail_if_header_matches: [{ header: Location, regexp: "ok" }] } }
  connects: { prober: tcp, timeout: 3s }
"#;

#[test]
fn modules_of_the_blackbox_exporter_judge_as_it_does() {
    let server = service();
    let exporter = Blackbox::start(MODULES);
    let dead = "127.0.0.1:1";
    let mut asked = Vec::new();
    let mut jobs = String::from("scrape_configs:\n");
    let modules = [
        "http_2xx",
        "post",
        "not_found",
        "has_welcome",
        "no_exception",
        "only_tls",
        "stays",
        "is_json",
        "no_location",
    ];
    for (at, module) in modules.into_iter().enumerate() {
        for path in ["/ok", "/text", "/oops", "/gone", "/made", "/moved"] {
            asked.push((format!("j{at}-{}", &path[1..]), module, server.url(path)));
        }
    }
    let port = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    asked.push(("tcp-up".to_owned(), "connects", port));
    asked.push(("tcp-down".to_owned(), "connects", dead.to_owned()));
    asked.push(("http-down".to_owned(), "http_2xx", format!("http://{dead}/")));
    for (name, module, target) in &asked {
        writeln!(
            jobs,
            "  - {{ job_name: {name}, metrics_path: /probe, params: {{ module: [{module}] }}, static_configs: [{{ targets: [\"{target}\"] }}] }}"
        )
        .unwrap();
    }
    let place = Project::new("");
    place.write("blackbox.yml", MODULES);
    place.write("prometheus.yml", &jobs);
    let made = place.prober(&[
        "import",
        "blackbox",
        "blackbox.yml",
        "--prometheus",
        "prometheus.yml",
        "--into",
        "made",
    ]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.err.contains("0 things not imported"), "{made:?}");
    let ran = place.prober(&["-C", "made", "run", "--format", "json"]);
    let events: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let theirs = asked.iter().map(|(name, module, target)| {
        let page = exporter.probe(module, target).unwrap_or_else(|| panic!("no answer about {target}"));
        (name.clone(), page.contains("\nprobe_success 1\n"))
    });
    let mut theirs: Vec<_> = theirs.collect();
    theirs.sort();
    assert_eq!(verdicts(&events), theirs);
    assert!(theirs.iter().filter(|(_, good)| *good).count() > 10 && theirs.iter().any(|(_, good)| !good));
}

#[test]
fn curl_commands_judge_as_curl_does() {
    let server = service();
    server.on_request("/login", |seen| {
        let right = seen.method == "POST" && seen.header("authorization") == Some("Basic YW5uOnMzY3IzdA==");
        if right { Reply::ok("in") } else { Reply::status(401) }
    });
    server.on_request("/form", |seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let kind = seen.header("content-type").unwrap_or_default();
        let right = body == "sku=TEA+GREEN&n=2" || body == "sku=TEA%20GREEN&n=2";
        if right && kind == "application/x-www-form-urlencoded" {
            Reply::ok("x")
        } else {
            Reply::status(400).body(body)
        }
    });
    server.on_request("/json", |seen| {
        let right = serde_json::from_slice::<Value>(&seen.body).is_ok_and(|value| value["a"][1] == 2);
        if right && seen.method == "PUT" { Reply::ok("x") } else { Reply::status(422) }
    });
    let url = |path: &str| server.url(path);
    let commands = [
        vec!["-f".to_owned(), url("/ok")],
        vec!["-f".to_owned(), url("/oops")],
        vec!["-f".to_owned(), url("/gone")],
        vec!["-f".to_owned(), url("/moved")],
        vec!["-fL".to_owned(), url("/moved")],
        vec!["-fI".to_owned(), url("/text")],
        vec!["-f".to_owned(), "-u".to_owned(), "ann:s3cr3t".to_owned(), "-XPOST".to_owned(), url("/login")],
        vec!["-f".to_owned(), "-u".to_owned(), "ann:wrong".to_owned(), "-XPOST".to_owned(), url("/login")],
        vec!["-f".to_owned(), "-d".to_owned(), "sku=TEA+GREEN&n=2".to_owned(), url("/form")],
        vec!["-f".to_owned(), "-d".to_owned(), "sku=COFFEE".to_owned(), url("/form")],
        vec![
            "-f".to_owned(),
            "-X".to_owned(),
            "PUT".to_owned(),
            "--json".to_owned(),
            r#"{"a": [1, 2]}"#.to_owned(),
            url("/json"),
        ],
        vec!["-f".to_owned(), "-m".to_owned(), "2".to_owned(), "http://127.0.0.1:1/".to_owned()],
    ];
    for words in commands {
        let done = Command::new("curl")
            .args(["--silent", "--output", "/dev/null"])
            .args(&words)
            .env_clear()
            .output();
        let done = done.expect("curl is there: apt-get install curl");
        let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let password = words.iter().find_map(|word| word.strip_prefix("ann:")).unwrap_or("none");
        // The name of the secret is that of the scenario.
        let host = url("").trim_start_matches("http://").trim_end_matches('/').replace([':', '.'], "_");
        let host = host.rsplit_once('_').map_or("", |(host, _)| host).to_ascii_uppercase();
        let secret = format!("V_{host}_LOGIN_PASSWORD");
        let events = run_of(
            "curl",
            "a.sh",
            &format!("curl {}\n", line.join(" ")),
            &[],
            &[(secret.as_str(), password)],
        );
        assert_eq!(
            text(&events[0], "prober.verdict") == "good",
            done.status.success(),
            "{words:?}: {:#}",
            events[0]
        );
    }
}

#[test]
fn what_gatus_and_hurl_would_say_is_said() {
    let server = service();
    let gatus = |conditions: &str, path: &str| {
        let text = format!(
            "endpoints: [{{ name: a, url: \"{}\", conditions: [{conditions}] }}]\n",
            server.url(path)
        );
        verdicts(&run_of("gatus", "gatus.yaml", &text, &[], &[]))[0].1
    };
    for (conditions, path, wanted) in [
        ("\"[STATUS] == 200\"", "/ok", true),
        ("\"[STATUS] == 200\"", "/oops", false),
        // Nothing is said of the status: a 500 is healthy for Gatus.
        ("\"[RESPONSE_TIME] < 9000\"", "/oops", true),
        ("\"[BODY].status == UP\", \"[BODY].n == 5\", \"len([BODY].items) == 2\"", "/ok", true),
        ("\"[BODY].n > 5\"", "/ok", false),
        ("\"has([BODY].nothing) == true\"", "/ok", false),
        ("\"[BODY] == pat(*the shop)\"", "/text", true),
        ("\"[BODY] == pat(Bye*)\"", "/text", false),
        ("\"[CONNECTED] == true\"", "/gone", true),
    ] {
        assert_eq!(gatus(conditions, path), wanted, "{conditions} of {path}");
    }
    let hurl = |text: &str| {
        verdicts(&run_of(
            "hurl",
            "flow.hurl",
            text,
            &["--var", &format!("host={}", server.url("").trim_end_matches('/'))],
            &[],
        ))[0]
            .1
    };
    for (text, wanted) in [
        (
            "GET {{host}}/ok\nHTTP 200\n[Captures]\nn: jsonpath \"$.n\"\n[Asserts]\njsonpath \"$.items\" count == 2\n\nGET {{host}}/text?n={{n}}\nHTTP 200\n[Asserts]\nbody contains \"Welcome\"\n",
            true,
        ),
        ("GET {{host}}/ok\nHTTP 201\n", false),
        ("GET {{host}}/moved\nHTTP 302\n", true),
        ("GET {{host}}/moved\n[Options]\nlocation: true\nHTTP 200\n", true),
        ("GET {{host}}/oops\n", true),
        ("GET {{host}}/ok\nHTTP 200\n[Asserts]\njsonpath \"$.status\" == \"DOWN\"\n", false),
        ("GET {{host}}/text\nHTTP 200\n`Welcome to the shop`\n", true),
    ] {
        assert_eq!(hurl(text), wanted, "{text}");
    }
}

#[test]
fn what_is_no_such_file_is_refused_in_one_sentence() {
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    let lines = (1..9).map(|at| format!("a{at}: &a{at} [{}]", vec![format!("*a{}", at - 1); 10].join(", ")));
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    let long = format!("endpoints: [] # {}", "x".repeat(1 << 20));
    let place = Project::new("");
    for (format, text) in [
        ("blackbox", ""),
        ("blackbox", "modules: 3"),
        ("blackbox", "modules: { a: { prober: unix } }"),
        ("blackbox", "a: ["),
        ("gatus", ""),
        ("gatus", "endpoints: {}"),
        ("gatus", "endpoints: [3, [], null, {}]"),
        ("gatus", &deep),
        ("gatus", &bomb),
        ("gatus", &long),
        ("gatus", "endpoints: [{ name: a, url: \"http://[::bad/\" }]"),
        ("curl", ""),
        ("curl", "curl 'https://a"),
        ("curl", "ls -la"),
        ("curl", "curl -H"),
        ("curl", "curl 'ht tp://%%/'"),
        ("hurl", ""),
        ("hurl", "HTTP 200"),
        ("hurl", "GET https://a.example\n{ \"a\": "),
        ("hurl", "GET https://a.example\n```json\n"),
        ("openapi", ""),
        ("openapi", "swagger: \"2.0\""),
        ("openapi", "openapi: 3.0.0\npaths: { /a: { $ref: \"#/paths/~1a\" } }"),
        ("har", ""),
        ("har", "{\"log\": {\"entries\": []}}"),
        ("har", "{\"log\""),
        ("har", "{\"log\": {\"entries\": [{}, 3]}}"),
        ("k8s-probe", ""),
        ("k8s-probe", "kind: Pod"),
        ("k8s-probe", "kind: List\nitems: [3]"),
        ("heartbeat", ""),
        ("heartbeat", "- { type: http }"),
        ("heartbeat", "heartbeat.monitors: 3"),
    ] {
        place.write("given", text);
        let ran = place.prober(&["import", format, "given"]);
        let shown = &text[..text.len().min(60)];
        assert_eq!(ran.code, Some(2), "{format}: {shown:?}: {ran:?}");
        assert!(
            !ran.err.is_empty() && ran.out.is_empty() && ran.err.len() < 4000,
            "{format}: {shown:?}: {ran:?}"
        );
    }
    fs::write(place.path("bytes"), [0xff, 0xfe, 0x00]).unwrap();
    for (args, wanted) in [
        (["import", "gatus", "bytes"], "not UTF-8"),
        (["import", "gatus", "not-there"], "could not be read"),
        (["import", "gatus", "."], "is no file"),
        (["import", "nagios", "bytes"], "invalid value"),
    ] {
        let ran = place.prober(&args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(wanted), "{wanted}: {ran:?}");
    }
}
