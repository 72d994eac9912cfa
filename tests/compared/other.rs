//! TCP, TLS and DNS beside the blackbox exporter's modules for them.

use testkit::dns;
use testkit::hostile::{Fault, Hostile, Unconnectable};
use testkit::pki::{Flaw, Pki, Speech};

use super::*;

fn state(
    name: &'static str,
    scenario: String,
    blackbox: (&'static str, String),
    (ours, theirs, why): (&'static str, Thinks, &'static str),
) -> State {
    State { name, scenario, curl: None, blackbox, expected: (ours, Nothing, theirs), why }
}

#[test]
fn connections_beside_the_blackbox_exporter() {
    let greets =
        Hostile::start(Fault::Trickle(b"220 mail.test ESMTP\r\n".to_vec(), Duration::from_millis(2)));
    let refuses = Hostile::start(Fault::Trickle(b"554 go away\r\n".to_vec(), Duration::from_millis(2)));
    let silent = Hostile::start(Fault::HalfOpen);
    let resets = Hostile::start(Fault::ResetOnAccept);
    let closes = Hostile::start(Fault::CloseOnAccept);
    let (full, free) = (Unconnectable::start(), testkit::wait::free_port());
    let bare = |name, addr: String, ours, theirs, why| {
        state(name, format!("tcp: \"{addr}\""), ("tcp", addr), (ours, theirs, why))
    };
    let greeting = |name, addr: String, ours, theirs, why| {
        let scenario = format!(
            "tcp: {{ address: \"{addr}\", read_until: \"\\\\n\" }}\nexpect: {{ response: {{ starts_with: \"220\" }} }}"
        );
        state(name, scenario, ("greeting", addr), (ours, theirs, why))
    };
    let states = [
        bare("open", silent.addr().to_string(), "good", Good, ""),
        bare("closed", closes.addr().to_string(), "good", Good, ""),
        bare("refused", format!("127.0.0.1:{free}"), "connect.refused", Bad, ""),
        bare("full", full.addr().to_string(), "timeout", Bad, ""),
        greeting("greets", greets.addr().to_string(), "good", Good, ""),
        greeting("refuses", refuses.addr().to_string(), "assert.response", Bad, ""),
        greeting("says-nothing", silent.addr().to_string(), "timeout", Bad, ""),
        greeting("resets", resets.addr().to_string(), "connect.reset", Bad, ""),
        greeting("hangs-up", closes.addr().to_string(), "assert.response", Bad, ""),
    ];
    let modules = format!(
        "modules:\n  tcp: {{ prober: tcp, timeout: {TIMEOUT_MS}ms, tcp: {{ preferred_ip_protocol: ip4 }} }}\n  \
         greeting: {{ prober: tcp, timeout: {TIMEOUT_MS}ms, tcp: {{ preferred_ip_protocol: ip4, query_response: [{{ expect: \"^220\" }}] }} }}\n"
    );
    let (project, mut events) = (Project::new(""), Vec::new());
    let asked = Asking::start(&project, &modules);
    let seen = asked.all(&states, &mut events);
    all_right(&seen.iter().flat_map(|seen| asked.wrong(seen, |_| Vec::new())).collect::<Vec<_>>());
}

#[test]
fn handshakes_beside_curl_and_the_blackbox_exporter() {
    let pki = Pki::new();
    let root = pki.root_file().display().to_string();
    let serve = |flaw, speech: &Speech| {
        Hostile::start(Fault::SilentAfterTls(pki.identity(&["127.0.0.1"], flaw).server_config(speech)))
    };
    let peers: Vec<_> = Flaw::ALL.into_iter().map(|flaw| serve(flaw, &Speech::default())).collect();
    let old = serve(Flaw::None, &Speech::tls12());
    let (stalls, garbage) = (Hostile::start(Fault::TlsStall), Hostile::start(Fault::TlsGarbage));
    let of = |name, peer: &Hostile, ours, theirs, why| {
        let addr = peer.addr().to_string();
        let scenario = format!("tls: {{ address: \"{addr}\", ca: \"{root}\" }}");
        state(name, scenario, ("tls", addr), (ours, theirs, why))
    };
    let names = ["trusted", "expired", "not-yet", "wrong-name", "self-signed", "half-chain", "stranger"];
    let errors = [
        "good",
        "tls.expired",
        "tls.not_yet_valid",
        "tls.name_mismatch",
        "tls.untrusted",
        "tls.untrusted",
        "tls.untrusted",
    ];
    let mut states: Vec<_> = names
        .iter()
        .zip(&peers)
        .zip(errors)
        .map(|((name, peer), ours)| of(*name, peer, ours, Thinks::of(ours == "good"), ""))
        .collect();
    states.push(of("old", &old, "good", Good, ""));
    states.push(of("stalls", &stalls, "timeout", Bad, ""));
    states.push(of("garbage", &garbage, "tls.handshake", Bad, ""));
    let modules = format!(
        "modules:\n  tls: {{ prober: tcp, timeout: {TIMEOUT_MS}ms, tcp: {{ preferred_ip_protocol: ip4, tls: true, tls_config: {{ ca_file: \"{root}\" }} }} }}\n"
    );
    let (project, mut events) = (Project::new(""), Vec::new());
    let asked = Asking::start(&project, &modules);
    let seen = asked.all(&states, &mut events);
    let mut wrong: Vec<_> = seen.iter().flat_map(|seen| asked.wrong(seen, |_| Vec::new())).collect();
    // Both say when the first certificate of the chain ends.
    let trusted = &seen[0];
    let theirs = trusted.blackbox.as_ref().and_then(|page| page.number("probe_ssl_earliest_cert_expiry"));
    let ours: jiff::Timestamp = text(trusted.ours, "tls.server.not_after").parse().unwrap();
    if theirs.is_none_or(|theirs| (theirs - ours.as_second() as f64).abs() > 1.0) {
        wrong.push(format!("our chain ends {ours}, the exporter's {theirs:?}"));
    }
    all_right(&wrong);
}

#[test]
fn questions_beside_the_blackbox_exporter() {
    let server = |reply: dns::Reply| {
        let server = dns::Server::start();
        server.otherwise(reply);
        server
    };
    let peers = [
        ("answers", server(dns::Reply::a(&["192.0.2.1", "192.0.2.2"])), "good", Good, ""),
        ("no-name", server(dns::Reply::rcode(3)), "dns.nxdomain", Bad, ""),
        ("fails", server(dns::Reply::rcode(2)), "dns.servfail", Bad, ""),
        ("refuses", server(dns::Reply::rcode(5)), "dns.refused", Bad, ""),
        ("silent", server(dns::Reply::silence()), "dns.timeout", Bad, ""),
        ("garbage", server(dns::Reply::garbage(&[0xff; 40])), "dns.timeout", Bad, ""),
        ("forges", server(dns::Reply::a(&["192.0.2.1"]).wrong_id()), "dns.timeout", Bad, ""),
        (
            "empty",
            server(dns::Reply::empty()),
            "dns.no_answer",
            Good,
            "an answer without a record of the asked type helps nobody; the exporter looks at the code alone",
        ),
        ("cut", server(dns::Reply::a(&["192.0.2.1"; 100]).truncated()), "good", Good, ""),
    ];
    let states: Vec<_> = peers
        .iter()
        .map(|(name, server, ours, theirs, why)| {
            let addr = server.addr().to_string();
            let scenario = format!("dns: {{ name: shop.test, resolvers: \"{addr}\" }}");
            state(name, scenario, ("dns", addr), (ours, *theirs, why))
        })
        .collect();
    let modules = format!(
        "modules:\n  dns: {{ prober: dns, timeout: {TIMEOUT_MS}ms, dns: {{ preferred_ip_protocol: ip4, query_name: shop.test, query_type: A }} }}\n"
    );
    let (project, mut events) = (Project::new(""), Vec::new());
    let asked = Asking::start(&project, &modules);
    let seen = asked.all(&states, &mut events);
    all_right(&seen.iter().flat_map(|seen| asked.wrong(seen, |_| Vec::new())).collect::<Vec<_>>());
}
