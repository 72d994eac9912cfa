//! Ways to a target that its URL does not name: other addresses, other names, proxies, a client's certificate.

use std::process::Command;

use model::step::Phase::{Connect, Dns, Receive, Send, Tls, Wait};
use scenario::fields::Fields;
use scenario::value::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::{Nginx, PassOn};
use tokio::net::TcpListener;

use super::*;

async fn run(keys: Keys) -> trial::Trial {
    trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await
}

fn with(url: String, more: Vec<(&'static str, Bound)>) -> Keys {
    [get(url), more].concat()
}

fn ca(pki: &Pki) -> (&'static str, Bound) {
    ("ca", text(pki.root_file().display().to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_keeps_the_names_as_curl_does() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["shop.test"], Flaw::None).server_config(&Speech::h1()));
    server.on("/", Reply::ok("hello"));
    let to = server.addr().to_string();
    let trial = run(with("https://shop.test/".into(), vec![ca(&pki), ("connect_to", text(&to))])).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.phases(0), [Connect, Tls, Send, Wait, Receive], "an address needs no lookup");
    assert_eq!(trial.attribute("server.address"), "shop.test");
    assert_eq!(trial.attribute("network.peer.address"), "127.0.0.1");
    let root = pki.root_file();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--http1.1", "--cacert", root.to_str().unwrap(), "--connect-to"]);
    let done = curl.arg(format!("::{to}")).arg("https://shop.test/").output().expect("apt-get install curl");
    assert_eq!(done.stdout, b"hello");
    let seen = server.seen();
    assert_eq!((seen[0].sni.as_deref(), seen[0].header("host")), (Some("shop.test"), Some("shop.test")));
    assert_eq!((&seen[0].sni, seen[0].header("host")), (&seen[1].sni, seen[1].header("host")));

    // The name for TLS alone; the header Host stays.
    let trial = run(with(server.url("/"), vec![ca(&pki), ("sni", text("shop.test"))])).await;
    assert_eq!(trial.outcome.failure, None);
    let seen = server.seen().pop().unwrap();
    assert_eq!((seen.sni.as_deref(), seen.header("host")), (Some("shop.test"), Some(to.as_str())));
    let wrong = run(with(server.url("/"), vec![ca(&pki), ("sni", text("other.test"))])).await;
    assert_eq!(wrong.failure(), "tls tls.name_mismatch");
}

#[tokio::test]
async fn connections_come_from_the_address_that_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let keys = with(url.clone(), vec![("source_address", text("127.0.0.9"))]);
    let shared = trial::shared();
    let (trial, accepted) =
        tokio::join!(trial::run(&KIND, keys, &shared, Duration::from_secs(1)), listener.accept());
    assert_eq!(accepted.unwrap().1.ip().to_string(), "127.0.0.9");
    assert_eq!(trial.failure(), "timeout timeout");
    // Documentation's own network: no machine has it.
    let trial = run(with(url, vec![("source_address", text("192.0.2.1"))])).await;
    assert_eq!(
        trial.outcome.failure.as_ref().map(|failure| failure.class),
        Some(model::outcome::FailureClass::Local)
    );
}

