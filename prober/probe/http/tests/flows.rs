//! What a run carries from request to request: connections, cookies, redirects.

use model::step::Phase::{Connect, Receive, Send, Wait};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};

use super::*;

fn evidence_status(outcome: &StepOutcome) -> i64 {
    match outcome.evidence.read("status", &scenario::value::Selector::Whole) {
        scenario::value::Reading::One(scenario::value::Value::Int(status)) => status,
        other => panic!("a status is a number, not {other:?}: {:?}", outcome.failure),
    }
}

#[tokio::test]
async fn a_flow_uses_one_connection_and_a_new_run_a_new_one() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    for run in 1..=2 {
        let outcomes = flow(vec![get(server.url("/")), get(server.url("/")), get(server.url("/"))]).await;
        assert_eq!(server.connections(), run);
        assert_eq!(phases_of(&outcomes[0], 0), [Connect, Send, Wait, Receive]);
        assert!(!outcomes[0].hops[0].reused);
        for outcome in &outcomes[1..] {
            assert!(outcome.hops[0].reused);
            assert_eq!(phases_of(outcome, 0), [Send, Wait, Receive]);
            assert_eq!(outcome.hops[0].peer, Some(server.addr()));
        }
    }
    testkit::wait::until("all connections to be closed", trial::PATIENCE, || server.open_connections() == 0)
        .await;
}

#[tokio::test]
async fn http_2_is_reused_and_spoken_by_prior_knowledge() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h2()));
    server.on("/", Reply::ok("hello"));
    let keys = || {
        let mut keys = get(server.url("/"));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        keys
    };
    let outcomes = flow(vec![keys(), keys()]).await;
    assert_eq!(server.connections(), 1);
    assert!(outcomes[1].hops[0].reused);
    assert_eq!(outcomes[1].attributes.text("network.protocol.version"), Some("2"));

    let plain = Server::start();
    plain.on("/", Reply::ok("hello"));
    let mut keys = get(plain.url("/"));
    keys.push(("http_version", Bound::Choice("2")));
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let seen = &plain.seen()[0];
    assert_eq!(seen.version, ::http::Version::HTTP_2);
    assert_eq!(trial.attribute("network.protocol.version"), "2");
}

#[tokio::test]
async fn http_2_can_be_refused_and_asked_for() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let speech = Speech { alpn: vec!["h2", "http/1.1"], ..Speech::h1() };
    let both = Server::start_tls(identity.server_config(&speech));
    both.on("/", Reply::ok("hello"));
    let only_1 = Server::start_tls(identity.server_config(&Speech::h1()));
    for (server, version, spoken) in [(&both, "1.1", Some("1.1")), (&only_1, "2", None)] {
        let mut keys = get(server.url("/"));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        keys.push(("http_version", Bound::Choice(version)));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.attributes.text("network.protocol.version"), spoken);
        assert_eq!(trial.outcome.failure.is_none(), spoken.is_some(), "{:?}", trial.outcome.failure);
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_noted_and_replaced() {
    let server = Server::start();
    // The server closes after the first answer; the client does not know until it looks.
    server.on("/first", Reply::ok("hello"));
    server.on("/second", Reply::ok("hello"));
    let (first, second) = (action(get(server.url("/first"))), action(get(server.url("/second"))));
    let mut net = Net::new(trial::shared());
    net.expect_more(true);
    step(&*first, &mut net, trial::PATIENCE).await;
    let (addr, port) = (server.addr(), server.addr().port());
    drop(server);
    let again = testkit::hostile::Hostile::start(testkit::hostile::Fault::HalfOpen);
    assert_ne!(again.addr().port(), port);
    let outcome = step(&*second, &mut net, trial::PATIENCE).await;
    let hop = &outcome.hops[0];
    assert!(!hop.reused);
    assert_eq!(&*hop.attempts[0].error_type, "connect.closed");
    assert_eq!(hop.attempts[0].peer, addr);
    // Nobody listens there any more, and that is what failed.
    assert_eq!(outcome.failure.map(|failure| failure.error_type), Some("connect.refused".into()));
}

#[tokio::test]
async fn cookies_stay_in_the_run_and_with_their_site() {
    let server = Server::start();
    server.on(
        "/login",
        Reply::ok("in").cookie("session=abc; Path=/; HttpOnly").cookie("theme=dark; Path=/cart"),
    );
    server.on("/cart", Reply::ok("cart"));
    server.on("/other", Reply::ok("other"));
    let outcomes = flow(vec![
        get(server.url("/login")),
        get(server.url("/cart")),
        get(server.url("/other")),
        get(server.url_as("localhost", "/cart")),
    ])
    .await;
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()));
    let sent: Vec<_> = server.seen().iter().map(|seen| seen.header("cookie").map(str::to_owned)).collect();
    assert_eq!(sent[0], None);
    assert_eq!(sent[1].as_deref(), Some("theme=dark; session=abc"), "the longer path comes first");
    assert_eq!(sent[2].as_deref(), Some("session=abc"));
    assert_eq!(sent[3], None, "another host's cookies are not sent");
}

#[tokio::test]
async fn cookies_are_sent_in_their_order() {
    let server = Server::start();
    let names = ["k", "b", "z", "a", "m", "c"];
    let login = |values: &str| {
        let cookie = |reply: Reply, name: &str| reply.cookie(&format!("{name}={values}; Path=/"));
        names.into_iter().fold(Reply::ok("in"), cookie).cookie("deep=1; Path=/cart")
    };
    server.on("/login", login("1"));
    server.on("/again", Reply::ok("in").cookie("a=2; Path=/"));
    server.on("/cart", Reply::ok("cart"));
    flow(vec![get(server.url("/login")), get(server.url("/again")), get(server.url("/cart"))]).await;
    // A value that is new does not make a cookie younger.
    assert_eq!(server.seen()[2].header("cookie"), Some("deep=1; k=1; b=1; z=1; a=2; m=1; c=1"));
}

