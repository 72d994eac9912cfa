//! A step at each address of its name: which of several servers behind one name is bad.

use model::outcome::FailureClass;
use scenario::value::{Reading, Selector, Value};
use testkit::dns::Reply as Names;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};

use super::*;
use crate::trial::relay::Relay;

/// The keys of a GET of `url` at each address.
fn every(url: String) -> Keys {
    [get(url), vec![("addresses", Bound::Choice("all"))]].concat()
}

/// The step's hops by their labels' ends: `addresses of shop.test`, `127.0.0.1`.
fn where_to(outcome: &StepOutcome) -> Vec<String> {
    outcome.hops.iter().map(|hop| hop.label.rsplit([' ']).next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn each_address_is_asked_once_and_the_bad_one_is_named() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let names = testkit::dns::Server::start();
    // Loopback has a whole network; the server listens at one address of it.
    names.on("shop.test", "A", Names::a(&["127.0.0.1", "127.0.0.9", "127.0.0.1"]));
    names.on("shop.test", "AAAA", Names::empty());
    names.on("sound.test", "A", Names::a(&["127.0.0.1"]));
    names.on("sound.test", "AAAA", Names::empty());
    let shared = shared_asking(names.addr());
    let run = |name: &str| {
        let keys = every(server.url_as(name, "/"));
        let shared = Arc::clone(&shared);
        async move { trial::run(&KIND, keys, &shared, trial::PATIENCE).await }
    };
    let port = server.addr().port();

    let trial = run("sound.test").await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.value("status"), Value::Int(200));
    assert_eq!(trial.phases(0), [Phase::Dns], "the name is looked up once");
    assert_eq!(trial.phases(1), [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(where_to(&trial.outcome), ["sound.test".to_owned(), format!("127.0.0.1:{port}")]);
    assert_eq!(names.udp_packets(), 2);

    let trial = run("shop.test").await;
    assert_eq!(trial.failure(), "connect connect.refused");
    assert_eq!(
        trial.message(),
        format!("1 of 2 addresses bad: 127.0.0.9:{port}: 127.0.0.9:{port} refused the connection")
    );
    let hops = where_to(&trial.outcome);
    assert_eq!(
        hops,
        ["shop.test".to_owned(), format!("127.0.0.1:{port}"), format!("127.0.0.9:{port}")],
        "an address that is given twice is asked once, and what is bad comes last"
    );
    let list = trial.outcome.attributes.get("prober.addresses").map(|list| format!("{list:?}")).unwrap();
    assert!(list.contains(&format!("127.0.0.1:{port} 200")), "{list}");
    assert!(list.contains(&format!("127.0.0.9:{port} connect.refused")), "{list}");
    assert_eq!(server.requests(), 2);
    assert_eq!(server.seen()[0].header("host"), Some(format!("sound.test:{port}").as_str()));
}

#[tokio::test]
async fn facts_and_the_last_hop_are_those_of_the_failure_that_is_told() {
    let slow = Hostile::start(Fault::HalfOpen);
    let names = testkit::dns::Server::start();
    // At the second address nobody listens: it fails at once, and is not the one whose failure is told.
    names.on("shop.test", "A", Names::a(&["127.0.0.1", "127.0.0.9"]));
    names.on("shop.test", "AAAA", Names::empty());
    let keys = every(format!("http://shop.test:{}/", slow.addr().port()));
    let shared = shared_asking(names.addr());
    let visit = async |limit| trial::run(&KIND, keys.clone(), &shared, limit).await;
    let trial = trial::until_in(Phase::Wait, visit).await;
    assert_eq!(trial.failure(), "timeout timeout", "{}", trial.message());
    assert_eq!(trial.attribute("timeout.phase"), "wait");
    let last = trial.outcome.hops.last().unwrap();
    assert!(last.label.ends_with(&format!("at {}", slow.addr())), "{}", last.label);
    assert!(trial.message().contains("127.0.0.9"), "{}", trial.message());
}

#[tokio::test]
async fn names_in_tls_and_in_the_request_stay() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["shop.test"], Flaw::None).server_config(&Speech::h2()));
    server.on("/", Reply::redirect(302, "/end"));
    server.on("/end", Reply::ok("end").cookie("a=b"));
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", Names::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", Names::empty());
    let mut keys = every(server.url_as("shop.test", "/"));
    keys.push(("ca", text(pki.root_file().display().to_string())));
    let trial = trial::run(&KIND, keys, &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let statuses: Vec<_> = trial.outcome.hops.iter().map(|hop| hop.status.as_deref()).collect();
    assert_eq!(statuses, [None, Some("302"), Some("200")]);
    assert_eq!(server.seen()[0].sni.as_deref(), Some("shop.test"));
    assert_eq!(server.connections(), 1, "redirects of one address share its connection");
}

