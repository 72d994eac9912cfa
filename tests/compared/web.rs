//! HTTP: 54 states of a server, looked at by `prober`, `curl -w` and the exporter's module `http`.

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use testkit::hostile::{Fault, Hostile, Unconnectable};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech, WEAK, Weak, weak};
use testkit::servers::{Nginx, OpenSsl};

use super::*;

/// A delay that shows in every measurement.
const DELAY: Duration = Duration::from_millis(150);

/// Every peer of the table, alive as long as it is.
struct Peers {
    pki: Pki,
    nginx: Nginx,
    plain: Server,
    secure: Server,
    slow_tls: Server,
    flawed: Vec<(Flaw, Server)>,
    hostile: Vec<(&'static str, Hostile)>,
    unconnectable: Unconnectable,
    free: u16,
    /// Servers that this program cannot speak to: a name, who it is, its authority's file, and why.
    beyond: [(&'static str, OpenSsl, String, &'static str); 2],
    _folder: Arc<tempfile::TempDir>,
}

fn raw(text: &str) -> Fault {
    Fault::Raw(text.as_bytes().to_vec())
}

/// `bytes` packed by gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut command = Command::new("gzip");
    let mut child =
        command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip is there");
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    packed
}

impl Peers {
    fn start() -> Self {
        let pki = Pki::new();
        let names = ["127.0.0.1", "localhost"];
        let identity = pki.identity(&names, Flaw::None);
        let nginx = Nginx::start(&identity);
        let plain = Server::start();
        plain.on("/", Reply::ok("hello"));
        plain.on("/none", Reply::status(204));
        plain.on("/sorry", Reply::status(500).body("sorry"));
        plain.on("/slow-head", Reply::ok("hello").after(DELAY));
        plain.on("/slow-body", Reply::status(200).body("he").pause(DELAY).body("llo"));
        plain.on("/loop", Reply::redirect(302, "/loop"));
        plain.on("/nowhere", Reply::redirect(302, "ftp://127.0.0.1/"));
        plain.on("/large", Reply::ok("x".repeat(300_000)));
        plain.on("/endless", Reply::status(200).endless("x".repeat(64 << 10)));
        let packed = gzip("hello ".repeat(2000).as_bytes());
        plain.on("/packed", Reply::ok(packed).header("content-encoding", "gzip"));
        let bomb = gzip(&vec![0; 12 << 20]);
        plain.on("/bomb", Reply::ok(bomb).header("content-encoding", "gzip"));
        plain.on("/lie", Reply::ok("this is no gzip").header("content-encoding", "gzip"));
        plain.on("/chain", Reply::redirect(302, "/chain/1"));
        plain.on("/chain/1", Reply::redirect(307, "/chain/2"));
        plain.on("/chain/2", Reply::redirect(308, "/"));
        let secure = Server::start_tls(identity.server_config(&Speech::h1()));
        secure.on("/", Reply::ok("hello"));
        secure.on("/down", Reply::redirect(302, &plain.url("/")));
        plain.on("/up", Reply::redirect(301, &secure.url("/")));
        let slow_tls = Server::start_tls(identity.server_config(&Speech::h2()));
        slow_tls.on("/", Reply::ok("hello"));
        slow_tls.delay_tls(DELAY);
        let flawed = Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::None).map(|flaw| {
            let server = Server::start_tls(pki.identity(&names, flaw).server_config(&Speech::h1()));
            server.on("/", Reply::ok("hello"));
            (flaw, server)
        });
        let flawed = flawed.collect();
        let hostile = faults(&identity.server_config(&Speech::h1()));
        let hostile = hostile.into_iter().map(|(name, fault)| (name, Hostile::start(fault))).collect();
        let (unconnectable, free) = (Unconnectable::start(), testkit::wait::free_port());
        let (key, folder) = weak(Weak { leaf: "secp521r1", ..WEAK[0] });
        let (root, ca) = (pki.root_file().display().to_string(), folder.path().join("root.pem"));
        let cbc = OpenSsl::serve(&identity, &["-no_tls1_3", "-cipher", "ECDHE-ECDSA-AES128-SHA"]);
        let beyond = [
            ("p-521", OpenSsl::serve(&key, &[]), ca.display().to_string(), "we have no P-521"),
            ("cbc", cbc, root, "we have no ciphers with CBC"),
        ];
        Self {
            pki,
            nginx,
            plain,
            secure,
            slow_tls,
            flawed,
            hostile,
            unconnectable,
            free,
            beyond,
            _folder: folder,
        }
    }

    fn flawed(&self, wanted: Flaw) -> String {
        let (_, server) =
            self.flawed.iter().find(|(flaw, _)| *flaw == wanted).expect("every flaw has a server");
        server.url("/")
    }

    fn hostile(&self, wanted: &str, scheme: &str) -> String {
        let (_, peer) =
            self.hostile.iter().find(|(name, _)| *name == wanted).expect("every fault has a peer");
        format!("{scheme}://{}/", peer.addr())
    }
}