#[tokio::test]
async fn a_proxy_passes_on_and_its_part_is_measured() {
    let pki = Pki::new();
    let (plain, secure) = (
        Server::start(),
        Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h2())),
    );
    for server in [&plain, &secure] {
        server.on("/", Reply::ok("hello"));
        server.on("/again", Reply::redirect(302, "/"));
    }
    let login = Some(("me", "secret"));
    let (http, socks) = (PassOn::http(login), PassOn::socks(login));
    for (scheme, proxy) in [("http", &http), ("socks5", &socks), ("socks5h", &socks)] {
        for server in [&plain, &secure] {
            let proxy = scenario::template::Template::new([
                scenario::template::Part::Text(format!("{scheme}://me:").into()),
                scenario::template::Part::Hole(scenario::template::Hole::Secret("proxy".into()), Vec::new()),
                scenario::template::Part::Text(format!("@{}", proxy.addr()).into()),
            ]);
            let keys = with(server.url("/again"), vec![ca(&pki), ("proxy", Bound::Template(proxy))]);
            let action = action(keys);
            let mut secrets = Secrets::default();
            secrets.set("proxy", "secret");
            let trial = trial::run_with(&*action, &trial::shared(), &secrets, trial::PATIENCE).await;
            assert_eq!(trial.outcome.failure, None, "{scheme} {}", server.url("/"));
            assert_eq!(trial.value("body"), Value::Text("hello".into()));
            assert_eq!(trial.value("redirects"), Value::Int(1));
            let labels: Vec<_> = trial.outcome.hops.iter().map(|hop| hop.label.as_str()).collect();
            let phases: Vec<_> = (0..labels.len()).map(|hop| trial.phases(hop)).collect();
            if scheme == "http" && server.url("/").starts_with("http:") {
                assert_eq!(labels.len(), 2, "{labels:?}");
                assert_eq!(phases[0], [Connect, Send, Wait, Receive]);
                assert!(plain.seen().last().unwrap().header("via").is_some(), "the proxy leaves its mark");
                assert_eq!(plain.seen().last().unwrap().header("proxy-authorization"), None);
            } else {
                assert!(labels[0].contains("(proxy ") && !labels[0].contains("secret"), "{labels:?}");
                assert_eq!(labels.len(), 3, "{labels:?}");
                assert_eq!(phases[0], [Connect, Send, Wait]);
                let secured = server.url("/").starts_with("https:");
                assert_eq!(phases[1].first(), Some(if secured { &Tls } else { &Send }));
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_pass_on_is_named_as_such() {
    let target = Server::start();
    target.on("/", Reply::ok("hello"));
    let login = Some(("me", "secret"));
    let (http, socks) = (PassOn::http(login), PassOn::socks(login));
    let nobody = testkit::wait::free_port();
    let (garbage, silent) = (Hostile::start(Fault::Garbage), Hostile::start(Fault::HalfOpen));
    let no_socks = Hostile::start(Fault::TlsGarbage);
    for (proxy, url, failure) in [
        (format!("http://{}", http.addr()), "https://127.0.0.1:1/".to_owned(), "connect connect.proxy"),
        (format!("socks5://{}", socks.addr()), target.url("/"), "connect connect.proxy"),
        (format!("http://127.0.0.1:{nobody}"), target.url("/"), "connect connect.proxy"),
        (format!("socks5h://127.0.0.1:{nobody}"), target.url("/"), "connect connect.proxy"),
        (format!("http://{}", garbage.addr()), "https://127.0.0.1:1/".to_owned(), "connect connect.proxy"),
        (format!("socks5://{}", no_socks.addr()), target.url("/"), "connect connect.proxy"),
        (format!("http://{}", silent.addr()), "https://127.0.0.1:1/".to_owned(), "connect connect.proxy"),
        (format!("socks5://{}", silent.addr()), target.url("/"), "connect connect.proxy"),
        // Nobody told it who asks: that is between the proxy and us, and no word of the target's.
        (format!("http://{}", http.addr()), target.url("/"), "connect connect.proxy"),
    ] {
        let keys = with(url, vec![("proxy", template(&proxy))]);
        let waits = proxy.ends_with(&silent.addr().to_string());
        let limit = if waits { Duration::from_secs(1) } else { trial::PATIENCE };
        let trial = trial::run(&KIND, keys, &trial::shared(), limit).await;
        trial.ended_in_time();
        assert_eq!(trial.failure(), failure, "{proxy}: {}", trial.message());
        assert!(trial.phases(0).starts_with(&[Connect]), "{proxy}");
        assert!(trial.message().contains("proxy"), "{}", trial.message());
    }
    assert_eq!(target.requests(), 0);
}

#[tokio::test]
async fn what_is_late_on_the_way_through_a_proxy_is_who_was_waited_for() {
    let (full, silent) = (testkit::hostile::Unconnectable::start(), Hostile::start(Fault::HalfOpen));
    let names = testkit::dns::Server::start();
    names.otherwise(testkit::dns::Reply::silence());
    let shared = shared_asking(names.addr());
    let port = silent.addr().port();
    for (proxy, url, failure, phase) in [
        // A proxy that cannot be connected to is one also where it would get the request as it is.
        (format!("http://{}", full.addr()), "http://127.0.0.1:1/", "connect connect.proxy", Connect),
        (format!("http://{}", full.addr()), "https://127.0.0.1:1/", "connect connect.proxy", Connect),
        (format!("socks5h://{}", silent.addr()), "http://shop.test/", "connect connect.proxy", Wait),
        // Its name cannot be looked up.
        (format!("http://proxy.test:{port}"), "http://127.0.0.1:1/", "connect connect.proxy", Dns),
        (format!("socks5://proxy.test:{port}"), "http://127.0.0.1:1/", "connect connect.proxy", Dns),
        // The target's name is ours to look up, and no matter of the proxy's.
        (format!("socks5://{}", silent.addr()), "http://shop.test/", "timeout timeout", Dns),
    ] {
        let run = async |limit| {
            let keys = with(url.to_owned(), vec![("proxy", template(&proxy))]);
            trial::run(&KIND, keys, &shared, limit).await
        };
        let trial = trial::until_in(phase, run).await;
        assert_eq!(trial.failure(), failure, "{proxy} {url}: {}", trial.message());
        assert_eq!(trial.last_phase(), Some(phase), "{proxy} {url}");
        let names_proxy = trial.message().contains("proxy");
        assert_eq!(names_proxy, failure.ends_with("proxy"), "{}", trial.message());
    }
}

#[tokio::test]
async fn a_name_is_looked_up_by_whoever_is_to() {
    let target = Server::start();
    target.on("/", Reply::ok("hello"));
    let socks = PassOn::socks(None);
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", testkit::dns::Reply::empty());
    let url = || target.url_as("shop.test", "/");
    let keys = with(url(), vec![("proxy", template(format!("socks5://{}", socks.addr())))]);
    let here = trial::run(&KIND, keys, &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(here.outcome.failure, None);
    assert_eq!(here.phases(0), [Dns, Connect, Send, Wait]);
    let asked = names.udp_packets();
    let keys = with(url(), vec![("proxy", template(format!("socks5h://{}", socks.addr())))]);
    let there = trial::run(&KIND, keys, &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(there.failure(), "connect connect.proxy", "the proxy knows nothing of the test's names");
    assert_eq!(names.udp_packets(), asked);
}

fn identity(cert: Bound, key: Bound) -> (&'static str, Bound) {
    let entries =
        [("cert", cert), ("key", key)].map(|(name, value)| (name, Spanned::new(value, Span::default())));
    ("client_certificate", Bound::Record(Fields::new(Span::default(), entries.into())))
}

#[tokio::test]
async fn a_client_s_certificate_is_shown_at_home_only() {
    let (pki, other) = (Pki::new(), Pki::new());
    let client = pki.identity(&["probe.test"], Flaw::None);
    let (cert, key) = (client.cert_file.display().to_string(), client.key_file.display().to_string());
    let names = ["127.0.0.1", "localhost"];
    for speech in [Speech::h1(), Speech::h2(), Speech::tls12()] {
        let asking = pki.identity(&names, Flaw::None).server_config_asking(&speech, &pki);
        let (home, abroad) = (Server::start_tls(Arc::clone(&asking)), Server::start_tls(asking));
        home.on("/", Reply::ok("hello"));
        home.on("/away", Reply::redirect(302, &abroad.url_as("localhost", "/")));
        abroad.on("/", Reply::ok("hello"));
        let shown = || identity(template(&cert), template(&key));
        let trial = run(with(home.url("/"), vec![ca(&pki), shown()])).await;
        assert_eq!(trial.outcome.failure, None, "{speech:?}");
        for keys in [with(home.url("/"), vec![ca(&pki)]), with(home.url("/away"), vec![ca(&pki), shown()])] {
            let trial = run(keys).await;
            assert!(trial.failure().starts_with("tls "), "{speech:?}: {}", trial.message());
        }
        assert_eq!(abroad.requests(), 0);
    }
    let asking = pki.identity(&names, Flaw::None).server_config_asking(&Speech::h1(), &pki);
    let home = Server::start_tls(asking);
    home.on("/", Reply::ok("hello"));
    let stranger = other.identity(&["probe.test"], Flaw::None);
    for (cert, key, failure) in [
        ("/nowhere.pem".to_owned(), key.clone(), "local local.config"),
        (cert.clone(), cert.clone(), "local local.config"),
        (cert.clone(), stranger.key_file.display().to_string(), "local local.config"),
        (
            stranger.cert_file.display().to_string(),
            stranger.key_file.display().to_string(),
            "tls tls.handshake",
        ),
    ] {
        let trial = run(with(home.url("/"), vec![ca(&pki), identity(template(&cert), template(&key))])).await;
        assert_eq!(trial.failure(), failure, "{}", trial.message());
        assert!(!trial.message().contains("BEGIN"), "{}", trial.message());
    }
    // Both may also be secrets.
    let pem = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let secret = |name: &str| {
        let hole = scenario::template::Part::Hole(scenario::template::Hole::Secret(name.into()), Vec::new());
        Bound::Template(scenario::template::Template::new([hole]))
    };
    let action = action(with(home.url("/"), vec![ca(&pki), identity(secret("cert"), secret("key"))]));
    let mut secrets = Secrets::default();
    secrets.set("cert", pem(&client.cert_file));
    secrets.set("key", pem(&client.key_file));
    let trial = trial::run_with(&*action, &trial::shared(), &secrets, trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
}

#[tokio::test]
async fn who_is_refused_and_was_not_asked_for_a_certificate_is_told() {
    let pki = Pki::new();
    let client = pki.identity(&["probe.test"], Flaw::None);
    let server = pki.identity(&["127.0.0.1"], Flaw::None);
    let asking = Server::start_tls(server.server_config_asking(&Speech::h1(), &pki));
    let silent = Server::start_tls(server.server_config(&Speech::h1()));
    for (server, status, is_told) in [(&silent, 403, true), (&silent, 404, false), (&asking, 403, false)] {
        server.on("/", Reply::status(status));
        let certificate = [&client.cert_file, &client.key_file].map(|file| file.display().to_string());
        let [cert, key] = &certificate;
        let ca = pki.root_file().display().to_string();
        let shown = format!("ca: {ca}, client_certificate: {{ cert: {cert}, key: {key} }}");
        let told =
            trial::told(&trial::judge(&format!("http: {{ url: \"{}\", {shown} }}", server.url("/"))).await);
        assert!(told.contains(&format!("status is {status}")), "{told}");
        assert_eq!(told.contains(": the server did not ask for the client's certificate"), is_told, "{told}");
    }
}

#[tokio::test]
async fn who_asks_a_port_of_tls_in_plain_text_is_told() {
    let nginx = Nginx::start(&Pki::new().identity(&["127.0.0.1"], Flaw::None));
    let other = Server::start();
    other.on("/", Reply::status(400));
    for (at, is_told) in [(nginx.https(), true), (other.addr(), false)] {
        let told = trial::told(&trial::judge(&format!("http: http://{at}/")).await);
        assert!(told.contains("status is 400, expected 2xx"), "{told}");
        assert_eq!(told.ends_with(": the server speaks TLS on this port: use https:"), is_told, "{told}");
    }
}

#[tokio::test]
async fn other_ways_end_at_the_first_redirect_to_another_origin() {
    let pki = Pki::new();
    let home = Server::start_tls(pki.identity(&["shop.test"], Flaw::None).server_config(&Speech::h1()));
    let abroad = Server::start_tls(pki.identity(&["localhost"], Flaw::None).server_config(&Speech::h1()));
    home.on("/", Reply::redirect(302, &abroad.url_as("localhost", "/end")));
    abroad.on("/end", Reply::ok("end"));
    let more = vec![ca(&pki), ("connect_to", text(home.addr().to_string())), ("sni", text("shop.test"))];
    let trial = run(with("https://shop.test/".into(), more)).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(abroad.seen()[0].sni.as_deref(), Some("localhost"), "the name in TLS follows the new host");
}

#[test]
fn mistakes_in_a_way_are_found_before_anything_runs() {
    let url = || "https://shop.example/".to_owned();
    for (more, mistake) in [
        (("connect_to", text("192.0.2.1")), "E134: `192.0.2.1` has no port"),
        (("sni", text("https://a")), "E178: `https://a` is not a host name or an IP address"),
        (("source_address", text("eth0")), "E178: `eth0` is not an IP address"),
        (
            ("proxy", template("proxy:3128")),
            "E184: a proxy is a URL like http://proxy.example:3128, socks5://… or socks5h://…",
        ),
        (
            ("proxy", template("http://me:hunter2@proxy:3128")),
            "E180: the proxy's password stands in the file",
        ),
        (
            identity(template("a.pem"), template("-----BEGIN PRIVATE KEY-----")),
            "E180: the client's key stands in the file",
        ),
    ] {
        assert_eq!(trial::compile(&KIND, with(url(), vec![more])).err(), Some(vec![mistake.to_owned()]));
    }
    let both = with(url(), vec![("ip", Bound::Choice("6")), ("source_address", text("127.0.0.1"))]);
    assert!(trial::compile(&KIND, both).err().unwrap()[0].starts_with("E179"));
}
