//! Pages over TLS: a real client checks the certificate, a token opens the door, and nothing is said in the clear.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use testkit::pki::{Flaw, Pki};
use testkit::{client, wait};

use crate::support::Project;

const PATIENCE: Duration = Duration::from_mins(2);
const TOKEN: &str = "0123456789abcdef-viewer";

/// What curl says of a page: its status, and how the check of the certificate ended (0 is well).
fn curl(address: SocketAddr, path: &str, more: &[&str]) -> (String, i32) {
    let asked = Command::new("curl")
        .args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{ssl_verify_result}",
            "--max-time",
            "60",
        ])
        .args(["--noproxy", "*", "--resolve", &format!("pages.test:{}:127.0.0.1", address.port())])
        .args(more)
        .arg(format!("https://pages.test:{}{path}", address.port()))
        .output()
        .expect("curl is there: tests/run peers");
    (String::from_utf8_lossy(&asked.stdout).into_owned(), asked.status.code().unwrap_or(-1))
}

#[test]
fn pages_over_tls_are_for_those_who_trust_the_root_and_have_a_token() {
    let pki = Pki::new();
    let identity = pki.identity(&["pages.test"], Flaw::None);
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    project.write("token", TOKEN);
    let (cert, key) = (identity.cert_file.to_str().unwrap(), identity.key_file.to_str().unwrap());
    let serving = project.start(&[
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        "--viewer-token-file",
        "token",
        "--host",
        "pages.test",
    ]);
    let address: SocketAddr = wait::some_blocking("its address", PATIENCE, || {
        let err = serving.err();
        err.split_once("page     https://")?.1.split_once("/\n")?.0.parse().ok()
    });
    let root = pki.root_file();
    let trusting = ["--cacert", root.to_str().unwrap()];
    let bearer = format!("Authorization: Bearer {TOKEN}");
    wait::until_blocking("readiness", PATIENCE, || curl(address, "/readyz", &trusting).0 == "200 0");
    let with_token = [&trusting[..], &["--header", &bearer]].concat();
    assert_eq!(curl(address, "/api/v1/scenarios", &with_token), ("200 0".to_owned(), 0));
    assert_eq!(curl(address, "/api/v1/scenarios", &trusting), ("401 0".to_owned(), 0));
    for version in ["1.2", "1.3"] {
        let least = format!("--tlsv{version}");
        let exactly = [&with_token[..], &[&least, "--tls-max", version]].concat();
        assert_eq!(curl(address, "/", &exactly), ("200 0".to_owned(), 0), "TLS {version}");
    }
    let stranger = pki.stranger_file();
    let (said, code) = curl(address, "/", &["--cacert", stranger.to_str().unwrap()]);
    assert_eq!((said.split(' ').next(), code), (Some("000"), 60), "curl does not believe another root");
    // Who speaks in the clear gets no page, and the pages go on.
    let plain = client::get(address, "/healthz");
    assert!(plain.is_none_or(|answer| answer.status != 200), "a page in the clear");
    assert_eq!(curl(address, "/healthz", &trusting).0, "200 0");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains(TOKEN), "{err}");
}
