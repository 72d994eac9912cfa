//! Signing in, against servers that look at what they are sent, and beside curl.

use std::process::Command;

use testkit::http::{Reply, Seen, Server};

use super::*;
use scenario::fields::Fields;
use scenario::template::{Hole, Part, Template};

fn secret(name: &str) -> Bound {
    Bound::Template(Template::new([Part::Hole(Hole::Secret(name.into()), Vec::new())]))
}

fn record(entries: Vec<(&'static str, Bound)>) -> Bound {
    let entries = entries.into_iter().map(|(key, value)| (key, Spanned::new(value, Span::default())));
    Bound::Record(Fields::new(Span::default(), entries.collect()))
}

fn auth(way: &'static str, value: Bound) -> (&'static str, Bound) {
    ("auth", record(vec![(way, value)]))
}

fn login() -> Bound {
    record(vec![("user", template("probe")), ("password", secret("password"))])
}

/// A run that knows the secrets; its outcome, and what was to be hidden.
async fn run(keys: Keys) -> (StepOutcome, Vec<String>) {
    let action = action(keys);
    let mut secrets = Secrets::default();
    secrets.set("password", "pass:w\u{f6}rd \"1\"");
    secrets.set("token", "tok-123");
    secrets.set("client", "s3cret/+&");
    secrets.set("aws", "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let now = SystemClock.now();
    let id = Stream::new("trial", "local").slot(now).id;
    let run = RunFacts { id, started_at: now, attempt: 0, scenario: "trial".into() };
    let captures = Captures::default();
    let scope = Scope { run: &run, captures: &captures, secrets: &secrets };
    let began = Instant::now();
    let mut net = Net::new(trial::shared());
    let context = StepContext { scope: &scope, began, deadline: began + trial::PATIENCE };
    let outcome = action.run(&mut net, &context).await;
    let hidden = net.hidden().iter().map(|(_, captured)| captured.value.to_string()).collect();
    (outcome, hidden)
}

/// curl with `args`; its answer's body.
fn curl(args: &[&str]) -> String {
    let output = Command::new("curl").args(["--silent", "--show-error"]).args(args).output();
    let output = output.expect("curl is there: apt-get install curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_and_bearer_are_what_curl_sends() {
    let server = Server::start();
    server.on("/", Reply::ok(""));
    let (outcome, _) = run([get(server.url("/")), vec![auth("basic", login())]].concat()).await;
    assert_eq!(outcome.failure, None);
    let mut bearer = get(server.url("/"));
    bearer.push(auth("bearer", secret("token")));
    run(bearer).await;
    curl(&["--user", "probe:pass:w\u{f6}rd \"1\"", &server.url("/")]);
    curl(&["--oauth2-bearer", "tok-123", &server.url("/")]);
    let sent: Vec<_> =
        server.seen().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent[0], sent[2]);
    assert_eq!(sent[1], sent[3]);
    assert!(sent[0].starts_with("Basic ") && sent[1] == "Bearer tok-123", "{sent:?}");
}

/// Answers 401 with `challenge` until there is an answer to it.
fn guarded(server: &Server, challenge: &'static str) {
    server.on_request("*", move |seen: &Seen| match seen.header("authorization") {
        Some(_) => Reply::ok("in"),
        None => Reply::status(401).header("www-authenticate", challenge),
    });
}

/// The parts of a header such as `Digest a="b", c=d`.
fn parts(header: &str) -> std::collections::BTreeMap<String, String> {
    let parts = header.trim_start_matches("Digest ").split(',').filter_map(|part| part.split_once('='));
    parts.map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn digest_answers_a_challenge_as_curl_does() {
    for challenge in [
        "Digest realm=\"r\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256, opaque=\"o\"",
        "Digest realm=\"r\", nonce=\"abc\", qop=\"auth\", algorithm=MD5",
        "Digest realm=\"r\", nonce=\"abc\"",
    ] {
        let server = Server::start();
        guarded(&server, challenge);
        let (outcome, _) = run([get(server.url("/a?b=c")), vec![auth("digest", login())]].concat()).await;
        assert_eq!(outcome.failure, None);
        let status: Vec<_> = outcome.hops.iter().map(|hop| hop.status.as_deref().unwrap()).collect();
        assert_eq!(status, ["401", "200"], "the challenge is a hop of its own");
        assert!(outcome.hops[1].reused);
        curl(&["--digest", "--user", "probe:pass:w\u{f6}rd \"1\"", &server.url("/a?b=c")]);
        let seen = server.seen();
        let answers: Vec<_> =
            seen.iter().filter_map(|seen| seen.header("authorization")).map(parts).collect();
        let [ours, theirs] = answers.as_slice() else { panic!("both answered: {seen:?}") };
        // Each has a cnonce of its own, and so another response, but the same parts.
        let keys =
            |parts: &std::collections::BTreeMap<String, String>| parts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(ours), keys(theirs), "{challenge}");
        for key in ours.keys().filter(|key| !matches!(key.as_str(), "cnonce" | "response" | "nc")) {
            assert_eq!(ours[key], theirs[key], "{challenge}: {key}");
        }
        if !challenge.contains("qop") {
            assert_eq!(ours["response"], theirs["response"], "without a cnonce the answers are the same");
        }
    }
}

#[tokio::test]
async fn the_body_of_a_challenge_is_not_looked_at() {
    let server = Server::start();
    let broken = |challenge: &'static str| {
        let reply = Reply::status(401).header("www-authenticate", challenge);
        reply.header("content-encoding", "gzip").body("not gzip")
    };
    server.on_request("/", move |seen: &Seen| match seen.header("authorization") {
        Some(_) => Reply::ok("in"),
        None => broken("Digest realm=r, nonce=n, qop=auth"),
    });
    server.on("/refused", broken("Digest realm=r, nonce=n, qop=auth"));
    server.on("/other", broken("Negotiate"));
    // The last answer is what the step shows, so its body counts.
    for (path, failure, hops) in
        [("/", None, 2), ("/refused", Some("http.encoding"), 2), ("/other", Some("http.encoding"), 1)]
    {
        let (outcome, _) = run([get(server.url(path)), vec![auth("digest", login())]].concat()).await;
        let error_type = outcome.failure.as_ref().map(|failure| &*failure.error_type);
        assert_eq!((error_type, outcome.hops.len()), (failure, hops), "{path}");
    }
}

#[tokio::test]
async fn a_digest_that_is_refused_ends() {
    let server = Server::start();
    server.on("/wrong", Reply::status(401).header("www-authenticate", "Digest realm=r, nonce=n, qop=auth"));
    let stale = "Digest realm=r, nonce=n, qop=auth, stale=true";
    server.on("/stale", Reply::status(401).header("www-authenticate", stale));
    server.on("/other", Reply::status(401).header("www-authenticate", "Negotiate"));
    server.on("/open", Reply::ok("hello"));
    for (path, failure, requests) in
        [("/wrong", None, 2), ("/stale", None, 5), ("/other", Some("auth.challenge"), 1), ("/open", None, 1)]
    {
        let before = server.requests();
        let (outcome, _) = run([get(server.url(path)), vec![auth("digest", login())]].concat()).await;
        let error_type = outcome.failure.as_ref().map(|failure| &*failure.error_type);
        assert_eq!(error_type, failure, "{path}");
        assert_eq!(server.requests() - before, requests, "{path}");
        assert_eq!(outcome.hops.len() as u64, requests, "{path}");
    }
}

fn oauth2(url: String, client_in: &'static str) -> (&'static str, Bound) {
    let keys = vec![
        ("token_url", template(url)),
        ("client_id", template("my probe")),
        ("client_secret", secret("client")),
        ("scope", template("a b")),
        ("audience", template("https://api.example")),
        ("client_in", Bound::Choice(client_in)),
    ];
    auth("oauth2", record(keys))
}

#[tokio::test]
async fn a_token_is_fetched_as_a_hop_of_its_own_and_hidden() {
    let (api, id) = (Server::start(), Server::start());
    api.on("/", Reply::ok("in"));
    id.on(
        "/token",
        Reply::json(r#"{"access_token":"very-secret-token","token_type":"bearer","expires_in":60}"#),
    );
    for (client_in, header) in [("header", Some("Basic bXkrcHJvYmU6czNjcmV0JTJGJTJCJTI2")), ("body", None)] {
        let (outcome, hidden) =
            run([get(api.url("/")), vec![oauth2(id.url("/token"), client_in)]].concat()).await;
        assert_eq!(outcome.failure, None);
        assert_eq!(outcome.hops.len(), 2);
        assert!(outcome.hops[0].label.starts_with("POST ") && outcome.hops[0].label.ends_with("/token"));
        assert!(outcome.hops.iter().all(|hop| !hop.phases.is_empty()));
        let redirects = outcome.evidence.read("redirects", &scenario::value::Selector::Whole);
        assert_eq!(redirects, scenario::value::Reading::One(scenario::value::Value::Int(0)));
        assert!(hidden[0].contains("very-secret-token"));
        let asked = id.seen().pop().unwrap();
        assert_eq!(asked.header("authorization"), header);
        let form = String::from_utf8(asked.body.to_vec()).unwrap();
        assert!(
            form.starts_with("grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fapi.example"),
            "{form}"
        );
        assert_eq!(form.contains("client_secret=s3cret%2F%2B%26"), header.is_none(), "{form}");
        assert_eq!(api.seen().pop().unwrap().header("authorization"), Some("Bearer very-secret-token"));
    }
}

#[tokio::test]
async fn no_token_is_named_as_such_and_nothing_else_is_asked() {
    let (api, id) = (Server::start(), Server::start());
    api.on("/", Reply::ok("in"));
    id.on(
        "/refused",
        Reply::status(401)
            .header("content-type", "application/json")
            .body(r#"{"error":"invalid_client","error_description":"The secret has expired."}"#),
    );
    id.on("/late", Reply::json(r#"{"error":"bad_scope","error_description":"No such scope."}"#));
    id.on("/html", Reply::ok("<html>"));
    id.on("/mac", Reply::json(r#"{"access_token":"x","token_type":"mac"}"#));
    id.on("/lines", Reply::json(r#"{"access_token":"a\r\nB: c"}"#));
    id.on("/moved", Reply::redirect(302, "/refused"));
    id.on("/cut", Reply::ok("{").broken());
    let nowhere = format!("http://127.0.0.1:{}/token", testkit::wait::free_port());
    for (url, failure, said) in [
        (
            id.url("/refused"),
            "protocol auth.token",
            "the answer is 401 invalid_client: The secret has expired.",
        ),
        (id.url("/late"), "protocol auth.token", "no access_token: bad_scope: No such scope."),
        (id.url("/html"), "protocol auth.token", "no access_token"),
        (id.url("/mac"), "protocol auth.token", "not of the type Bearer"),
        (id.url("/lines"), "protocol auth.token", "cannot stand in a header"),
        (id.url("/moved"), "protocol auth.token", "the answer is 302"),
        (id.url("/cut"), "protocol http.truncated", "before the end"),
        (nowhere, "connect connect.refused", "refused the connection"),
    ] {
        let (outcome, _) = run([get(api.url("/")), vec![oauth2(url.clone(), "header")]].concat()).await;
        let got = outcome.failure.unwrap();
        assert_eq!(format!("{} {}", got.class, got.error_type), failure, "{}", got.message);
        assert!(
            got.message.starts_with(&format!("no token from {url}: ")) && got.message.contains(said),
            "{}",
            got.message
        );
        assert_eq!(outcome.hops.len(), 1);
    }
    assert_eq!(api.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_signed_as_curl_signs_it() {
    let server = Server::start();
    server.on("*", Reply::ok(""));
    let aws = vec![
        ("service", text("execute-api")),
        ("region", text("eu-central-1")),
        ("credentials", secret("aws")),
    ];
    let url = server.url("/stage/orders?b=2&a=1%20x");
    let (outcome, hidden) = run([get(url.clone()), vec![auth("sigv4", record(aws))]].concat()).await;
    assert_eq!(outcome.failure, None);
    assert!(hidden[0].contains("wJalrXUtnFEMI"));
    let user = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    // curl signs the query in the order in which it was given.
    curl(&[
        "--aws-sigv4",
        "aws:amz:eu-central-1:execute-api",
        "--user",
        user,
        &server.url("/stage/orders?a=1%20x&b=2"),
    ]);
    let seen = server.seen();
    assert_eq!(seen[0].query.as_deref(), Some("a=1%20x&b=2"));
    let credentials = crate::sigv4::Credentials::parse(user).unwrap();
    for seen in seen {
        // Signed once more for the moment at which it was: with what both of them signed.
        let date = seen.header("x-amz-date").unwrap();
        let at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).unwrap().to_datetime().unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().into();
        let mut headers = ::http::HeaderMap::new();
        headers.insert("host", seen.headers["host"].clone());
        let url = url::Url::parse(&server.url(&format!("{}?{}", seen.path, seen.query.as_deref().unwrap())))
            .unwrap();
        let scope = crate::sigv4::Scope { region: "eu-central-1", service: "execute-api", at };
        crate::sigv4::sign((&::http::Method::GET, &url, b""), &mut headers, &scope, &credentials);
        assert_eq!(seen.header("authorization"), headers["authorization"].to_str().ok());
    }
}

#[tokio::test]
async fn nothing_of_a_login_goes_to_another_origin() {
    let (home, abroad) = (Server::start(), Server::start());
    abroad.on("/taken", Reply::ok("taken"));
    let aws = vec![("service", text("es")), ("region", text("eu-central-1")), ("credentials", secret("aws"))];
    for (way, value) in
        [("basic", login()), ("bearer", secret("token")), ("digest", login()), ("sigv4", record(aws))]
    {
        let to = abroad.url("/taken");
        home.on_request("/", move |seen: &Seen| match seen.header("authorization") {
            Some(_) => Reply::redirect(307, &to),
            None => Reply::status(401).header("www-authenticate", "Digest realm=r, nonce=n, qop=auth"),
        });
        let (outcome, _) = run([get(home.url("/")), vec![auth(way, value)]].concat()).await;
        assert_eq!(outcome.failure, None, "{way}");
        let taken = abroad.seen().pop().unwrap();
        for name in
            ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "traceparent"]
        {
            assert_eq!(taken.header(name), None, "{way}: {name}");
        }
    }
    // A body with a secret in it stays at home too.
    home.on("/form", Reply::redirect(307, &abroad.url("/taken")));
    home.on("/same", Reply::redirect(307, "/end"));
    home.on("/end", Reply::ok("end"));
    let before = abroad.requests();
    for (path, failure) in [("/form", Some("http.redirect_secret")), ("/same", None)] {
        let mut keys = get(home.url(path));
        keys.push(("method", text("POST")));
        keys.push(("body", secret("password")));
        let (outcome, _) = run(keys).await;
        assert_eq!(outcome.failure.as_ref().map(|failure| &*failure.error_type), failure);
    }
    assert_eq!(abroad.requests(), before);
}

#[tokio::test]
async fn a_login_that_lacks_its_secret_is_our_fault() {
    let server = Server::start();
    for (way, value) in [
        ("bearer", secret("missing")),
        ("basic", record(vec![("user", template("a")), ("password", secret("missing"))])),
    ] {
        let (outcome, _) = run([get(server.url("/")), vec![auth(way, value)]].concat()).await;
        assert_eq!(outcome.failure.unwrap().error_type, "local.secret");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn mistakes_in_a_login_are_found_before_anything_runs() {
    let with = |entries: Vec<(&'static str, Bound)>| {
        [get("https://shop.example/"), vec![("auth", record(entries))]].concat()
    };
    let plain = record(vec![("user", template("probe")), ("password", template("hunter2"))]);
    let colon = record(vec![("user", template("a:b")), ("password", secret("password"))]);
    for (keys, mistake) in [
        (with(vec![]), "E183: `auth` does not say how to sign in"),
        (
            with(vec![("basic", login()), ("bearer", secret("token"))]),
            "E183: `basic` and `bearer` both sign in",
        ),
        (with(vec![("basic", plain)]), "E180: the password stands in the file"),
        (with(vec![("basic", colon)]), "E183: a user's name cannot have a colon in it"),
        (with(vec![("bearer", template("abc"))]), "E180: the token stands in the file"),
        (
            [with(vec![("basic", login())]), vec![("headers", map(&[("authorization", "x")]))]].concat(),
            "E183: `auth` and the header Authorization both sign in",
        ),
    ] {
        assert_eq!(trial::compile(&KIND, keys).err(), Some(vec![mistake.to_owned()]));
    }
}

#[tokio::test]
async fn a_token_never_shows_even_if_a_server_repeats_it() {
    let server = Server::start();
    server.on("/token", Reply::json(r#"{"access_token":"very-secret-token"}"#));
    server
        .on_request("/echo", |seen: &Seen| Reply::ok(seen.header("authorization").unwrap_or("").to_owned()));
    let login = format!(
        "token_url: \"{}\", client_id: a, client_secret: \"${{secrets.client}}\"",
        server.url("/token")
    );
    let step = format!(
        "http:\n  url: {}\n  auth: {{ oauth2: {{ {login} }} }}\nexpect: {{ body: nothing }}",
        server.url("/echo")
    );
    let outcome = trial::judge_with(&step, &[("client", "client-secret")]).await;
    let shown = format!("{outcome:?}");
    assert!(!shown.contains("very-secret") && !shown.contains("client-secret"), "{shown}");
    assert!(trial::told(&outcome).contains("Bearer •••(token)"), "{}", trial::told(&outcome));
}
