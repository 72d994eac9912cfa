//! Secrets never reach any output: runs whose target echoes them in every way, in all formats, reports, pages,
//! exports and files, searched for each of them in each way of writing.
//!
//! Beside each secret a plain text is sent that is not secret. It is found in the same places, so the search works.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::Signal;
use testkit::client;
use testkit::http::{Reply, Seen, Server};
use testkit::wait;

use crate::support::{Project, Ran};

const PATIENCE: Duration = Duration::from_mins(3);

/// Sent beside the secrets, and no secret.
const MARKER: &str = "open-marker-4711";

/// What the target hands out, captured as a secret.
const TOKEN: &str = "tok/en+Cap=tured&\"99\"";

/// What the target hands out before the step that would capture it fails.
const UNTAKEN: &str = "tok-untaken-31415";

/// The token of the target's sign-in service.
const FETCHED: &str = "fetched.oauth-token_27182";

/// The values by the variable or file that they come from.
const SECRETS: [(&str, &str); 9] = [
    ("HEADER", "Head3r s3cret/with+plus=="),
    ("BODY", "b0dy \"quoted\" <&> 'wörd' \\ back"),
    ("PATH", "p4th-s3cret~x"),
    ("QUERY", "qu3ry s3cret&more=1/2"),
    ("FORM", "f0rm+s3cret %41"),
    ("PASSWORD", "pa55w0rd:with/colon"),
    ("PREFIX", "pa55w0rd:with"),
    ("BEARER", "b3arer-5ecret.token"),
    ("CLIENT", "cl1ent/secret+1"),
];

/// In a file of several lines that ends with a line break.
const LINES: &str = "first-l1ne-of-secret\nsecond l1ne/of+secret\n";

/// Everything that must never be seen.
fn all_secrets() -> Vec<&'static str> {
    let lines = LINES.lines();
    SECRETS.iter().map(|(_, value)| *value).chain([TOKEN, UNTAKEN, FETCHED]).chain(lines).collect()
}

/// A server that says everything it was told, in every way it can.
fn echoing() -> Server {
    let server = Server::start();
    let login = |token: &str| serde_json::json!({ "access_token": token, "open": MARKER }).to_string();
    let (good, bad) = (login(TOKEN), login(UNTAKEN));
    server.on_request("/login", move |_| Reply::json(&good));
    server.on_request("/refused", move |_| Reply::json(&bad));
    // The token comes, and the end never does.
    server.on(
        "/unfinished",
        Reply::ok(format!("{{\"access_token\":\"{UNTAKEN}\",")).pause(Duration::from_secs(30)).body("}"),
    );
    server.on_request("/token", |seen| {
        let token = format!("{{\"access_token\":\"{FETCHED}\",\"token_type\":\"Bearer\"}}");
        if seen.query.is_some() { Reply::status(400).body(echo(seen)) } else { Reply::json(&token) }
    });
    server.on_request("/digest", |seen| match seen.header("authorization") {
        Some(_) => Reply::ok(echo(seen)),
        None => {
            Reply::status(401).header("www-authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")
        }
    });
    server.on_request("/moved", |seen| {
        Reply::redirect(302, &format!("/echo?{}", seen.query.as_deref().unwrap_or("")))
    });
    server.on_request("/away", |seen| {
        Reply::redirect(302, &format!("ftp://x.example/{}", seen.query.as_deref().unwrap_or("")))
    });
    server.on_request("*", |seen| {
        let reply = Reply::ok(echo(seen));
        let reply =
            if seen.path.contains("slow") { reply.pause(Duration::from_secs(30)).body("end") } else { reply };
        let told = seen.header("x-secret").unwrap_or_default().to_owned();
        reply.header("x-echo", &told).header("x-cache", &told).header("x-open", MARKER)
    });
    server
}

