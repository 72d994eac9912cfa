//! `tls` and `https` against chains with each flaw.

use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::scripted::{Move, Scripted, say};

use super::{assert_tiled, assertion, hops, phases};
use crate::support::{Project, event, said, text};

/// A flaw, a name for it, the error type it must have, and how many certificates are served.
const CASES: [(Flaw, &str, &str, u64); 7] = [
    (Flaw::None, "good", "", 2),
    (Flaw::Expired, "expired", "tls.expired", 2),
    (Flaw::NotYetValid, "early", "tls.not_yet_valid", 2),
    (Flaw::WrongName, "name", "tls.name_mismatch", 2),
    (Flaw::SelfSigned, "self", "tls.untrusted", 1),
    (Flaw::MissingIntermediate, "missing", "tls.untrusted", 1),
    (Flaw::UntrustedRoot, "stranger", "tls.untrusted", 1),
];

#[test]
fn each_flaw_has_its_error_and_the_chain_is_kept() {
    let pki = Pki::new();
    let project = Project::new(&format!("vars: {{ root: \"{}\" }}\n", pki.root_file().display()));
    let mut servers = Vec::new();
    for (flaw, name, ..) in CASES {
        let identity = pki.identity(&["shop.test", "127.0.0.1"], flaw);
        let server = Server::start_tls(identity.server_config(&Speech::default()));
        server.on("/", Reply::ok("hello"));
        let addr = server.addr();
        project.scenario(
            &format!("tls-{name}"),
            &format!("tls: {{ address: \"{addr}\", server_name: shop.test, ca: \"${{vars.root}}\" }}"),
        );
        project.scenario(
            &format!("https-{name}"),
            &format!("http: {{ url: \"https://{addr}/\", ca: \"${{vars.root}}\" }}"),
        );
        servers.push((server, identity));
    }
    let (events, ran) = project.run();
    assert_eq!(ran.code, Some(1));
    for ((flaw, name, error, served), (_, identity)) in CASES.iter().zip(&servers) {
        let wanted = if error.is_empty() { "good ok".to_owned() } else { format!("bad failed {error}") };
        let tls = event(&events, &format!("tls-{name}"));
        assert_eq!(said(tls), wanted, "{flaw:?}: {tls:#}");
        assert_eq!(tls["prober.tls.chain.length"], *served, "{flaw:?}: {tls:#}");
        assert_eq!(phases(&hops(tls, 0)[0]), "connect tls", "{flaw:?}");
        let https = event(&events, &format!("https-{name}"));
        assert_eq!(said(https), wanted, "{flaw:?}: {https:#}");
        for event in [tls, https] {
            assert_tiled(event);
            // What was served is known also where it was refused.
            assert!(!text(event, "tls.server.subject").is_empty(), "{flaw:?}: {event:#}");
            let not_after = identity.not_after.to_string();
            assert_eq!(text(event, "tls.server.not_after")[..19], not_after[..19], "{flaw:?}: {event:#}");
            if !error.is_empty() {
                assert_eq!(event["prober.failure.class"], "tls", "{flaw:?}");
            }
        }
    }
    let missing = event(&events, "tls-missing");
    let shown = format!("{}{}", text(missing, "prober.failure.message"), missing["prober.assertions"]);
    assert!(shown.contains("intermediate"), "{missing:#}");
}

#[test]
fn a_certificate_near_its_end_warns_or_fails() {
    let pki = Pki::new();
    let identity = pki.identity_ending_in(&["shop.test"], std::time::Duration::from_hours(24 * 10));
    let server = Server::start_tls(identity.server_config(&Speech::tls12()));
    let step = |more: &str| {
        let (addr, root) = (server.addr(), pki.root_file());
        format!("tls: {{ address: \"{addr}\", server_name: shop.test, ca: \"{}\" }}\n{more}", root.display())
    };
    let project = Project::with(
        "",
        &[
            ("fails", step("expect: { expires_in: { gte: 21d } }")),
            (
                "warns",
                step(
                    "expect: { expires_in: { gte: 7d }, chain: trusted, hostname: match, protocol: TLS1.2 }\nwarn: { expires_in: { gte: 30d } }",
                ),
            ),
            ("modern", step("expect: { protocol: { gte: TLS1.3 } }")),
        ],
    );
    let (events, _) = project.run();
    assert_eq!(event(&events, "fails")["prober.verdict"], "bad");
    assert_eq!(said(event(&events, "warns")), "good ok");
    assert!(event(&events, "warns")["prober.marks"].to_string().contains("warn"));
    assert_eq!(event(&events, "modern")["prober.verdict"], "bad");
    assert_eq!(assertion(event(&events, "modern"), "protocol"), "≥ TLS1.3|TLS1.2|false");
}

#[test]
fn plaintext_comes_first_where_the_protocol_wants_it() {
    let pki = Pki::new();
    let config = pki.identity(&["shop.test"], Flaw::WrongName).server_config(&Speech::default());
    let yes = vec![say("+OK ready\r\n"), Move::Hear("STLS\r\n"), say("+OK go on\r\n"), Move::Tls(config)];
    let (willing, unwilling) =
        (Scripted::start(yes), Scripted::start(vec![say("-ERR busy\r\n"), Move::Hang]));
    let step = |addr: std::net::SocketAddr| {
        let root = pki.root_file();
        format!(
            "tls: {{ address: \"{addr}\", server_name: shop.test, ca: \"{}\", starttls: pop3 }}",
            root.display()
        )
    };
    let project =
        Project::with("", &[("willing", step(willing.addr())), ("unwilling", step(unwilling.addr()))]);
    let (events, ran) = project.run();
    assert_eq!(ran.code, Some(1));
    let (willing, unwilling) = (event(&events, "willing"), event(&events, "unwilling"));
    assert_eq!(
        (said(willing), said(unwilling)),
        ("bad failed tls.name_mismatch".into(), "bad failed tls.starttls".into())
    );
    assert_eq!(phases(&hops(willing, 0)[0]), "connect wait tls");
    assert_eq!(phases(&hops(unwilling, 0)[0]), "connect wait");
    assert_eq!(willing["prober.tls.defects"], serde_json::json!(["name_mismatch"]));
    assert!(text(unwilling, "prober.failure.message").contains("-ERR busy"), "{unwilling:#}");
    assert_tiled(willing);
    // What is wrong is shown to people too, in a sentence.
    let explained = project.prober(&["run", "willing"]);
    let shown = explained.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("the certificate is for wrong.name.test, not for shop.test"), "{explained:?}");
}

#[test]
fn handshakes_that_stall_or_break() {
    let (stall, garbage) = (Hostile::start(Fault::TlsStall), Hostile::start(Fault::TlsGarbage));
    let project = Project::with(
        "",
        &[
            ("stall", format!("tls: \"{}\"\ntimeout: 1s", stall.addr())),
            ("garbage", format!("tls: \"{}\"\ntimeout: 5s", garbage.addr())),
        ],
    );
    let (events, _) = project.run();
    assert_eq!(said(event(&events, "stall")), "bad failed timeout");
    assert_eq!(phases(&hops(event(&events, "stall"), 0)[0]), "connect tls");
    assert_eq!(said(event(&events, "garbage")), "bad failed tls.handshake");
}
