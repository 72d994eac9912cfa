//! The outbound policy in whole runs: names that lie, redirects, proxies, tokens, and every other way out.

use std::net::SocketAddr;

use testkit::dns;

use super::*;
use crate::net::resolve::Servers;

/// Runs one step in a project with this `network`; names are looked up at `names`, `${secrets.at}` is given.
async fn run_under(network: &str, names: Option<&dns::Server>, step: &str, at: &str) -> Outcome {
    let source = |path: &str, text: String| Source { path: path.into(), text };
    let project = format!("version: 1\nsecrets: {{ at: {{ env: AT }} }}\n{network}\n");
    let yaml = format!("name: a\naim: Up.\nevery: 1m\n{step}\n");
    let sources = Sources {
        project: Some(source("prober.yaml", project)),
        scenarios: vec![source("a.yaml", yaml)],
        ..Sources::default()
    };
    let mut compiled = compile(sources, &KINDS, &Options::default());
    assert!(!compiled.has_errors(), "{step}\n{:#?}", compiled.diagnostics);
    let servers = names.map_or(Servers::System, |names| Servers::These(vec![names.addr()]));
    let shared = Arc::new(Shared::new(NetConfig { servers, ..NetConfig::default() }));
    let mut secrets = Secrets::default();
    secrets.set("at", at);
    let scenario = Scenario::new(Arc::new(compiled.plans.remove(0)), shared, Arc::new(secrets));
    scenario.run(&context(scenario.plan())).await
}

/// Asserts that the run was not judged because of the policy; gives the message.
fn denied(outcome: &Outcome, about: &str) -> String {
    let (reason, class, error_type, _) = failure(outcome);
    assert_eq!(
        (reason, class, error_type),
        (Reason::ConfigFault, "local", "local.policy"),
        "{about}: {outcome:?}"
    );
    outcome.failure.as_ref().unwrap().message.clone()
}

/// Asserts that the run is bad because the target led to a place that may not be probed; gives the message.
fn led_astray(outcome: &Outcome, about: &str) -> String {
    let (reason, class, error_type, _) = failure(outcome);
    assert_eq!(
        (reason, class, error_type),
        (Reason::Failed, "protocol", "http.redirect_denied"),
        "{about}: {outcome:?}"
    );
    outcome.failure.as_ref().unwrap().message.clone()
}

const DENY: &str = "";
const ALLOW: &str = "network: { private: allow }";