/// The request, in all ways of writing.
fn echo(seen: &Seen) -> String {
    let mut told = vec![MARKER.to_owned(), seen.path.clone(), seen.query.clone().unwrap_or_default()];
    told.extend(seen.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()));
    told.push(String::from_utf8_lossy(&seen.body).into_owned());
    told.iter().flat_map(|text| spellings(text)).collect::<Vec<_>>().join("\n")
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The ways in which a value is sent back, and looked for.
fn spellings(text: &str) -> Vec<String> {
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let hex = text.bytes().fold(String::new(), |out, byte| out + &format!("{byte:02x}"));
    let mut all = vec![
        text.to_owned(),
        json(text),
        json(&json(text)),
        json(text).replace('/', "\\/"),
        text.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04x}")),
        html,
        percent(text),
        percent(text).replace("%20", "+"),
        percent(&percent(text)),
        hex,
        base64(text),
        base64(text).trim_end_matches('=').replace('+', "-").replace('/', "_"),
        percent(&base64(text)),
        base64(&percent(text)),
        // A value at each place in a longer text.
        base64(&format!("a{text}")),
        base64(&format!("ab{text}")),
    ];
    all.sort();
    all.dedup();
    all
}

/// What of each spelling must not be seen: the middle of Base64 stays the same in a longer text.
fn sought(secret: &str) -> Vec<String> {
    let mut all = spellings(secret);
    let inner =
        |text: String, from: usize| text.get(from..text.trim_end_matches('=').len() - 1).map(str::to_owned);
    all.extend(inner(base64(&format!("a{secret}")), 2));
    all.extend(inner(base64(&format!("ab{secret}")), 3));
    all.push(secret.to_lowercase());
    // What a limit leaves of it.
    all.push(secret.chars().take(8).collect());
    all
}

/// Fails if any secret is in `bytes` in any way of writing.
fn assert_clean(place: &str, bytes: &[u8]) {
    static WAYS: LazyLock<Vec<(&str, Vec<String>)>> =
        LazyLock::new(|| all_secrets().into_iter().map(|secret| (secret, sought(secret))).collect());
    // What is no text, as in the store's pages, keeps the texts in it.
    let text = String::from_utf8_lossy(bytes);
    for (secret, ways) in &*WAYS {
        for way in ways {
            if let Some(at) = text.find(way) {
                let from = text.floor_char_boundary(at.saturating_sub(300));
                let to = text.ceil_char_boundary((at + way.len() + 100).min(text.len()));
                panic!("{secret:?} is in {place} as {way:?}: {}", &text[from..to]);
            }
        }
    }
}

fn assert_clean_run(args: &[&str], ran: &Ran) {
    assert_clean(&format!("the output of {args:?}"), ran.out.as_bytes());
    assert_clean(&format!("the errors of {args:?}"), ran.err.as_bytes());
}

/// Every file below `folder`, by its path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.append(&mut files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            all.insert(path.display().to_string(), bytes);
        }
    }
    all
}