#[tokio::test]
async fn slow_addresses_do_not_take_the_others_time() {
    let slow = Hostile::start(Fault::HalfOpen);
    let names = testkit::dns::Server::start();
    let many: Vec<String> = (1..=40).map(|number| format!("127.0.0.{number}")).collect();
    names.on("shop.test", "A", Names::a(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    names.on("shop.test", "AAAA", Names::empty());
    let keys = every(format!("http://shop.test:{}/", slow.addr().port()));
    let shared = shared_asking(names.addr());
    let visit = async |limit| trial::run(&KIND, keys.clone(), &shared, limit).await;
    let trial = trial::patiently(|trial| trial.outcome.hops.len() == 17, visit).await;
    trial.ended_in_time();
    assert!(trial.message().starts_with("16 of 16 addresses bad: "), "{}", trial.message());
    assert_eq!(
        trial.outcome.hops.len(),
        17,
        "a name with many addresses makes no more connections than that"
    );
    // More than 32 of one answer are never taken.
    assert_eq!(trial.outcome.attributes.int("prober.addresses.left_out"), Some(16));
    assert!(trial.message().len() <= model::outcome::MESSAGE_MAX);
}

#[tokio::test]
async fn every_source_is_looked_at_by_itself() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", Names::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", Names::empty());
    let keys = every(server.url_as("shop.test", "/"));
    let trial = trial::run(&KIND, keys, &shared_asking(names.addr()), trial::PATIENCE).await;
    let each = trial.outcome.evidence.each().expect("there are addresses");
    assert_eq!(each.len(), 1);
    assert_eq!(each[0].0, server.addr().to_string());
    assert_eq!(each[0].1.read("body", &Selector::Whole), Reading::One(Value::Text("hello".into())));
}

#[tokio::test]
async fn a_name_without_addresses_and_an_address_without_a_name() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let trial = trial::run(&KIND, every(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.outcome.hops.len(), 1, "an address needs no lookup");
    let names = testkit::dns::Server::start();
    let nowhere = every("http://nowhere.test/".to_owned());
    let trial = trial::run(&KIND, nowhere, &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(trial.failure(), "dns dns.nxdomain");
    assert_eq!(trial.phases(0), [Phase::Dns]);
}

#[tokio::test]
async fn no_family_is_missing_in_silence() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let names = testkit::dns::Server::start();
    for (name, v6) in [
        // Later than the second family is waited for where one address is enough.
        ("late.test", Names::aaaa(&["::1"]).after(Duration::from_millis(150))),
        ("broken.test", Names::rcode(2)),
    ] {
        names.on(name, "A", Names::a(&["127.0.0.1"]));
        names.on(name, "AAAA", v6);
    }
    let shared = shared_asking(names.addr());
    let late = trial::run(&KIND, every(server.url_as("late.test", "/")), &shared, trial::PATIENCE).await;
    let where_to = where_to(&late.outcome);
    assert!(
        where_to.iter().any(|label| label.starts_with("[::1]")) || late.message().contains("::1"),
        "{where_to:?}"
    );
    let broken = trial::run(&KIND, every(server.url_as("broken.test", "/")), &shared, trial::PATIENCE).await;
    assert_eq!(broken.failure(), "dns dns.servfail");
    assert!(broken.message().ends_with("; all addresses are those of both families, ip: \"4\" is one"));
    let one = [every(server.url_as("broken.test", "/")), vec![("ip", Bound::Choice("4"))]].concat();
    assert_eq!(trial::run(&KIND, one, &shared, trial::PATIENCE).await.outcome.failure, None);
}

