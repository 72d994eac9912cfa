//! What may be looked at in an answer: pages, schemas, caches, and bodies that did not come whole.

use scenario::value::Value;
use testkit::http::{Reply, Server};

use super::*;
use crate::trial::{judge, told};

const PAGE: &str = "<!doctype html><title>Shop</title><h1 class=title>Tea &amp; more</h1>\
                    <ul><li>Green<li>Black</ul><a rel=next href=\"/page/2\">next</a>";

/// What `expect` comes to with an answer.
async fn check(reply: Reply, expect: &str, expected: &str) {
    let server = Server::start();
    server.on("/", reply);
    let outcome = judge(&format!("http: {}\nexpect: {{ {expect} }}", server.url("/"))).await;
    let told = told(&outcome);
    assert!(told.starts_with(expected), "{expect}\n{told}");
}

#[tokio::test]
async fn pages_by_css() {
    let page = || Reply::ok(PAGE).header("content-type", "text/html");
    for (css, expected) in [
        ("{ h1.title: Tea & more }", "ok"),
        ("{ title: Shop, \"a[rel=next] @href\": { starts_with: /page } }", "ok"),
        ("{ li: { len: 2 } }", "ok"),
        ("{ h1: { len: 1 } }", "ok"),
        (
            "{ h1: { len: { gte: 2 } } }",
            "failed incorrect assert.css: css h1 is \"Tea & more\", expected length ≥ 2 (there is one match)",
        ),
        ("{ li: { any: { equals: Black } } }", "ok"),
        ("{ li: { in: [Green, Black] } }", "ok"),
        ("{ h2: { exists: false } }", "ok"),
        ("{ h1: Coffee }", "failed incorrect assert.css: css h1 is \"Tea & more\", expected \"Coffee\""),
        ("{ h2: Coffee }", "failed incorrect assert.css: css h2 has no match, expected \"Coffee\""),
        ("{ li: Green }", "failed incorrect assert.css: css li is \"Green\", \"Black\""),
    ] {
        check(page(), &format!("css: {css}"), expected).await;
    }
    let deep = Reply::ok("<div>".repeat(5000));
    let said = "failed incorrect assert.css: css h1 cannot be looked at: the page is nested deeper than 512 elements";
    check(deep, "css: { h1: Shop }", said).await;
}

#[tokio::test]
async fn json_in_other_letters_than_utf_8() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let marked = [b"\xFF\xFE".to_vec(), utf_16("{\"a\":\"ü\"}")].concat();
    for (kind, bytes) in [
        ("application/json;charset=ISO-8859-1", b"{\"a\":\"\xFC\"}".to_vec()),
        ("application/json; charset=utf-16le", utf_16("{\"a\":\"ü\"}")),
        ("application/json", marked),
        ("application/json; charset=latin1", "{\"a\":\"ü\"}".into()),
        ("application/json; charset=none", "\u{FEFF}{\"a\":\"ü\"}".into()),
    ] {
        let reply = Reply::ok(bytes).header("content-type", kind);
        check(reply, "json: { $.a: ü }, json_schema: { required: [a] }", "ok").await;
    }
    let said = "failed incorrect assert.json: json $.a cannot be looked at: the body is not JSON";
    check(Reply::ok(b"{\"a\":\"\xFC\"}".to_vec()), "json: { $.a: ü }", said).await;
}