#[tokio::test]
async fn a_public_name_does_not_lead_to_this_machine() {
    let (server, names) = (Server::start(), dns::Server::start());
    server.on("/", Reply::ok("inside"));
    let port = server.addr().port();
    let step = format!("http: http://shop.test:{port}/");
    for (kind, reply) in [
        ("A", dns::Reply::a(&["127.0.0.1"])),
        ("AAAA", dns::Reply::aaaa(&["::ffff:127.0.0.1"])),
        ("AAAA", dns::Reply::aaaa(&["64:ff9b::127.0.0.1"])),
        ("A", dns::Reply::a(&["169.254.169.254"])),
        ("A", dns::Reply::a(&["127.0.0.1", "10.0.0.1"])),
    ] {
        let names = dns::Server::start();
        names.on("shop.test", kind, reply);
        let other = if kind == "A" { "AAAA" } else { "A" };
        names.on("shop.test", other, dns::Reply::empty());
        let outcome = run_under(DENY, Some(&names), &step, "").await;
        let message = denied(&outcome, kind);
        assert!(message.contains("(shop.test)") && message.contains("in prober.yaml"), "{message}");
        assert!(outcome.steps[0].hops[0].status.is_none());
    }
    assert_eq!(server.connections(), 0, "nothing was sent to anybody");
    // With the grant the same name is probed.
    names.on("shop.test", "A", dns::Reply::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", dns::Reply::empty());
    let outcome =
        run_under(&format!("network: {{ allow: [\"shop.test:{port}\"] }}"), Some(&names), &step, "").await;
    assert_eq!((outcome.reason, server.requests()), (Reason::Ok, 1));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (server, names) = (Server::start(), dns::Server::start());
    let port = server.addr().port();
    // Each connection is closed, so that each request looks the name up anew.
    server.on("/", Reply::redirect(302, "/inside").header("connection", "close"));
    names.on("rebind.test", "AAAA", dns::Reply::empty());
    names.on("rebind.test", "A", dns::Reply::a(&["127.0.0.1"]));
    let network = format!("network: {{ allow: [\"127.0.0.1:{port}\"] }}");
    let steps = format!(
        "steps:\n  - name: first\n    http: {{ url: \"http://rebind.test:{port}/\", follow: 0 }}\n    expect: {{ status: 302 }}\n  - name: second\n    http: http://rebind.test:{port}/\n"
    );
    // The name server lies from the moment that the first request has arrived.
    let names = Arc::new(names);
    let liar = Arc::clone(&names);
    server.on_request("/", move |_| {
        liar.on("rebind.test", "A", dns::Reply::a(&["127.0.0.2"]));
        Reply::redirect(302, "/inside").header("connection", "close")
    });
    let outcome = run_under(&network, Some(&names), &steps, "").await;
    let message = denied(&outcome, "rebinding");
    assert!(message.contains("127.0.0.2 (rebind.test) is a loopback address"), "{message}");
    assert_eq!((failure(&outcome).3, server.requests()), ("second", 1));
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_reached_are() {
    let (server, names) = (Server::start(), dns::Server::start());
    server.on("/", Reply::ok("hello"));
    let port = server.addr().port();
    names.on("mixed.test", "A", dns::Reply::a(&["127.0.0.2", "127.0.0.1", "10.0.0.1"]));
    names.on("mixed.test", "AAAA", dns::Reply::empty());
    let network = format!("network: {{ allow: [\"127.0.0.1:{port}\"] }}");
    let outcome = run_under(&network, Some(&names), &format!("http: http://mixed.test:{port}/"), "").await;
    assert_eq!(outcome.reason, Reason::Ok, "{outcome:?}");
    let hop = &outcome.steps[0].hops[0];
    let left_out: Vec<_> =
        hop.attempts.iter().map(|attempt| (attempt.peer.ip().to_string(), &*attempt.error_type)).collect();
    assert_eq!(left_out, [("127.0.0.2".to_owned(), "local.policy"), ("10.0.0.1".to_owned(), "local.policy")]);
    assert_eq!(hop.peer, Some(server.addr()));
}

#[tokio::test]
async fn each_address_of_a_name_is_judged_by_that_name() {
    let (server, names) = (Server::start(), dns::Server::start());
    server.on("/", Reply::ok("hello"));
    let port = server.addr().port();
    names.on("all.test", "A", dns::Reply::a(&["127.0.0.1", "10.0.0.1"]));
    names.on("all.test", "AAAA", dns::Reply::empty());
    let step = format!("http: {{ url: \"http://all.test:{port}/\", addresses: all }}");
    denied(&run_under(DENY, Some(&names), &step, "").await, "all");
    assert_eq!(server.connections(), 0);
    let network = format!("network: {{ allow: [\"all.test:{port}\"], deny: [10.0.0.0/8] }}");
    let outcome = run_under(&network, Some(&names), &step, "").await;
    // What may be reached is asked, and what may not is not called good.
    assert_eq!((outcome.reason, server.requests()), (Reason::ConfigFault, 1), "{outcome:?}");
}

#[tokio::test]
async fn redirects_do_not_lead_to_metadata() {
    let server = Server::start();
    for (path, to) in [
        ("/plain", "http://169.254.169.254/latest/meta-data/"),
        ("/decimal", "http://2852039166/"),
        ("/hex", "http://0xa9fea9fe/"),
        ("/octal", "http://0251.0376.0251.0376/"),
        ("/mapped", "http://[::ffff:169.254.169.254]/"),
        ("/nat64", "http://[64:ff9b::a9fe:a9fe]/"),
        ("/name", "http://metadata.google.internal/computeMetadata/v1/"),
        ("/six", "http://[fd00:ec2::254]/latest/"),
    ] {
        server.on(path, Reply::redirect(302, to));
        let step = format!("http: {}", server.url(path));
        let outcome = run_under(ALLOW, None, &step, "").await;
        let message = led_astray(&outcome, path);
        assert!(message.contains("gives out a cloud machine's credentials"), "{message}");
        assert_eq!(outcome.steps[0].hops.len(), 2, "the hop that was not taken is shown");
        assert!(outcome.steps[0].hops[1].peer.is_none());
    }
    // And from outside to inside: the first place is allowed, the second is not.
    let other = Server::start();
    server.on("/inside", Reply::redirect(307, &other.url("/")));
    let network = format!("network: {{ allow: [\"{}\"] }}", server.addr());
    let message = led_astray(
        &run_under(&network, None, &format!("http: {}", server.url("/inside")), "").await,
        "inside",
    );
    assert!(message.contains("may not be probed") && message.contains("in prober.yaml"), "{message}");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_link_that_an_answer_names_is_the_targets_word() {
    let server = Server::start();
    server.on("/order", Reply::json(r#"{"next":"http://169.254.169.254/latest/","id":"7","token":"a\nb"}"#));
    let network = format!("network: {{ allow: [\"{}\"] }}", server.addr());
    let flow = |next: &str| {
        let order = server.url("/order");
        format!(
            "steps:\n  - name: order\n    http: {order}\n    capture: {{ next: {{ json: $.next }}, id: {{ json: $.id }}, token: {{ json: $.token }} }}\n  - name: next\n    http: {next}\n"
        )
    };
    let outcome = run_under(&network, None, &flow("${next}"), "").await;
    let (reason, class, error_type, _) = failure(&outcome);
    assert_eq!((reason, class, error_type), (Reason::Failed, "incorrect", "assert.capture"), "{outcome:?}");
    // Where the file names the host, whatever stands behind it is not to blame.
    let elsewhere = flow("\"${secrets.at}/${id}\"");
    denied(&run_under(&network, None, &elsewhere, "http://169.254.169.254").await, "the operator's host");
    for next in [
        format!("{{ url: {}, auth: {{ bearer: \"${{token}}\" }} }}", server.url("/")),
        format!("{{ url: {}, body: x, method: POST, content_type: \"${{token}}\" }}", server.url("/")),
    ] {
        let outcome = run_under(&network, None, &flow(&next), "").await;
        let (reason, _, error_type, _) = failure(&outcome);
        assert_eq!((reason, error_type), (Reason::Failed, "assert.capture"), "{next}: {outcome:?}");
    }
}

/// Every kind that takes a place with holes: `AT` is a host and a port, `HOST` a host alone.
const PLACES: [&str; 16] = [
    "http: http://AT/",
    "http: { url: \"http://AT/\", addresses: all }",
    "http: { url: \"http://shop.example/\", proxy: \"http://AT\" }",
    "http: { url: \"https://shop.example/\", proxy: \"socks5h://AT\" }",
    "http: { url: \"http://1.1.1.1/\", auth: { oauth2: { token_url: \"https://AT/\", client_id: a, client_secret: \"${secrets.at}\" } } }",
    "tcp: { address: AT }",
    "tcp: { address: AT, addresses: all }",
    "tls: { address: AT }",
    "tls: { address: AT, addresses: all }",
    "udp: { address: AT, send: ping }",
    "smtp: { address: AT }",
    "grpc: { address: AT }",
    "websocket: { url: \"ws://AT/\", messages: 1 }",
    "icmp: { host: HOST }",
    "jetstream: { address: AT, stream: ORDERS }",
    "s3: { endpoint: \"http://AT\", bucket: exports }",
];

/// The same for databases, whose dsn has more ways to say it.
const DATABASES: [&str; 4] = [
    "sql: { dsn: \"postgresql://me@AT/shop\", query: select 1 }",
    "sql: { dsn: \"postgresql://me@shop.example/shop?hostaddr=HOST\", query: select 1 }",
    "sql: { dsn: \"host=shop.example hostaddr=HOST user=me\", query: select 1 }",
    "sql: { dsn: \"mysql://me@AT/shop\", query: select 1 }",
];

#[tokio::test]
async fn a_place_that_may_not_be_probed_is_held_against_whoever_named_it() {
    let (server, sink) = (Server::start(), testkit::sink::Sink::start());
    let at = sink.target(0);
    let answer = format!(r#"{{"at":"{at}","host":"{}"}}"#, at.ip());
    server.on("/order", Reply::json(&answer));
    // What the flow begins with may be asked, and nothing else of this machine.
    let network = format!("network: {{ allow: [\"{}\"] }}", server.addr());
    let flow = |step: &str| {
        format!(
            "steps:\n  - name: order\n    http: {}\n    capture: {{ at: {{ json: $.at }}, host: {{ json: $.host }} }}\n  - name: next\n    {step}\n",
            server.url("/order")
        )
    };
    let (host, at) = (at.ip().to_string(), at.to_string());
    for place in PLACES.iter().chain(&DATABASES) {
        // The answer's word.
        let step = place.replace("AT", "${at}").replace("HOST", "${host}");
        let outcome = run_under(&network, None, &flow(&quoted(&step)), &at).await;
        let (reason, class, error_type, _) = failure(&outcome);
        assert_eq!(
            (reason, class, error_type),
            (Reason::Failed, "incorrect", "assert.capture"),
            "{step}: {outcome:?}"
        );
        let message = &outcome.failure.as_ref().unwrap().message;
        assert!(message.contains("the network policy does not allow it"), "{step}: {message}");
        // Whoever runs the prober.
        let filled = if place.contains("HOST") { &host } else { &at };
        let step = place.replace("AT", "${secrets.at}").replace("HOST", "${secrets.at}");
        denied(&run_under(&network, None, &flow(&quoted(&step)), filled).await, &step);
    }
    assert_eq!(sink.connections(), 0);
}

/// `step`, with quotes around values that begin with a hole: a brace has a meaning of its own in a list.
fn quoted(step: &str) -> String {
    ["address", "host"].iter().fold(step.to_owned(), |step, key| {
        let Some((before, rest)) = step.split_once(&format!("{key}: ${{")) else { return step };
        let (hole, after) = rest.split_once('}').expect("a hole ends");
        format!("{before}{key}: \"${{{hole}}}\"{after}")
    })
}

#[tokio::test]
async fn a_captured_address_of_another_family_is_the_targets_word() {
    let server = Server::start();
    server.on("/order", Reply::json(r#"{"host":"[2001:db8::1]","bare":"2001:db8::1"}"#));
    let network = format!("network: {{ allow: [\"{}\"] }}", server.addr());
    for step in [
        "http: { url: \"http://${host}/\", ip: \"4\" }",
        "http: { url: \"http://${host}/\", ip: \"4\", addresses: all }",
        "tcp: { address: \"${host}:80\", ip: \"4\" }",
        "tcp: { address: \"${host}:80\", ip: \"4\", addresses: all }",
        "tls: { address: \"${host}:443\", ip: \"4\" }",
        "grpc: { address: \"${host}:443\", ip: \"4\" }",
        "websocket: { url: \"ws://${host}/\", messages: 1, ip: \"4\" }",
        "icmp: { host: \"${bare}\", ip: \"4\" }",
    ] {
        let flow = format!(
            "steps:\n  - name: order\n    http: {}\n    capture: {{ host: {{ json: $.host }}, bare: {{ json: $.bare }} }}\n  - name: next\n    {step}\n",
            server.url("/order")
        );
        let outcome = run_under(&network, None, &flow, "").await;
        let (reason, class, error_type, _) = failure(&outcome);
        let told = (reason, class, error_type);
        assert_eq!(told, (Reason::Failed, "incorrect", "assert.capture"), "{step}: {outcome:?}");
        let message = &outcome.failure.as_ref().unwrap().message;
        assert!(message.contains("not of the address family"), "{step}: {message}");
    }
}

#[tokio::test]
async fn every_way_out_is_judged() {
    let sink = testkit::sink::Sink::start();
    let at = sink.target(0);
    let (host, port) = (at.ip(), at.port());
    for (step, filled) in [
        ("http: ${secrets.at}", format!("http://{at}/")),
        ("http: ${secrets.at}", format!("http://2130706433:{port}/")),
        ("http: ${secrets.at}", format!("https://[::ffff:127.0.0.1]:{port}/")),
        ("http: { url: \"http://shop.example/\", proxy: \"${secrets.at}\" }", format!("http://{at}")),
        ("http: { url: \"https://shop.example/\", proxy: \"${secrets.at}\" }", format!("socks5h://{at}")),
        (
            "http: { url: \"https://shop.example/\", auth: { oauth2: { token_url: \"${secrets.at}\", client_id: a, client_secret: \"${secrets.at}\" } } }",
            format!("https://{at}/token"),
        ),
        ("tcp: { address: \"${secrets.at}\" }", at.to_string()),
        ("tls: { address: \"${secrets.at}\" }", at.to_string()),
        ("sql: { dsn: \"${secrets.at}\", query: select 1 }", format!("postgresql://me@{at}/shop")),
        (
            "sql: { dsn: \"${secrets.at}\", query: select 1 }",
            format!("host=shop.example hostaddr={host} port={port} user=me"),
        ),
        ("s3: { endpoint: \"${secrets.at}\", bucket: exports }", format!("http://{at}")),
    ] {
        let outcome = run_under(DENY, None, step, &filled).await;
        denied(&outcome, step);
    }
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn an_open_connection_to_a_proxy_does_not_lead_everywhere() {
    // Speaks as a plain proxy does: the request's whole URL comes to it.
    let proxy = Server::start();
    proxy.on("/", Reply::redirect(302, "http://169.254.169.254/latest/"));
    let step = format!("http: {{ url: \"http://shop.example/\", proxy: \"http://{}\" }}", proxy.addr());
    let outcome = run_under(ALLOW, None, &step, "").await;
    led_astray(&outcome, "proxy");
    assert_eq!(proxy.requests(), 1, "the second request was never sent");
}

#[test]
fn a_file_that_says_where_it_goes_is_refused_before_it_runs() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let compiled = |network: &str, step: &str| {
        let sources = Sources {
            project: Some(source(
                "prober.yaml",
                &format!("version: 1\nvars: {{ shop: \"http://10.0.0.5/\" }}\n{network}\n"),
            )),
            scenarios: vec![source("a.yaml", &format!("name: a\naim: Up.\nevery: 1m\n{step}\n"))],
            ..Sources::default()
        };
        compile(sources, &KINDS, &Options::default())
    };
    let at: SocketAddr = "10.0.0.5:443".parse().unwrap();
    let address = "10.0.0.5";
    for (step, at) in [
        ("http: http://10.0.0.5/", address),
        ("http: ${vars.shop}", "${vars.shop}"),
        ("http: http://0x0a000005/", "0x0a000005"),
        ("http: http://localhost:8080/", "localhost"),
        ("http: { url: \"https://shop.example/\", connect_to: \"10.0.0.5:443\" }", address),
        ("http: { url: \"https://shop.example/\", proxy: \"http://10.0.0.5:3128\" }", address),
        ("tcp: 10.0.0.5:443", address),
        ("tls: 10.0.0.5:443", address),
        ("dns: { name: shop.example, resolvers: [10.0.0.5] }", address),
        ("sql: { dsn: \"postgresql://me@10.0.0.5/shop\", query: select 1 }", address),
        ("s3: { endpoint: \"http://10.0.0.5:9000\", bucket: exports }", address),
    ] {
        let refused = compiled("", step);
        let codes: Vec<_> = refused.diagnostics.iter().filter(|one| one.code == "E191").collect();
        assert_eq!(codes.len(), 1, "{step}: {:#?}", refused.diagnostics);
        assert!(codes[0].help[0].contains("in prober.yaml"), "{step}: {:?}", codes[0]);
        let text = format!("name: a\naim: Up.\nevery: 1m\n{step}\n");
        let span = codes[0].span;
        assert_eq!(&text[span.start as usize..span.end as usize], at, "{step}: the caret");
        assert!(refused.plans.is_empty(), "{step}");
        assert!(!compiled(ALLOW, step).has_errors(), "{step}");
    }
    assert!(
        compiled("network: { allow: [10.0.0.0/8], deny: [\"*:443\"] }", &format!("tcp: {at}")).has_errors()
    );
    // A region's own policy holds in that region alone.
    let regions = "regions: { eu: { network: { private: allow } }, us: {} }";
    assert!(compiled(regions, "regions: [eu]\ntcp: 10.0.0.5:443").plans.len() == 1);
    assert!(compiled(regions, "tcp: 10.0.0.5:443").has_errors());
}
