//! Redirects: how far they are followed, and what goes along to another origin.

use scenario::fields::Fields;
use scenario::template::{Hole, Part, Template};
use testkit::http::{Reply, Seen, Server};
use testkit::pki::{Flaw, Pki, Speech};

use super::*;

#[tokio::test]
async fn limits_count_what_is_followed() {
    let server = Server::start();
    for number in 0..30 {
        server.on(&format!("/{number}"), Reply::redirect(302, &format!("/{}", number + 1)));
    }
    server.on("/4", Reply::ok("here"));
    server.on("/28", Reply::ok("here"));
    for (start, follow, redirects, failure) in [
        (0, Some(4), 4, None),
        (0, Some(3), 3, Some("protocol http.redirect_loop")),
        (0, None, 4, None),
        (5, None, 5, Some("protocol http.redirect_loop")),
        (8, Some(20), 20, None),
        (7, Some(20), 20, Some("protocol http.redirect_loop")),
        (0, Some(0), 0, None),
    ] {
        let before = server.requests();
        let mut keys = get(server.url(&format!("/{start}")));
        keys.extend(follow.map(|follow| ("follow", Bound::Int(follow))));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        let found = trial.outcome.failure.as_ref().map(|_| trial.failure());
        assert_eq!(found.as_deref(), failure, "{start} {follow:?}");
        assert_eq!(trial.outcome.hops.len(), redirects + 1, "{start} {follow:?}");
        assert_eq!(server.requests() - before, redirects as u64 + 1, "no more is asked than is followed");
    }
}

/// A text that is a secret of the scenario.
fn secret(name: &str) -> Bound {
    Bound::Template(Template::new([Part::Hole(Hole::Secret(name.into()), Vec::new())]))
}

fn record(entries: Vec<(&'static str, Bound)>) -> Bound {
    let entries = entries.into_iter().map(|(key, value)| (key, Spanned::new(value, Span::default())));
    Bound::Record(Fields::new(Span::default(), entries.collect()))
}

/// Everything that says who asks, in one request.
fn everything(url: String, pki: &Pki, client: &testkit::pki::Identity) -> Keys {
    let path = |path: &std::path::Path| template(path.display().to_string());
    let spanned = |(key, value): (&str, Bound)| {
        (Spanned::new(key.to_owned(), Span::default()), Spanned::new(value, Span::default()))
    };
    let headers = [
        ("Cookie", template("mine=1")),
        ("Proxy-Authorization", template("Basic abc")),
        ("X-Api-Key", secret("key")),
        ("X-Plain", template("yes")),
    ];
    vec![
        ("url", template(url)),
        ("headers", Bound::Map(headers.into_iter().map(spanned).collect())),
        ("auth", record(vec![("bearer", secret("token"))])),
        (
            "client_certificate",
            record(vec![("cert", path(&client.cert_file)), ("key", path(&client.key_file))]),
        ),
        ("ca", text(pki.root_file().display().to_string())),
    ]
}

/// What of that a request has.
fn told(seen: &Seen) -> Vec<&'static str> {
    let names = ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-plain", "traceparent"];
    names.into_iter().filter(|name| seen.header(name).is_some()).collect()
}

#[tokio::test]
async fn what_says_who_asks_stays_with_its_origin() {
    let (pki, clients) = (Pki::new(), Pki::new());
    let client = clients.identity(&["probe.test"], Flaw::None);
    // `home` asks who the client is, and does not go on without; the others would notice if they were told.
    let home = Server::start_tls(
        pki.identity(&["127.0.0.1"], Flaw::None).server_config_asking(&Speech::h1(), &clients),
    );
    let port = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1()));
    let host = Server::start_tls(pki.identity(&["localhost"], Flaw::None).server_config(&Speech::h2()));
    let asks = Server::start_tls(
        pki.identity(&["localhost"], Flaw::None).server_config_asking(&Speech::h1(), &clients),
    );
    for server in [&home, &port, &host] {
        server.on("/end", Reply::ok("end"));
    }
    let back = home.url("/end");
    for (path, to) in [
        ("/same", "/end".to_owned()),
        ("/port", port.url("/end")),
        ("/host", host.url_as("localhost", "/end")),
        ("/asks", asks.url_as("localhost", "/end")),
        ("/round", port.url("/back")),
    ] {
        home.on(path, Reply::redirect(307, &to).cookie("theirs=2; Path=/"));
    }
    port.on("/back", Reply::redirect(307, &back));
    let mut secrets = Secrets::default();
    secrets.set("key", "a-secret-key");
    secrets.set("token", "a-secret-token");
    let all = &["authorization", "cookie", "proxy-authorization", "x-api-key", "x-plain", "traceparent"][..];
    let run = async |path: &str| {
        let action = action(everything(home.url(path), &pki, &client));
        trial::run_with(&*action, &trial::shared(), &secrets, trial::PATIENCE).await
    };
    let last = |server: &Server| told(server.seen().last().expect("it was asked"));

    assert_eq!(run("/same").await.outcome.failure, None);
    assert_eq!(last(&home), all, "nothing is lost on the way to the same origin");
    let cookies = home.seen().last().unwrap().header("cookie").unwrap().to_owned();
    assert!(cookies.contains("mine=1") && cookies.contains("theirs=2"), "{cookies}");

    // Another port is another origin; cookies of the run go to every port of a host (RFC 6265, section 8.5).
    assert_eq!(run("/port").await.outcome.failure, None);
    assert_eq!(last(&port), ["cookie", "x-plain"]);
    assert_eq!(port.seen().last().unwrap().header("cookie"), Some("theirs=2"));

    assert_eq!(run("/host").await.outcome.failure, None);
    assert_eq!(last(&host), ["x-plain"]);
    let seen = host.seen().pop().unwrap();
    assert_eq!(seen.sni.as_deref(), Some("localhost"), "the name in TLS is the new host's");

    // A certificate is not shown abroad, even to one who asks for it.
    let trial = run("/asks").await;
    assert!(
        trial.failure().starts_with("tls ") || trial.failure().starts_with("connect "),
        "{}",
        trial.message()
    );
    assert_eq!(asks.requests(), 0);

    // What was left behind does not come back on the way home.
    assert_eq!(run("/round").await.outcome.failure, None);
    let seen = told(home.seen().last().unwrap());
    assert!(!seen.contains(&"x-api-key") && !seen.contains(&"proxy-authorization"), "{seen:?}");
    assert!(
        home.seen()
            .iter()
            .chain(&port.seen())
            .chain(&host.seen())
            .all(|seen| seen.path != "/end"
                || seen.header("x-api-key").is_none_or(|key| key == "a-secret-key"))
    );
}