#[tokio::test]
async fn an_address_that_may_not_be_reached_is_not_left_out_in_silence() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", Names::a(&["127.0.0.1", "169.254.169.254"]));
    names.on("shop.test", "AAAA", Names::empty());
    let mut policy = scenario::network::Policy::default();
    policy.allow.push(scenario::network::Rule::parse("127.0.0.0/8").unwrap());
    let shared = shared_asking(names.addr()).under(&Arc::new(policy));
    let trial = trial::run(&KIND, every(server.url_as("shop.test", "/")), &shared, trial::PATIENCE).await;
    assert_eq!(trial.failure(), "local local.policy");
    assert!(trial.message().starts_with("1 of 2 addresses bad: 169.254.169.254:"), "{}", trial.message());
    assert_eq!(server.requests(), 1, "the others are asked");
}

/// A machine without a way to an address is no fault of whoever is there.
#[tokio::test]
async fn an_address_that_this_machine_has_no_way_to_is_ours() {
    // A multicast address: nobody connects to one by TCP, and there is no way to one without a scope.
    let names = testkit::dns::Server::start();
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    names.on("shop.test", "A", Names::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", Names::aaaa(&["2001:db8::1"]));
    let keys = every(server.url_as("shop.test", "/"));
    let trial = trial::run(&KIND, keys, &shared_asking(names.addr()), Duration::from_secs(5)).await;
    let failure = trial.outcome.failure.as_ref().expect("documentation's own network is nowhere");
    if crate::net::each::no_way("[2001:db8::1]:80".parse().unwrap()).is_some() {
        assert_eq!((failure.class, &*failure.error_type), (FailureClass::Local, "local.family"));
        assert!(failure.message.contains("write ip: \"4\""), "{}", failure.message);
    } else {
        assert_ne!(failure.class, FailureClass::Local, "{}", failure.message);
    }
    let mut keys = every(server.url_as("shop.test", "/"));
    keys.push(("ip", Bound::Choice("4")));
    let trial = trial::run(&KIND, keys, &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
}

#[test]
fn a_proxy_hides_which_address_was_asked() {
    let keys =
        [every("https://shop.example/".into()), vec![("proxy", template("http://proxy.example:3128"))]];
    assert_eq!(
        trial::compile(&KIND, keys.concat()).err(),
        Some(vec!["E135: `proxy` and `addresses: all` exclude each other".to_owned()])
    );
}

/// The whole way: the verdict names the address, whatever is looked at.
#[tokio::test]
async fn a_verdict_names_the_bad_address() {
    let (good, bad) = (Server::start(), Server::start());
    good.on("/", Reply::json(r#"{"status":"UP"}"#));
    bad.on("/", Reply::json(r#"{"status":"DOWN"}"#));
    // One port at two addresses, as two machines have it, needs two listeners: a relay takes the second one.
    let relay = Relay::start(good.addr(), bad.addr());
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", Names::a(&["127.0.0.1", "127.0.0.2"]));
    names.on("shop.test", "AAAA", Names::empty());
    let step = format!(
        "http: {{ url: \"http://shop.test:{}/\", addresses: all }}\nexpect: {{ json: {{ $.status: UP }} }}",
        relay.port
    );
    let outcome = trial::judge_asking(&step, names.addr()).await;
    assert_eq!(
        trial::told(&outcome),
        format!(
            "failed incorrect assert.json: at 127.0.0.2:{} (1 of 2): json $.status is \"DOWN\", expected \"UP\"",
            relay.port
        )
    );
    let assertion = outcome.assertions.iter().find(|one| &*one.name == "json $.status").unwrap();
    assert_eq!((assertion.pass, assertion.actual.as_str()), (false, "\"DOWN\""));
    bad.on("/", Reply::status(503).body("{\"status\":\"UP\"}"));
    let outcome = trial::judge_asking(&step, names.addr()).await;
    let told = trial::told(&outcome);
    assert!(told.starts_with("failed protocol 503: at 127.0.0.2:"), "{told}");
    bad.on("/", Reply::json(r#"{"status":"UP"}"#));
    assert_eq!(trial::told(&trial::judge_asking(&step, names.addr()).await), "ok");
}