fn faults(tls: &Arc<rustls::ServerConfig>) -> Vec<(&'static str, Fault)> {
    vec![
        ("half-open", Fault::HalfOpen),
        ("closed", Fault::CloseAfterRequest),
        ("reset", Fault::ResetAfterRequest),
        ("tls-stall", Fault::TlsStall),
        ("tls-garbage", Fault::TlsGarbage),
        ("tls-silent", Fault::SilentAfterTls(Arc::clone(tls))),
        ("short", Fault::ShortBody),
        ("long", Fault::LongBody),
        ("mid-body", Fault::MidBodyClose),
        ("two-lengths", Fault::TwoLengths),
        ("garbage", Fault::Garbage),
        ("no-status", raw("HTTP/1.1 ok\r\n\r\n")),
        ("endless-headers", Fault::EndlessHeaders),
        ("drip", Fault::Drip(Duration::from_millis(100))),
        ("http-1.0", raw("HTTP/1.0 200 OK\r\n\r\nhello")),
        ("until-close", raw("HTTP/1.1 200 OK\r\n\r\nhello")),
        ("continue", raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")),
        ("no-length", raw("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello")),
        ("no-name", raw("HTTP/1.1 200 OK\r\n: nothing\r\nContent-Length: 0\r\n\r\n")),
    ]
}

/// One state: our keys beside `url` and `ca`, curl's arguments, the exporter's module.
struct Asked<'a> {
    url: String,
    keys: &'a str,
    curl: &'a [&'a str],
    module: &'static str,
}

fn state(
    peers: &Peers,
    name: &'static str,
    asked: Asked<'_>,
    expected: (&'static str, Thinks, Thinks),
    why: &'static str,
) -> State {
    let root = peers.pki.root_file().display().to_string();
    let Asked { url, keys, curl, module } = asked;
    let mut scenario = format!("http: {{ url: \"{url}\", ca: \"{root}\"");
    write!(scenario, "{}{keys} }}", if keys.is_empty() { "" } else { ", " }).unwrap();
    let args = ["--location", "--max-redirs", "5", "--cacert", &root];
    let args = args.iter().chain(curl).map(|arg| (*arg).to_owned()).chain([url.clone()]).collect();
    State { name, scenario, curl: Some(args), blackbox: (module, url), expected, why }
}

const AGREED_GOOD: (&str, Thinks, Thinks) = ("good", Good, Good);

const fn agreed_bad(error: &'static str) -> (&'static str, Thinks, Thinks) {
    (error, Bad, Bad)
}

fn simple(url: String) -> Asked<'static> {
    Asked { url, keys: "", curl: &[], module: "http" }
}