#[tokio::test]
async fn redirects_are_hops_and_keep_to_the_rules() {
    let server = Server::start();
    server.on("/old", Reply::redirect(301, "/new"));
    server.on("/new", Reply::redirect(307, "/end"));
    server.on("/end", Reply::ok("end"));
    let keys =
        vec![("url", template(server.url("/old"))), ("method", text("POST")), ("body", template("order"))];
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(evidence_status(&trial.outcome), 200);
    let hops = &trial.outcome.hops;
    assert_eq!(
        hops.iter().map(|hop| hop.status.as_deref()).collect::<Vec<_>>(),
        [Some("301"), Some("307"), Some("200")]
    );
    assert_eq!(hops.iter().map(|hop| hop.reused).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(trial.value("redirects"), scenario::value::Value::Int(2));
    let seen = server.seen();
    assert_eq!(seen[0].method, "POST");
    assert_eq!(&seen[0].body[..], b"order");
    assert_eq!((seen[1].method.as_str(), seen[1].body.len()), ("GET", 0));
    assert_eq!(seen[1].header("content-type"), None);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_private_does_not_leave_its_origin() {
    let (home, abroad) = (Server::start(), Server::start());
    home.on("/", Reply::redirect(302, &abroad.url("/taken")));
    home.on("/same", Reply::redirect(302, "/end"));
    home.on("/end", Reply::ok("end"));
    abroad.on("/taken", Reply::ok("taken"));
    let headers = map(&[("Authorization", "Bearer abc"), ("Cookie", "a=b"), ("X-Plain", "yes")]);
    for path in ["/", "/same"] {
        let keys = vec![("url", template(home.url(path))), ("headers", headers.clone())];
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None);
    }
    let taken = &abroad.seen()[0];
    for private in ["authorization", "cookie", "traceparent"] {
        assert_eq!(taken.header(private), None, "{private}");
    }
    assert_eq!(taken.header("x-plain"), Some("yes"));
    assert_eq!(taken.header("host"), Some(abroad.addr().to_string().as_str()));
    let end = home.seen().into_iter().find(|seen| seen.path == "/end").unwrap();
    assert_eq!(end.header("authorization"), Some("Bearer abc"));
    assert!(end.header("traceparent").is_some());
}

#[tokio::test]
async fn redirects_end() {
    let pki = Pki::new();
    let secure = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1()));
    secure.on("/down", Reply::redirect(301, "http://127.0.0.1:1/"));
    secure.on("/bad", Reply::redirect(301, "ftp://127.0.0.1/"));
    secure.on("/loop", Reply::redirect(302, "/loop"));
    secure.on("/plain", Reply::status(302));
    for (path, follow, failure, hops) in [
        ("/down", 5, Some("http.redirect_downgrade"), 1),
        ("/bad", 5, Some("http.protocol"), 1),
        ("/loop", 3, Some("http.redirect_loop"), 4),
        ("/loop", 0, None, 1),
        ("/plain", 5, None, 1),
    ] {
        let mut keys = get(secure.url(path));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        keys.push(("follow", Bound::Int(follow)));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        let error_type = trial.outcome.failure.as_ref().map(|failure| failure.error_type.to_string());
        assert_eq!(error_type.as_deref(), failure, "{path}");
        assert_eq!(trial.outcome.hops.len(), hops, "{path}");
        if failure.is_none() {
            assert_eq!(evidence_status(&trial.outcome), 302);
        }
    }
}

#[tokio::test]
async fn every_request_says_who_sends_it() {
    let server = Server::start();
    server.on("/", Reply::ok(""));
    let keys = vec![
        ("url", template(server.url_as("localhost", "/?a=1"))),
        ("query", map(&[("q", "blue shoes&more")])),
        ("form", map(&[("user", "a&b")])),
        ("method", text("POST")),
    ];
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.attribute("url.full"), server.url_as("localhost", "/?a=REDACTED&q=REDACTED"));
    let seen = &server.seen()[0];
    assert_eq!(seen.header("host"), Some(format!("localhost:{}", server.addr().port()).as_str()));
    assert_eq!(seen.header("accept"), Some("*/*"));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(&seen.body[..], b"user=a%26b");
    assert_eq!(seen.query.as_deref(), Some("a=1&q=blue+shoes%26more"));
    let agent = seen.header("user-agent").unwrap();
    assert!(agent.starts_with("prober/") && agent.ends_with("(+scenario trial)"), "{agent}");
    let parts: Vec<_> = seen.header("traceparent").unwrap().split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2]);
}

#[tokio::test]
async fn a_header_of_the_author_takes_the_place_of_ours() {
    let server = Server::start();
    server.on("/", Reply::ok(""));
    let headers =
        map(&[("user-agent", "mine"), ("Host", "other.test"), ("traceparent", "00-a-b-00"), ("X", "1")]);
    let keys = vec![("url", template(server.url("/"))), ("headers", headers)];
    trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    let seen = &server.seen()[0];
    assert_eq!(seen.headers.get_all("user-agent").iter().count(), 1);
    for (name, value) in
        [("user-agent", "mine"), ("host", "other.test"), ("traceparent", "00-a-b-00"), ("x", "1")]
    {
        assert_eq!(seen.header(name), Some(value));
    }
}