#[tokio::test]
async fn a_name_and_a_password_in_the_place_sign_in_there() {
    let (home, abroad) = (Server::start(), Server::start());
    let with_login = |url: String, login: &str| url.replace("http://", &format!("http://{login}@"));
    home.on("/same", Reply::redirect(302, &with_login(home.url("/end"), "me:p%40ss-word")));
    home.on("/abroad", Reply::redirect(302, &with_login(abroad.url("/on"), "me:p%40ss-word")));
    home.on("/name", Reply::redirect(302, &with_login(abroad.url("/end"), "me")));
    home.on("/away", Reply::redirect(302, &with_login(home.url("/leave"), "me:p%40ss-word")));
    home.on("/leave", Reply::redirect(302, &abroad.url("/end")));
    abroad.on("/on", Reply::redirect(302, "/end"));
    for server in [&home, &abroad] {
        server.on("/end", Reply::ok("you are p@ss-word"));
    }
    for (path, at, expected) in [
        ("/same", &home, Some("Basic bWU6cEBzcy13b3Jk")),
        ("/abroad", &abroad, Some("Basic bWU6cEBzcy13b3Jk")),
        ("/name", &abroad, Some("Basic bWU6")),
        ("/away", &abroad, None),
    ] {
        let last = || at.seen().last().unwrap().header("authorization").map(str::to_owned);
        let curl = std::process::Command::new("curl").args(["-sSfL", &home.url(path)]).output().unwrap();
        assert!(curl.status.success(), "{curl:?}");
        // curl signs in nowhere but at its first host; browsers and Go do.
        let by_curl = expected.filter(|_| std::ptr::eq(at, &raw const home));
        assert_eq!(last().as_deref(), by_curl, "curl {path}");
        let trial = trial::run(&KIND, get(home.url(path)), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None);
        assert_eq!(last().as_deref(), expected, "{path}");
        let kept = format!("{:?}", trial.outcome.hops);
        assert!(!kept.contains("ss-word") && !kept.contains("bWU6"), "{kept}");
    }
}

#[tokio::test]
async fn methods_and_bodies_change_as_browsers_change_them() {
    let server = Server::start();
    server.on("/end", Reply::ok("end"));
    for (status, method, then, body) in [
        (301, "POST", "GET", ""),
        (302, "POST", "GET", ""),
        (303, "POST", "GET", ""),
        (303, "PUT", "GET", ""),
        (307, "POST", "POST", "order"),
        (308, "POST", "POST", "order"),
        (301, "PUT", "PUT", "order"),
        (302, "DELETE", "DELETE", "order"),
    ] {
        server.on("/", Reply::redirect(status, "/end"));
        let keys = vec![
            ("url", template(server.url("/"))),
            ("method", text(method)),
            ("body", template("order")),
            ("content_type", template("text/plain")),
        ];
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None);
        let seen = server.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), &*seen.body), (then, body.as_bytes()), "{status} {method}");
        assert_eq!(seen.header("content-type").is_some(), !body.is_empty(), "{status} {method}");
    }
}

#[tokio::test]
async fn a_body_with_a_secret_goes_nowhere_else() {
    let (home, abroad) = (Server::start(), Server::start());
    home.on("/", Reply::redirect(307, &abroad.url("/")));
    home.on("/same", Reply::redirect(307, "/end"));
    home.on("/end", Reply::ok("end"));
    abroad.on("/", Reply::ok("taken"));
    let mut secrets = Secrets::default();
    secrets.set("password", "hunter2");
    for (path, failure) in [("/", Some("protocol http.redirect_secret")), ("/same", None)] {
        let keys =
            vec![("url", template(home.url(path))), ("method", text("POST")), ("body", secret("password"))];
        let trial = trial::run_with(&*action(keys), &trial::shared(), &secrets, trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure.as_ref().map(|_| trial.failure()).as_deref(), failure, "{path}");
    }
    assert_eq!(abroad.requests(), 0);
}