fn servers(peers: &Peers) -> Vec<State> {
    let Peers { nginx, plain, secure, slow_tls, .. } = peers;
    let page = |path: &str| format!("http://{}{path}", nginx.http());
    let tls = |path: &str| format!("https://{}{path}", nginx.https());
    let one = Asked { url: tls("/"), keys: "http_version: \"1.1\"", curl: &["--http1.1"], module: "http-1" };
    let insecure = Asked {
        url: peers.flawed(Flaw::SelfSigned),
        keys: "insecure: it is a test",
        curl: &["--insecure"],
        module: "insecure",
    };
    let prior = Asked {
        url: plain.url("/"),
        keys: "http_version: \"2\"",
        curl: &["--http2-prior-knowledge"],
        module: "http",
    };
    let of = |name, asked, expected, why| state(peers, name, asked, expected, why);
    vec![
        of("page", simple(page("/")), AGREED_GOOD, ""),
        of("page-json", simple(page("/hello.json")), AGREED_GOOD, ""),
        of("page-tls-1", one, AGREED_GOOD, ""),
        of("page-tls-2", simple(tls("/")), AGREED_GOOD, ""),
        of("page-moved", simple(page("/old")), AGREED_GOOD, ""),
        of("page-503", simple(page("/status/503")), agreed_bad("503"), ""),
        of("page-404", simple(page("/nothing")), agreed_bad("404"), ""),
        of("answer", simple(plain.url("/")), AGREED_GOOD, ""),
        of("answer-2", prior, AGREED_GOOD, ""),
        of("answer-204", simple(plain.url("/none")), AGREED_GOOD, ""),
        of("answer-500", simple(plain.url("/sorry")), agreed_bad("500"), ""),
        of("answer-large", simple(plain.url("/large")), AGREED_GOOD, ""),
        of("slow-head", simple(plain.url("/slow-head")), AGREED_GOOD, ""),
        of("slow-body", simple(plain.url("/slow-body")), AGREED_GOOD, ""),
        of("slow-tls", simple(slow_tls.url("/")), AGREED_GOOD, ""),
        of("packed", simple(plain.url("/packed")), AGREED_GOOD, ""),
        of(
            "bomb",
            simple(plain.url("/bomb")),
            ("http.decompression_bomb", Good, Good),
            "we unpack what we are given, as a browser does; curl and the exporter were not asked to",
        ),
        of(
            "lie",
            simple(plain.url("/lie")),
            ("http.encoding", Good, Good),
            "we unpack what we are given, as a browser does; curl and the exporter were not asked to",
        ),
        of("redirects", simple(plain.url("/chain")), AGREED_GOOD, ""),
        of("redirect-up", simple(plain.url("/up")), AGREED_GOOD, ""),
        of(
            "redirect-down",
            simple(secure.url("/down")),
            ("http.redirect_downgrade", Good, Good),
            "a way from https to http is no safe way for anybody; curl and the exporter go it",
        ),
        of("redirect-loop", simple(plain.url("/loop")), agreed_bad("http.redirect_loop"), ""),
        of("redirect-nowhere", simple(plain.url("/nowhere")), agreed_bad("http.protocol"), ""),
        of("expired", simple(peers.flawed(Flaw::Expired)), agreed_bad("tls.expired"), ""),
        of("not-yet", simple(peers.flawed(Flaw::NotYetValid)), agreed_bad("tls.not_yet_valid"), ""),
        of("wrong-name", simple(peers.flawed(Flaw::WrongName)), agreed_bad("tls.name_mismatch"), ""),
        of("self-signed", simple(peers.flawed(Flaw::SelfSigned)), agreed_bad("tls.untrusted"), ""),
        of("half-chain", simple(peers.flawed(Flaw::MissingIntermediate)), agreed_bad("tls.untrusted"), ""),
        of("stranger", simple(peers.flawed(Flaw::UntrustedRoot)), agreed_bad("tls.untrusted"), ""),
        of("insecure", insecure, AGREED_GOOD, ""),
    ]
}

/// Servers that are sound, and that the others alone can speak to.
fn beyond(peers: &Peers) -> impl Iterator<Item = State> {
    peers.beyond.iter().map(|(name, server, ca, why)| {
        let url = format!("https://localhost:{}/", server.addr().port());
        State {
            name,
            scenario: format!("http: {{ url: \"{url}\", ca: \"{ca}\" }}"),
            curl: Some(["--cacert", ca, &url].map(str::to_owned).into()),
            blackbox: ("insecure", url),
            expected: ("local.unsupported", Good, Good),
            why,
        }
    })
}

