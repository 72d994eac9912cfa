use super::*;

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::pki::{Flaw, Pki};
use crate::{client, http, wait};

fn gone(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err()
}

#[test]
fn nginx_serves_pages_and_ends() {
    let pki = Pki::new();
    let nginx = Nginx::start(&pki.identity(&["localhost", "127.0.0.1"], Flaw::None));
    let (http, https) = (nginx.http(), nginx.https());
    assert!(client::get(http, "/").unwrap().body.contains("A page by nginx"));
    assert_eq!(client::get(http, "/hello.json").unwrap().header("content-type"), Some("application/json"));
    assert_eq!(client::get(http, "/status/503").unwrap().status, 503);
    assert_eq!(client::get(http, "/old").unwrap().status, 301);
    std::fs::write(nginx.folder().join("more.html"), "more").unwrap();
    assert_eq!(client::get(http, "/more.html").unwrap().body, "more");
    let mut curl = Command::new("curl");
    let curl = curl.args(["-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_version}", "--cacert"]);
    let output = curl.arg(pki.root_file()).arg(format!("https://{https}/")).output();
    let output = output.expect("curl is missing: apt-get install curl");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2", "{}", String::from_utf8_lossy(&output.stderr));
    drop(nginx);
    assert!(gone(http) && gone(https));
}

#[test]
fn knot_serves_its_zone_and_ends() {
    let zone = "$ORIGIN shop.test.\n$TTL 60\n@ SOA ns1 hostmaster 7 3600 600 86400 60\n@ NS ns1\n\
                ns1 A 192.0.2.53\nwww A 192.0.2.1\n";
    let knot = Knot::start("shop.test", zone);
    let addr = knot.addr();
    let port = addr.port().to_string();
    let ask = |more: &[&str]| {
        let mut kdig = Command::new("kdig");
        kdig.args(["@127.0.0.1", "-p", &port, "+short", "+time=5"]).args(more);
        let output = kdig.output().expect("kdig is missing: apt-get install knot-dnsutils");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(ask(&["www.shop.test", "A"]), "192.0.2.1");
    assert_eq!(ask(&["www.shop.test", "A", "+tcp"]), "192.0.2.1");
    assert!(ask(&["shop.test", "SOA"]).contains(" 7 3600 "));
    drop(knot);
    assert!(gone(addr));
}

#[test]
fn postgres_answers_roles_and_ends() {
    let postgres = Postgres::start();
    let addr = postgres.addr();
    assert_eq!(postgres.execute("select 1 + 1, 'x'"), "2|x");
    let connect = |url: &str| {
        let output =
            Command::new("psql").args([url, "-w", "-X", "-Atc", "select current_user"]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    assert_eq!(connect(&postgres.url("reader")), (true, "reader".to_owned()));
    assert_eq!(connect(&postgres.url("guarded")), (true, "guarded".to_owned()));
    let wrong = postgres.url("guarded").replace("let-me-in", "wrong");
    assert!(!connect(&wrong).0);
    let mut busy = Command::new("psql");
    let mut busy = busy.args([&postgres.url("reader"), "-w", "-X", "-c", "select pg_sleep(60)"]);
    busy = busy.stdout(Stdio::null()).stderr(Stdio::null());
    let mut busy = busy.spawn().unwrap();
    wait::until_blocking("a busy session", Duration::from_mins(2), || {
        postgres.execute("select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'") == "1"
    });
    let began = Instant::now();
    drop(postgres);
    assert!(began.elapsed() < Duration::from_secs(4), "it does not wait for its clients");
    assert!(gone(addr));
    assert!(!busy.wait().unwrap().success());
}

#[test]
fn prometheus_scrapes_a_page_and_ends() {
    let target = http::Server::start();
    let page = "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 7\n";
    target.on("/metrics", http::Reply::ok(page).header("content-type", "text/plain; version=0.0.4"));
    let prometheus = Prometheus::start(target.addr());
    let addr = prometheus.addr();
    wait::until_blocking("a scraped sample", Duration::from_mins(2), || {
        prometheus.query("things_total").contains("\"7\"")
    });
    drop(prometheus);
    assert!(gone(addr));
    assert_eq!(check_metrics(page), Ok(()));
    assert!(check_metrics("things_total 7\nthings_total 8\n").is_err());
}

#[test]
fn blackbox_probes_and_ends() {
    let target = http::Server::start();
    target.on("/", http::Reply::ok("x"));
    let blackbox =
        Blackbox::start("modules: { http: { prober: http, http: { preferred_ip_protocol: ip4 } } }\n");
    let addr = blackbox.addr();
    let metrics = blackbox.probe("http", &target.url("/")).unwrap();
    assert!(metrics.contains("\nprobe_success 1\n"), "{metrics}");
    assert_eq!(target.requests(), 1);
    drop(blackbox);
    assert!(gone(addr));
}