/// The steps that send secrets, each in a scenario of its own that ends well, badly, or not in time.
fn scenarios(url: &str) -> Vec<(String, String)> {
    let secret_header = "headers: { X-Secret: \"${secrets.header}\", X-Open: \"open-marker-4711\" }";
    let steps = [
        ("header", format!("url: URL, {secret_header}")),
        ("body", format!("url: URL, method: POST, body: \"{MARKER} ${{secrets.body}}\"")),
        ("json", format!("url: URL, method: POST, json: {{ a: \"${{secrets.body}}\", b: [\"${{secrets.lines}}\"], c: {MARKER} }}")),
        ("form", "url: URL, method: POST, form: { a: \"${secrets.form}\", b: \"${secrets.lines}\" }".to_owned()),
        ("path", "url: \"URL/${secrets.path}/${secrets.query|urlencode}?q=${secrets.query|urlencode}\"".to_owned()),
        ("query", "url: URL, query: { q: \"${secrets.query}\", r: \"${secrets.form}\" }".to_owned()),
        ("filters", "url: URL, headers: { X-Secret: \"${secrets.header|base64|urlencode|base64}\", X-More: \"${secrets.body|json|base64}\" }".to_owned()),
        ("basic", "url: URL, auth: { basic: { user: probe, password: \"${secrets.password}\" } }".to_owned()),
        ("bearer", "url: URL, auth: { bearer: \"${secrets.bearer}\" }".to_owned()),
        ("digest", "url: DIGEST, auth: { digest: { user: probe, password: \"${secrets.password}\" } }".to_owned()),
        ("oauth", "url: URL, auth: { oauth2: { token_url: \"TOKEN\", client_id: probe, client_secret: \"${secrets.client}\" } }".to_owned()),
        ("oauth-refused", "url: URL, auth: { oauth2: { token_url: \"TOKEN?no=1\", client_id: probe, client_secret: \"${secrets.client}\", client_in: body } }".to_owned()),
        ("moved", "url: MOVED, query: { q: \"${secrets.query}\", r: \"${secrets.prefix}\" }".to_owned()),
        ("away", "url: \"AWAY?${secrets.path}\"".to_owned()),
    ];
    let mut all = Vec::new();
    for (name, request) in &steps {
        for (end, path, expect) in [
            ("good", "/echo", "status: 200"),
            ("bad", "/echo", "body: { contains: nothing-like-it }, headers: { X-Echo: other }"),
            ("late", "/slow", "status: 200"),
        ] {
            let request = request
                .replace("DIGEST", &format!("{url}/digest"))
                .replace("TOKEN", &format!("{url}/token"))
                .replace("MOVED", &format!("{url}/moved"))
                .replace("AWAY", &format!("{url}/away"))
                .replace("URL", &format!("{url}{path}"));
            let limit = if end == "late" { "timeout: 700ms\n" } else { "" };
            let capture = "capture: { seen: { body: true } }";
            let capture = if end == "good" { capture } else { "" };
            let body = format!("every: 1m\n{limit}http: {{ {request} }}\nexpect: {{ {expect} }}\n{capture}");
            all.push((format!("{name}-{end}"), body));
        }
    }
    all.push(("flow".to_owned(), flow(url)));
    for (name, path) in [("untaken", "/refused"), ("unfinished", "/unfinished")] {
        all.push((
            name.to_owned(),
            format!(
                "every: 1m\ntimeout: 1s\nsteps:\n  - name: login\n    http: {url}{path}\n    \
                 expect: {{ json: {{ $.access_token: other }} }}\n    \
                 capture: {{ token: {{ json: $.access_token, secret: true }} }}\n  \
                 - name: use\n    http: {{ url: {url}/echo, headers: {{ X-Secret: \"${{token}}\" }} }}\n"
            ),
        ));
    }
    all
}

/// A token that is captured and then sent in every way, and comes back in every later answer.
fn flow(url: &str) -> String {
    format!(
        r#"every: 1m
timeout: 20s
on_failure: continue
steps:
  - name: login
    http: {{ url: {url}/login }}
    expect: {{ status: 200 }}
    capture: {{ token: {{ json: $.access_token, secret: true }}, open: {{ json: $.open }} }}
  - name: header
    http: {{ url: {url}/echo, headers: {{ X-Secret: "Token ${{token}}", X-More: "${{token|base64}}" }} }}
    expect: {{ body: {{ contains: nothing }} }}
  - name: url
    http: {{ url: "{url}/echo/${{token|urlencode}}", query: {{ q: "${{token}}", o: "${{open}}" }} }}
    expect: {{ url: {{ contains: nothing }} }}
  - name: body
    http: {{ method: POST, url: {url}/echo, json: {{ t: "${{token}}", j: "${{token|json|base64|base64}}" }} }}
    expect: {{ body: {{ matches: nothing }} }}
  - name: again
    http: {{ url: {url}/refused }}
    capture: {{ token: {{ json: $.access_token, secret: true }} }}
  - name: last
    http: {{ url: {url}/echo, headers: {{ X-Secret: "${{token}}" }} }}
    expect: {{ headers: {{ X-Echo: other }} }}
"#
    )
}

fn project(server: &Server) -> Project {
    let mut secrets = String::new();
    for (name, _) in SECRETS {
        writeln!(secrets, "  {}: {{ env: SECRET_{name} }}", name.to_lowercase()).unwrap();
    }
    let file = format!(
        "secrets:\n{secrets}  lines: {{ file: keys/lines }}\nexporters:\n  - ndjson: {{ directory: out }}\n"
    );
    let mut project = Project::with(&file, &[]);
    for (name, body) in scenarios(server.url("").trim_end_matches('/')) {
        project.scenario(&name, &body);
    }
    project.write("keys/lines", LINES);
    for (name, value) in SECRETS {
        project.env(&format!("SECRET_{name}"), value);
    }
    for name in ["PROBER_LOG", "RUST_LOG"] {
        project.env(name, "trace");
    }
    let cache = project.path("cache").display().to_string();
    project.env("XDG_CACHE_HOME", &cache);
    project
}