#[tokio::test]
async fn numbers_of_many_digits() {
    // What E104 tells to write.
    let reply =
        || Reply::json(r#"{"id":12345678901234567890123,"share":0.12345678901234567891,"round":1e23}"#);
    check(reply(), "json: { $.round: 100000000000000000000000 }", "ok").await;
    check(reply(), "json: { $.id: \"12345678901234567890123\" }", "ok").await;
    check(reply(), "json: { $.share: { equals: \"0.12345678901234567891\" } }", "ok").await;
    check(reply(), "json: { $.id: \"12345678901234567890124\" }", "failed incorrect assert.json").await;
}

#[tokio::test]
async fn bodies_by_json_schema() {
    let schema = "{ type: object, required: [status], properties: { status: { enum: [UP, DOWN] } } }";
    for (body, expected) in [
        (r#"{"status":"UP"}"#, "ok"),
        (
            r#"{"status":"up"}"#,
            "failed incorrect assert.json_schema: json_schema is broken at /status: \"up\" is not one of",
        ),
        (
            "{}",
            "failed incorrect assert.json_schema: json_schema is broken at the top: \"status\" is a required property",
        ),
        (
            "<html>",
            "failed incorrect assert.json_schema: json_schema cannot be looked at: the body is not JSON",
        ),
        ("", "failed incorrect assert.json_schema: json_schema cannot be looked at: the body is empty"),
    ] {
        check(Reply::ok(body), &format!("json_schema: {schema}"), expected).await;
    }
}

#[tokio::test]
async fn caches_in_one_word() {
    for (reply, expect, expected) in [
        (Reply::ok("").header("x-cache", "HIT"), "cache: hit", "ok"),
        (Reply::ok("").header("age", "90"), "cache: hit, age: { lte: 2m }", "ok"),
        (
            Reply::ok("").header("age", "90"),
            "age: { lte: 1m }",
            "failed incorrect assert.age: age is 1m 30s, expected ≤ 1m",
        ),
        (
            Reply::ok("").header("cache-status", "Edge; fwd=miss"),
            "cache: { in: [hit, stale] }",
            "failed incorrect assert.cache: cache is miss, expected one of hit, stale",
        ),
        (Reply::ok(""), "cache: unknown, age: { exists: false }", "ok"),
        (Reply::ok(""), "age: { lte: 1m }", "failed incorrect assert.age: age is not there"),
    ] {
        check(reply, expect, expected).await;
    }
}

/// However the body is looked at, one that was cut off is called that, and never wrong.
#[tokio::test]
async fn a_body_beyond_its_limit_is_truncated_and_not_invalid() {
    let server = Server::start();
    server.on("/json", Reply::ok(format!("{{\"status\":\"UP\",\"more\":\"{}\"}}", "x".repeat(9000))));
    server.on("/xml", Reply::ok(format!("<feed><title>Orders</title>{}</feed>", "<e/>".repeat(3000))));
    server.on("/endless", Reply::status(200).body("{\"status\":\"UP\"").endless(" ".repeat(1000)));
    server.on(
        "/slow",
        Reply::status(200).body(format!("{{\"a\":\"{}", "x".repeat(4096))).pause(Duration::from_secs(30)),
    );
    for (path, expect) in [
        ("json", "json: { $.status: UP }"),
        ("json", "json: { $.status: { exists: false } }"),
        ("json", "json_schema: { type: object }"),
        ("json", "body: { contains: UP }"),
        ("json", "body: { not_contains: DOWN }"),
        ("json", "size: { lte: 100kB }"),
        ("json", "css: { h1: { exists: false } }"),
        ("xml", "xml: { /feed/title: Orders }"),
        ("endless", "json: { $.status: UP }"),
        // What comes after the limit is not waited for.
        ("slow", "json: { $.a: { exists: true } }"),
    ] {
        let url = server.url(&format!("/{path}"));
        let step =
            format!("timeout: 5s\nhttp: {{ url: \"{url}\", body_limit: 4KiB }}\nexpect: {{ {expect} }}");
        let told = told(&judge(&step).await);
        let said = "cannot be looked at: the body is longer than the limit of 4 KiB and was truncated";
        assert!(told.starts_with("failed incorrect assert.") && told.contains(said), "{expect}\n{told}");
        for word in ["not JSON", "not XML", "invalid", "is empty"] {
            assert!(!told.contains(word), "{expect}\n{told}");
        }
    }
}

#[tokio::test]
async fn versions_are_chosen_and_expected() {
    use testkit::pki::{Flaw, Pki, Speech};
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let plain = Server::start();
    let both = Server::start_tls(identity.server_config(&Speech::default()));
    let one = Server::start_tls(identity.server_config(&Speech::h1()));
    let two = Server::start_tls(identity.server_config(&Speech::h2()));
    let none = Server::start_tls(identity.server_config(&Speech { alpn: Vec::new(), ..Speech::default() }));
    let hosts = [("plain", &plain), ("both", &both), ("one", &one), ("two", &two), ("none", &none)];
    for (_, server) in hosts {
        server.on("/", Reply::ok("hello"));
    }
    for (host, version, expected) in [
        ("plain", "auto", "1.1"),
        ("plain", "1.1", "1.1"),
        // By prior knowledge, as there is no TLS to agree in.
        ("plain", "2", "2"),
        ("both", "auto", "2"),
        ("both", "1.1", "1.1"),
        ("both", "2", "2"),
        ("one", "auto", "1.1"),
        ("one", "1.1", "1.1"),
        ("one", "2", "tls tls.handshake | protocol http.protocol"),
        ("two", "auto", "2"),
        ("two", "1.1", "tls tls.handshake"),
        ("two", "2", "2"),
        ("none", "auto", "1.1"),
        ("none", "1.1", "1.1"),
        ("none", "2", "protocol http.protocol"),
    ] {
        let (_, server) = hosts.iter().find(|(name, _)| *name == host).unwrap();
        let choice = ["auto", "1.1", "2"].into_iter().find(|known| *known == version).unwrap();
        let mut keys = get(server.url("/"));
        keys.push(("http_version", Bound::Choice(choice)));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        let found = match &trial.outcome.failure {
            None => match trial.value("http_version") {
                Value::Text(version) => version.into_owned(),
                other => panic!("{other:?} is no version"),
            },
            Some(_) => trial.failure(),
        };
        assert!(expected.split(" | ").any(|known| known == found), "{host} {version}: {found}");
        if let Some(seen) = server.seen().last().filter(|_| trial.outcome.failure.is_none()) {
            assert_eq!(crate::http::facts::version(seen.version), found, "what was said is what was spoken");
        }
    }
    #[cfg(not(feature = "http3"))]
    {
        let keys = [get("https://shop.example/"), vec![("http_version", Bound::Choice("3"))]].concat();
        let refused = trial::compile(&KIND, keys).err();
        assert_eq!(refused, Some(vec!["E106: this prober was built without HTTP/3".to_owned()]));
    }
    check(Reply::ok(""), "http_version: { gte: \"1.1\" }", "ok").await;
    check(Reply::ok(""), "http_version: \"2\"", "failed incorrect assert.http_version: http_version is 1.1")
        .await;
}

#[tokio::test]
async fn the_family_of_addresses_is_chosen() {
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", testkit::dns::Reply::aaaa(&["::1"]));
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let shared = shared_asking(names.addr());
    for (ip, asked, expected) in [
        ("any", &["A", "AAAA"][..], "ok"),
        ("4", &["A"], "ok"),
        // The server has only the other one; a machine without IPv6 says so of itself.
        (
            "6",
            &["AAAA"],
            "connect connect.refused | local local.ports | local local.network | local local.family | connect connect.unreachable",
        ),
    ] {
        let before = names.queries().len();
        let mut keys = get(server.url_as("shop.test", "/"));
        keys.push(("ip", Bound::Choice(["any", "4", "6"].into_iter().find(|known| *known == ip).unwrap())));
        let trial = trial::run(&KIND, keys, &shared, trial::PATIENCE).await;
        let found = trial.outcome.failure.as_ref().map_or("ok".to_owned(), |_| trial.failure());
        assert!(expected.split(" | ").any(|known| known == found), "{ip}: {found}");
        let mut kinds: Vec<_> = names.queries()[before..].iter().map(|query| query.kind.clone()).collect();
        kinds.sort();
        assert_eq!(kinds, asked, "{ip}: only what is wanted is asked for");
    }
}
