//! `prober import`: what comes of files of other tools judges as the tools do, and hostile files are refused.
//!
//! What becomes of each file of the corpus in `tests/import/` is tested beside the code.

mod judged;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::dns;
use testkit::http::{Reply, Server};
use testkit::scripted::{Move, Scripted, say};
use testkit::servers::Blackbox;

use crate::support::{Project, text};

#[test]
fn a_folder_gets_a_project_that_validates_and_nothing_is_overwritten() {
    let place = Project::new("");
    place.write("gatus.yaml", "endpoints: [{ name: Shop home, url: \"https://shop.example/\", headers: { Authorization: Bearer s3cr3t-1 }, conditions: [\"[STATUS] == 200\", \"[IP] == 192.0.2.1\"] }]\n");
    let printed = place.prober(&["import", "gatus", "gatus.yaml"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(printed.out.contains("# not imported: the condition [IP]"), "{printed:?}");
    assert!(printed.err.contains("1 scenario imported, 1 thing not imported"), "{printed:?}");
    let made = place.prober(&["import", "gatus", "gatus.yaml", "--into", "made"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let scenario = fs::read_to_string(place.path("made/scenarios/Shop-home.yaml")).unwrap();
    assert!(printed.out.contains(&scenario), "{printed:?}");
    assert!(!(printed.out + &printed.err + &scenario).contains("s3cr3t"));
    for args in [&["-C", "made", "validate", "--strict"][..], &["fmt", "--check", "made"]] {
        let ran = place.prober(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    }
    let again = place.prober(&["import", "gatus", "gatus.yaml", "--into", "made"]);
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");
}

/// Standard input, a pipe of a shell and a named one are read like a file, up to the same size.
#[test]
fn pipes_are_read_like_files_and_not_without_end() {
    let place = Project::new("");
    place.write(
        "all.yaml",
        "endpoints: [{ name: home, url: \"https://shop.example/\", conditions: [\"[STATUS] == 200\"] }]\n",
    );
    let program = env!("CARGO_BIN_EXE_prober");
    let ran = |script: &str| {
        let mut shell = Command::new("bash");
        let ran = shell.args(["-c", script, "bash", program]).current_dir(place.dir()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    let (code, file, _) = ran("\"$1\" import gatus all.yaml");
    assert!(code == Some(0) && file.contains("name: home"), "{file}");
    for script in [
        "\"$1\" import gatus - <all.yaml",
        "cat all.yaml | \"$1\" import gatus -",
        "cat all.yaml | \"$1\" import gatus /dev/stdin",
        "\"$1\" import gatus <(cat all.yaml)",
        "mkfifo pipe && { cat all.yaml >pipe & } && \"$1\" import gatus pipe",
    ] {
        let (code, out, err) = ran(script);
        assert_eq!((code, &out), (Some(0), &file), "{script}: {err}");
    }
    // What has no name of its own is not called by a number.
    let (code, out, err) = ran("\"$1\" import hurl <(echo GET https://shop.example/)");
    assert!(code == Some(0) && out.contains("name: flow\n"), "{out}{err}");
    for (script, wanted) in [
        ("\"$1\" import gatus /dev/zero", "/dev/zero is longer than 16384 KiB"),
        ("yes | \"$1\" import gatus -", "- is longer than 16384 KiB"),
        ("\"$1\" import gatus .", ". is no file and no pipe"),
        ("\"$1\" import gatus /dev/null", "/dev/null is empty"),
        ("\"$1\" import gatus missing.yaml", "missing.yaml could not be read"),
    ] {
        let (code, out, err) = ran(script);
        assert!(code == Some(2) && out.is_empty() && err.contains(wanted), "{script}: {code:?} {err}");
    }
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

/// In a round of the exporter something is awaited first, line by line, and said then.
#[test]
fn conversations_are_held_as_the_blackbox_exporter_holds_them() {
    const MODULES: &str = r#"
modules:
  smtp: { prober: tcp, timeout: 3s, tcp: { query_response: [{ expect: "^220 ([^ ]+) ESMTP (.+)$" }, { send: "EHLO probe\r" }, { expect: "^250-STARTTLS$" }, { send: "QUIT\r" }] } }
  order: { prober: tcp, timeout: 3s, tcp: { query_response: [{ expect: "^hello", send: "bye" }, { expect: "^gone" }] } }
  begins: { prober: tcp, timeout: 3s, tcp: { query_response: [{ send: "ping" }, { expect: "^(a|b)c" }] } }
"#;
    let mail = |greeting: &str, features: &str| {
        let features = format!("250-mail.example\r\n{features}250 HELP\r\n");
        Scripted::start(vec![say(greeting), Move::Hear("EHLO probe\r\n"), say(features), Move::Hang])
    };
    let peers = [
        ("smtp", mail("220 mail.example ESMTP ready\r\n", "250-SIZE 1\r\n250-STARTTLS\r\n"), true),
        ("smtp", mail("220 mail.example ESMTP ready\r\n", "250-STARTTLS2\r\n"), false),
        ("smtp", mail("554 mail.example says no\r\n", "250-STARTTLS\r\n"), false),
        ("order", Scripted::start(vec![say("hello\n"), Move::Hear("bye\n"), say("gone\n")]), true),
        (
            "order",
            Scripted::start(vec![say("noise\nhello you\n"), Move::Hear("bye\n"), say("x\ngone\n")]),
            true,
        ),
        ("order", Scripted::start(vec![Move::Hear("bye\n"), say("hello\ngone\n")]), false),
        ("begins", Scripted::start(vec![Move::Hear("ping\n"), say("xbc\nbcd\n")]), true),
        ("begins", Scripted::start(vec![Move::Hear("ping\n"), say("xbc\n")]), false),
    ];
    let exporter = Blackbox::start(MODULES);
    let place = Project::new("");
    place.write("blackbox.yml", MODULES);
    let mut jobs = String::from("scrape_configs:\n");
    for (at, (module, peer, _)) in peers.iter().enumerate() {
        let target = peer.addr();
        writeln!(
            jobs,
            "  - {{ job_name: j{at}, metrics_path: /probe, params: {{ module: [{module}] }}, static_configs: [{{ targets: [\"{target}\"] }}] }}"
        )
        .unwrap();
    }
    place.write("prometheus.yml", &jobs);
    let args = ["import", "blackbox", "blackbox.yml", "--prometheus", "prometheus.yml", "--into", "made"];
    let made = place.prober(&args);
    assert_eq!(made.code, Some(0), "{made:?}");
    let ran = place.prober(&["-C", "made", "run", "--format", "json"]);
    let events: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    for (at, (module, peer, wanted)) in peers.iter().enumerate() {
        let page = exporter.probe(module, &peer.addr().to_string()).unwrap();
        assert_eq!(page.contains("\nprobe_success 1\n"), *wanted, "{at} {module}: what the exporter says");
        let event =
            events.iter().find(|event| text(event, "prober.scenario.name") == format!("j{at}")).unwrap();
        assert_eq!(text(event, "prober.verdict") == "good", *wanted, "{at} {module}: {event:#}");
    }
}

/// The module asks, the target is the server: what comes is judged alike.
#[test]
fn answers_of_name_servers_are_judged_as_the_blackbox_exporter_does() {
    const MODULES: &str = r"
modules:
  plain: { prober: dns, timeout: 3s, dns: { preferred_ip_protocol: ip4, query_name: shop.test, query_type: A } }
  gone: { prober: dns, timeout: 3s, dns: { preferred_ip_protocol: ip4, query_name: shop.test, query_type: A, valid_rcodes: [NXDOMAIN, REFUSED] } }
  not_old: { prober: dns, timeout: 3s, dns: { preferred_ip_protocol: ip4, query_name: shop.test, query_type: A, validate_answer_rrs: { fail_if_matches_regexp: ['192\.0\.2\.9$'] } } }
  some_new: { prober: dns, timeout: 3s, dns: { preferred_ip_protocol: ip4, query_name: shop.test, query_type: A, validate_answer_rrs: { fail_if_none_matches_regexp: ['192\.0\.2\.1$'] } } }
  all_new: { prober: dns, timeout: 3s, dns: { preferred_ip_protocol: ip4, query_name: shop.test., query_type: A, transport_protocol: tcp, validate_answer_rrs: { fail_if_not_matches_regexp: ['192\.0\.2\.\d$'] } } }
";
    let answers = [
        ("two", dns::Reply::a(&["192.0.2.1", "192.0.2.9"])),
        ("new", dns::Reply::a(&["192.0.2.1"])),
        ("old", dns::Reply::a(&["192.0.2.9"])),
        ("other", dns::Reply::a(&["198.51.100.77"])),
        ("empty", dns::Reply::empty()),
        ("nxdomain", dns::Reply::rcode(3)),
        ("refused", dns::Reply::rcode(5)),
    ];
    let servers: Vec<_> = answers
        .into_iter()
        .map(|(name, reply)| {
            let server = dns::Server::start();
            server.otherwise(reply);
            (name, server)
        })
        .collect();
    let exporter = Blackbox::start(MODULES);
    let place = Project::new("");
    place.write("blackbox.yml", MODULES);
    let (mut jobs, mut asked) = (String::from("scrape_configs:\n"), Vec::new());
    for module in ["plain", "gone", "not_old", "some_new", "all_new"] {
        for (name, server) in &servers {
            let (job, target) = (format!("{module}-{name}"), server.addr());
            writeln!(
                jobs,
                "  - {{ job_name: {job}, metrics_path: /probe, params: {{ module: [{module}] }}, static_configs: [{{ targets: [\"{target}\"] }}] }}"
            )
            .unwrap();
            asked.push((job, module, target));
        }
    }
    place.write("prometheus.yml", &jobs);
    let args = ["import", "blackbox", "blackbox.yml", "--prometheus", "prometheus.yml", "--into", "made"];
    let made = place.prober(&args);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.err.contains("0 things not imported"), "{made:?}");
    let ran = place.prober(&["-C", "made", "run", "--format", "json"]);
    let events: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let theirs = asked.iter().map(|(job, module, target)| {
        let page = exporter.probe(module, &target.to_string()).unwrap();
        (job.clone(), page.contains("\nprobe_success 1\n"))
    });
    let mut theirs: Vec<_> = theirs.collect();
    theirs.sort();
    let ours = verdicts(&events);
    let other: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(other.is_empty() && ours.len() == theirs.len(), "ours, and the exporter's: {other:#?}");
    assert!(theirs.iter().any(|(_, good)| *good) && theirs.iter().any(|(_, good)| !good));
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

/// Every option of the curl that is here takes a value where the import takes one: else a value would become a URL.
#[test]
fn values_of_curls_options_are_no_urls() {
    let help =
        Command::new("curl").args(["--help", "all"]).output().expect("curl is there: apt-get install curl");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let takes = help.lines().filter(|line| line.contains('<') && line.trim_start().starts_with('-'));
    let options: Vec<&str> = takes
        .flat_map(|line| line.split_whitespace().take_while(|word| word.starts_with('-')))
        .map(|word| word.trim_end_matches(','))
        .filter(|option| !matches!(*option, "--url" | "-h" | "--help"))
        .collect();
    assert!(options.len() > 150, "{options:?}");
    let line = |option: &&str| format!("curl {option} value.of.an.option https://shop.example/\n");
    let place = Project::new("");
    place.write("all.sh", &options.iter().map(line).collect::<String>());
    let ran = place.prober(&["import", "curl", "all.sh"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let wrong: Vec<&str> =
        ran.out.lines().filter(|line| line.contains("http://value.of.an.option")).collect();
    assert!(wrong.iter().all(|line| line.trim_start().starts_with("proxy:")), "{wrong:#?}");
    let kept = ran.out.matches("url: https://shop.example/").count();
    // `-X value.of.an.option` is no method, for one.
    let lost = ran.out.matches("# not imported: the scenario ").count();
    assert!(kept + lost == options.len() && lost < 5, "{kept} and {lost} of {}", options.len());
}