/// Everything that the project's folder holds now, but the files of the author.
fn assert_clean_files(project: &Project) {
    for (path, bytes) in files(project.dir()) {
        if !path.contains("/keys/") {
            assert_clean(&path, &bytes);
        }
    }
}

#[test]
fn no_run_shows_a_secret_in_any_format() {
    let server = echoing();
    let project = project(&server);
    for format in ["human", "json", "jsonl", "junit", "tap", "sarif", "github"] {
        for verbosity in ["", "-v", "-vv"] {
            let report = format!("{format}=report-{format}{verbosity}.txt");
            let mut args = vec!["run", "--format", format, "--report", &report, "--in-flight", "64"];
            args.extend((!verbosity.is_empty()).then_some(verbosity));
            let ran = project.prober(&args);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert_clean_run(&args, &ran);
            assert!(
                ran.out.contains(MARKER) || matches!(format, "sarif" | "github"),
                "{args:?}: {}",
                ran.out
            );
            let told = ran.out.contains("•••(header)") || ran.out.contains("\\u2022");
            assert!(told || format != "json", "{}", ran.out);
        }
    }
    for args in [
        &["explain", "flow"][..],
        &["config"],
        &["config", "--format", "json"],
        &["list"],
        &["list", "--format", "json"],
        &["validate", "--format", "json"],
        &["doctor"],
        &["schedule"],
    ] {
        assert_clean_run(args, &project.prober(args));
    }
    // One run by hand stands for all: they are shown by the same code.
    let path = fs::read_dir(project.path("cache/prober/runs")).unwrap().next().unwrap();
    let id = path.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
    for args in [&["explain", &id][..], &["explain", &id, "--curl"]] {
        assert_clean_run(args, &project.prober(args));
    }
    assert_clean_files(&project);
    let kept = files(&project.path("cache"));
    assert!(kept.values().any(|bytes| String::from_utf8_lossy(bytes).contains(MARKER)), "the search works");
    // The target was told all of them.
    let told: Vec<_> = server.seen().iter().map(echo).collect();
    for secret in all_secrets() {
        let ways = spellings(secret);
        assert!(told.iter().any(|text| ways.iter().any(|way| text.contains(way))), "{secret} was never sent");
    }
}

#[test]
fn no_page_metric_export_or_stored_byte_has_a_secret() {
    let server = echoing();
    let project = project(&server);
    for (name, body) in scenarios(server.url("").trim_end_matches('/')) {
        project.scenario(
            &name,
            &body.replace("every: 1m\n", "every: 5s\n").replace("timeout: 20s", "timeout: 4s"),
        );
    }
    let serving = project.serve_with(&["--in-flight", "200"]);
    let api = serving.api();
    let count = scenarios("").len();
    let streams = || {
        let events = api.events("");
        let names: std::collections::BTreeSet<_> =
            events.iter().map(|event| event["prober.scenario.name"].to_string()).collect();
        (names.len() >= count).then_some(events)
    };
    let events = wait::some_blocking("an event of every scenario", PATIENCE, streams);
    let mut pages: Vec<String> =
        ["/", "/metrics", "/api/v1/scenarios", "/api/v1/events?limit=1000", "/api/v1/account"]
            .map(str::to_owned)
            .to_vec();
    pages.extend(scenarios("").iter().map(|(name, _)| format!("/scenarios/{name}")));
    pages.extend(
        events.iter().filter_map(|event| event["prober.slot.id"].as_str()).map(|id| format!("/runs/{id}")),
    );
    let mut shown = String::new();
    for page in &pages {
        let answer = api.try_get(page).unwrap_or_else(|| panic!("{page} does not answer"));
        assert_clean(page, answer.body.as_bytes());
        shown += &answer.body;
    }
    assert!(shown.contains(MARKER) && shown.contains("•••(header)"), "the search works");
    // A mistake in a line with a secret's own variable, and one in the project file.
    project.scenario(
        "header-good",
        "http: { url: \"${secrets.heder}\", hedaers: { A: \"${secrets.header}\" } }",
    );
    let before = api.json("/api/v1/reload-state")["at"].clone();
    serving.signal(Signal::HUP);
    wait::until_blocking("the reload", PATIENCE, || api.json("/api/v1/reload-state")["at"] != before);
    for page in ["/", "/api/v1/reload-state"] {
        assert_clean(page, client::get(api.0, page).unwrap().body.as_bytes());
    }
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert_clean("the log", err.as_bytes());
    for args in [
        &["events", "-n", "10000", "--format", "jsonl"][..],
        &["events"],
        &["explain", "flow"],
        &["explain", "body-bad"],
    ] {
        assert_clean_run(args, &project.prober(args));
    }
    assert_clean_files(&project);
    for folder in ["prober-data", "out"] {
        let kept = files(&project.path(folder));
        assert!(
            kept.values().any(|bytes| String::from_utf8_lossy(bytes).contains(MARKER)),
            "{folder}: the search works"
        );
    }
}