fn broken(peers: &Peers) -> Vec<State> {
    let of = |name, url, expected, why| state(peers, name, simple(url), expected, why);
    let http = |fault: &str| peers.hostile(fault, "http");
    let https = |fault: &str| peers.hostile(fault, "https");
    let plain = &peers.plain;
    vec![
        of("refused", format!("http://127.0.0.1:{}/", peers.free), agreed_bad("connect.refused"), ""),
        of("unconnectable", format!("http://{}/", peers.unconnectable.addr()), agreed_bad("timeout"), ""),
        of("half-open", http("half-open"), agreed_bad("timeout"), ""),
        of("closed", http("closed"), agreed_bad("http.truncated"), ""),
        of("reset", http("reset"), agreed_bad("connect.reset"), ""),
        of("tls-stall", https("tls-stall"), agreed_bad("timeout"), ""),
        of("tls-garbage", https("tls-garbage"), agreed_bad("tls.handshake"), ""),
        of("tls-silent", https("tls-silent"), agreed_bad("timeout"), ""),
        of("short", http("short"), agreed_bad("http.truncated"), ""),
        of("long", http("long"), AGREED_GOOD, ""),
        of("mid-body", http("mid-body"), agreed_bad("http.truncated"), ""),
        of(
            "two-lengths",
            http("two-lengths"),
            ("http.protocol", Good, Bad),
            "two different lengths let one request be read as another; curl takes one of them",
        ),
        of("garbage", http("garbage"), agreed_bad("http.protocol"), ""),
        of("no-status", http("no-status"), agreed_bad("http.protocol"), ""),
        of(
            "endless-body",
            plain.url("/endless"),
            ("good", Bad, Bad),
            "nothing was asked about the body, so it is left at its limit; an assertion about it would say that it was cut",
        ),
        of("endless-headers", http("endless-headers"), agreed_bad("http.protocol"), ""),
        of("drip", http("drip"), agreed_bad("timeout"), ""),
        of("http-1-0", http("http-1.0"), AGREED_GOOD, ""),
        of("until-close", http("until-close"), AGREED_GOOD, ""),
        of("continue", http("continue"), AGREED_GOOD, ""),
        of("no-length", http("no-length"), agreed_bad("http.protocol"), ""),
        of(
            "no-name",
            http("no-name"),
            ("http.protocol", Good, Good),
            "a header without a name is no header; curl and the exporter take it for one",
        ),
    ]
}

fn modules(root: &str) -> String {
    let module = |name: &str, more: &str, tls: &str| {
        format!(
            "  {name}:\n    prober: http\n    timeout: {TIMEOUT_MS}ms\n    http:\n      preferred_ip_protocol: ip4\n{more}      tls_config: {{ {tls} }}\n"
        )
    };
    let ca = format!("ca_file: \"{root}\"");
    let one = "      enable_http2: false\n";
    let lax = "insecure_skip_verify: true";
    format!(
        "modules:\n{}{}{}",
        module("http", "", &ca),
        module("http-1", one, &ca),
        module("insecure", "", lax)
    )
}

#[test]
fn verdicts_and_values_beside_curl_and_the_blackbox_exporter() {
    let peers = Peers::start();
    let states: Vec<_> = servers(&peers).into_iter().chain(broken(&peers)).chain(beyond(&peers)).collect();
    assert!(states.len() >= 54, "{}", states.len());
    let root = peers.pki.root_file().display().to_string();
    let (project, mut events) = (Project::new(""), Vec::new());
    let asked = Asking::start(&project, &modules(&root));
    let seen = asked.all(&states, &mut events);
    let mut wrong = Vec::new();
    for seen in &seen {
        wrong.extend(asked.wrong(seen, values));
        // Noise only adds: the least of some measurements is what was measured.
        let mut least = times(seen);
        for _ in 0..AGAIN {
            if far(seen.state.name, &least).is_empty() {
                break;
            }
            let mut events = Vec::new();
            let more = times(&asked.again(seen.state, &mut events));
            for (row, more) in least.iter_mut().zip(more) {
                row.1 = std::array::from_fn(|who| row.1[who].min(more.1[who]));
            }
        }
        wrong.extend(far(seen.state.name, &least));
    }
    all_right(&wrong);
}