#[test]
fn a_literal_that_looks_like_a_secret_is_shown_in_no_format() {
    const LITERALS: [&str; 3] = ["ghp_0123456789abcdefghijABCDEFGHIJ", "hunter2-hunter2", "s3cr3t-in-url"];
    let mut project = Project::new("vars: { api_token: hunter2-hunter2 }\n");
    project.scenario(
        "shop",
        &format!(
            "every: 1s\nhttp: {{ url: https://shop.example/, headers: {{ Authorization: \"Bearer {0}\", X-Two: \"{0}\" }}, json: {{ password: {1} }} }}\nexpct: {{ status: 200 }}",
            LITERALS[0], LITERALS[1]
        ),
    );
    project.scenario("other", &format!("http: https://probe:{}@shop.example/", LITERALS[2]));
    project.env("PROBER_LOG", "trace");
    let given = "db_password=hunter2-hunter2";
    for args in [
        &["config", "--var", given][..],
        &["config", "--format", "json"],
        &["explain", "vars", "shop", "--var", given],
    ] {
        let ran = project.prober(args);
        assert!(ran.out.contains("api_token"), "{ran:?}");
        assert!(LITERALS.iter().all(|literal| !ran.out.contains(literal)), "{args:?}: {ran:?}");
    }
    for format in ["human", "json", "jsonl", "junit", "tap", "sarif", "github"] {
        for command in ["validate", "run"] {
            let ran = project.prober(&[command, "--format", format]);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            for literal in LITERALS {
                let seen = [&ran.out, &ran.err].into_iter().any(|text| text.contains(literal));
                assert!(!seen, "{command} {format} shows {literal}: {ran:?}");
            }
            assert!(command == "run" || (ran.out.clone() + &ran.err).contains("W303"), "{format}: {ran:?}");
        }
    }
}

#[test]
fn a_variable_that_looks_like_a_secret_is_masked_wherever_its_value_goes() {
    const TOKEN: &str = "hunter2-hunter2";
    let server = Server::start();
    server
        .on_request("*", |seen| Reply::ok(format!("no such key: {}", seen.header("x").unwrap_or_default())));
    let project = Project::new(&format!("vars: {{ api_token: {TOKEN} }}\n"));
    let url = format!("{}/echo?key=${{vars.api_token}}", server.url(""));
    let body = "expect: { body: { equals: nothing } }";
    project.scenario(
        "shop",
        &format!("http: {{ url: \"{url}\", headers: {{ X: \"${{vars.api_token}}\" }} }}\n{body}"),
    );
    for args in
        [&["list"][..], &["list", "--format", "json"], &["run"], &["run", "-v"], &["run", "--format", "json"]]
    {
        let ran = project.prober(args);
        assert!(ran.out.contains("•••(vars.api_token)"), "{args:?}: {ran:?}");
        assert!(!(ran.out + &ran.err).contains(TOKEN), "{args:?}");
    }
    assert_eq!(server.seen().len(), 3, "each was sent, with the token");
    assert!(server.seen().iter().all(|seen| seen.query.as_deref().unwrap_or_default().contains(TOKEN)));
}

#[test]
fn a_literal_where_others_are_told_is_noticed_and_not_shown() {
    let project = Project::new(
        "routes: { hook: { webhook: \"https://me:hunter2-hunter2@hook.example/x\" } }\n\
         exporters:\n  - remote_write:\n      url: http://me:hunter2-hunter2@store.example/w\n      \
         headers: { Authorization: Bearer hunter2-hunter2 }\n",
    );
    project.scenario("shop", "http: https://shop.example/");
    let ran = project.prober(&["validate"]);
    assert_eq!(ran.err.matches("W303]").count(), 3, "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}