/// Statuses, versions, redirects and sizes that are not the same for all who had a whole answer.
fn values(seen: &Seen<'_>) -> Vec<String> {
    let name = seen.state.name;
    let (Some(curl), Some(blackbox)) = (&seen.curl, &seen.blackbox) else { return Vec::new() };
    let mut wrong = Vec::new();
    if curl.int("exitcode") != 0 || seen.state.expected.0 != "good" {
        return wrong;
    }
    let status = seen.ours["http.response.status_code"].as_i64().unwrap_or_default();
    let version = text(seen.ours, "network.protocol.version");
    let theirs = curl.0["http_version"].as_str().unwrap_or_default().to_owned();
    if curl.int("http_code") != status || blackbox.number("probe_http_status_code") != Some(status as f64) {
        wrong.push(format!("{name}: our status is {status}, curl's {}", curl.int("http_code")));
    }
    if theirs != version.trim_end_matches(".0") {
        wrong.push(format!("{name}: our version is {version}, curl's {theirs}"));
    }
    // The exporter speaks HTTP/2 only after ALPN.
    let spoken = blackbox.number("probe_http_version").map(|version| version.to_string());
    if seen.state.name != "answer-2" && spoken.as_deref() != Some(version.trim_end_matches(".0")) {
        wrong.push(format!("{name}: our version is {version}, the exporter's {spoken:?}"));
    }
    let hops = seen.ours["prober.steps"][0]["hops"].as_array().map_or(0, Vec::len);
    let redirects = i64::try_from(hops).unwrap_or_default() - 1;
    if curl.int("num_redirects") != redirects
        || blackbox.number("probe_http_redirects") != Some(redirects as f64)
    {
        wrong.push(format!("{name}: we followed {redirects} redirects, curl {}", curl.int("num_redirects")));
    }
    let size = seen.ours["http.response.body.size"].as_i64().unwrap_or_default();
    if curl.int("size_download") != size {
        wrong.push(format!("{name}: our size is {size}, curl's {}", curl.int("size_download")));
    }
    wrong
}

/// A phase, and how long it took us, curl and the exporter.
type Row = (&'static str, [Duration; 3]);

/// How long each phase took, for answers without redirects.
fn times(seen: &Seen<'_>) -> Vec<Row> {
    let (Some(curl), Some(blackbox)) = (&seen.curl, &seen.blackbox) else { return Vec::new() };
    if seen.state.expected != AGREED_GOOD || curl.int("num_redirects") != 0 {
        return Vec::new();
    }
    let secure = seen.ours["url.scheme"] == "https";
    let secured = if secure { "time_appconnect" } else { "time_connect" };
    let of_exporter = |phase: &str| {
        let series = format!("probe_http_duration_seconds{{phase=\"{phase}\"}}");
        Duration::from_secs_f64(blackbox.number(&series).unwrap_or_default())
    };
    let ours = |phase: &str| seen.phase(phase);
    vec![
        (
            "connect",
            [ours("connect"), curl.between("time_namelookup", "time_connect"), of_exporter("connect")],
        ),
        ("tls", [ours("tls"), curl.between("time_connect", secured), of_exporter("tls")]),
        (
            "send and wait",
            [
                ours("send") + ours("wait"),
                curl.between("time_pretransfer", "time_starttransfer"),
                of_exporter("processing"),
            ],
        ),
        (
            "receive",
            [ours("receive"), curl.between("time_starttransfer", "time_total"), of_exporter("transfer")],
        ),
    ]
}

/// Phases that are further apart than noise explains.
fn far(name: &str, rows: &[Row]) -> Vec<String> {
    let far = |left: Duration, right: Duration| left.abs_diff(right) > APART;
    let wrong = rows.iter().filter(|(phase, [ours, curl, exporter])| {
        // The exporter's "tls" begins before the connection does.
        far(*ours, *curl) || (*phase != "tls" && far(*ours, *exporter))
    });
    wrong
        .map(|(phase, [ours, curl, exporter])| {
            format!("{name}: {phase} took us {ours:?}, curl {curl:?}, the exporter {exporter:?}")
        })
        .collect()
}
