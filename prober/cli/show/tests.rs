//! What people see, as literals, and what no event may do to a terminal.

use model::attribute::AttributeValue;
use model::event::SliEvent;
use model::outcome::{FailureClass, Mark, Reason};
use model::slot::{Cadence, Stream};
use model::step::{Part, Phase};

use super::*;

mod sample;

use sample::{
    assertion, broken, busy_flow, dns, event, expiring, failed_flow, good_flow, good_http, hop, ineligible,
    missed, ms, noon, outcome, redirects, refused, stale, step, tls_timeout,
};

/// One line for each event, aligned with each other.
fn run_lines(events: &[impl std::borrow::Borrow<SliEvent>], look: Look) -> String {
    let columns = RunColumns::of(events.iter().map(|event| &event.borrow().origin.stream), look);
    events.iter().map(|event| run_line(event.borrow(), columns, look)).collect()
}

const LOOK: Look = Look { colour: false, unicode: true, width: 80 };

const ABOUT: About<'_> = About {
    title: "Checkout",
    aim: "A signed-in customer gets an order confirmed within\n  30 seconds of paying.",
    runbook: "https://wiki.example/runbooks/checkout",
    objective: "",
    alerts: "",
    place: "scenarios/checkout.yaml:3",
};

fn check(shown: &str, expected: &str) {
    assert_eq!(shown, expected.strip_prefix('\n').unwrap_or(expected), "shown is\n{shown}");
}

/// Every kind of event.
pub(crate) fn all() -> [SliEvent; 10] {
    [
        good_http(),
        failed_flow(),
        refused(),
        tls_timeout(),
        redirects(),
        dns(),
        expiring(),
        stale(),
        missed(),
        ineligible(),
    ]
}

#[test]
fn a_line_a_run() {
    let shown = format!("{}{}{}", run_lines(&all(), LOOK), rule(LOOK), summary(&all(), ms(33_100.0), LOOK));
    check(
        &shown,
        r"
  PASS  0.41s  eu  shop-home
  FAIL  30.7s  eu  checkout            step 3 of 4: wait-until-confirmed
  FAIL  0.00s  eu  stock               127.0.0.1:9 refused the connection
  FAIL  5.00s  eu  shop-https          still in the TLS handshake after 5s
  PASS  0.13s  eu  old-address
  FAIL  0.01s  eu  dns-shop            192.0.2.53 says that shop.example does n…
  FAIL  0.06s  eu  tls-soon            expires_in is 12d, expected at least 21d
  STALE 0.00s  eu  stock-file-fresh    modified is 2h 5m old, expected newer th…
  MISS      -  eu  search              late: no run could start in time
  SKIP  0.00s  eu  cart-api            config_fault: the secret `shop_token` is…
──────────
  10 scenarios: 2 good, 6 bad, 1 ineligible, 1 missed   33.1s
",
    );
}

#[test]
fn marks_and_slow_runs_say_so() {
    let mut flaky = good_http();
    flaky.outcome.marks = vec![Mark::Flaky, Mark::Warned];
    let mut slow = good_http();
    slow.outcome.reason = Reason::Slow;
    slow.outcome.failure = Some(model::outcome::Failure::new(
        FailureClass::Slow,
        "slow",
        "latency is 410ms, expected below 300ms",
    ));
    check(
        &run_lines(&[&flaky, &slow], LOOK),
        r"
  PASS  0.41s  eu  shop-home    saved by a retry; with a warning
  SLOW  0.41s  eu  shop-home    latency is 410ms, expected below 300ms
",
    );
}

#[test]
fn summaries_count_runs_and_scenarios() {
    let good = good_http();
    let mut elsewhere = good_http();
    elsewhere.slot.id = Stream::new("shop-home", "us").slot(noon()).id;
    check(&summary(&[&good], ms(412.0), LOOK), "  1 scenario: 1 good, 0 bad, 0 ineligible   0.41s\n");
    check(
        &summary(&[good, elsewhere, failed_flow()], ms(33_100.0), LOOK),
        "  2 scenarios, 3 runs: 2 good, 1 bad, 0 ineligible   33.1s\n",
    );
    check(
        &summary(&[] as &[SliEvent], ms(0.0), LOOK),
        "  0 scenarios: 0 good, 0 bad, 0 ineligible   0.00s\n",
    );
}

#[test]
fn lines_written_one_by_one_are_aligned_too() {
    let events = all();
    let columns = RunColumns::of(events.iter().map(|event| &event.origin.stream), LOOK);
    let one_by_one: String = events.iter().map(|event| run_line(event, columns, LOOK)).collect();
    assert_eq!(one_by_one, run_lines(&events, LOOK));
}

#[test]
fn report_of_a_good_request() {
    check(
        &run_report(&good_http(), About::default(), LOOK),
        r"
  PASS shop-home (eu)   run 9382ba5b…   good: ok

      http  ▇▇▇▇▇▇▇▇▇▇░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▇▇▇▇ 410 ms   200
        GET https://shop.example/  200  203.0.113.7:443
          DCTTSWWWWWWWWWWWWWWWWWRR  D dns 12 ms  C connect 20 ms  T tls 41 ms
          S send 0.20 ms  W wait 310 ms  R receive 27 ms
      ▇ active  ░ waiting

     held  status  body contains
     certificate  CN=shop.example
     issued by    C=XX, O=Example Trust, CN=Example R3
     expires      in 89 days (2026-05-30)
     protocol     TLS 1.3 TLS13_AES_256_GCM_SHA384
  more  prober explain 9382ba5b851163db255487f401e6d3ac
",
    );
}

#[test]
fn report_of_a_flow_that_failed_at_its_third_step() {
    check(
        &run_report(&failed_flow(), ABOUT, LOOK),
        r#"
  FAIL checkout (eu)   run 2e7e4380…   bad: failed
  aim  A signed-in customer gets an order confirmed within 30 seconds of paying.

      login                 ▇ 182 ms            200  token=•••(token)
      create-order          ░ 391 ms            201  order_id=8f3c
      wait-until-confirmed  ░░░░░░░░░░ 30.0 s   200  failed (assert.json)
        GET https://shop.example/orders/8f3c?full…  200  203.0.113.7:443  reused
          SWWWWWWWWWWWWWWWWWWWWWWWR  S send 1.0 ms  W wait 30.0 s
          R receive 11 ms
      delete-order                              skipped  wait-until-confirmed f…
      ▇ active  ░ waiting

  wait-until-confirmed: json $.status is "pending", expected "confirmed"
     json $.status   expected  "confirmed"
                     actual    "pending"
     held  login: status  create-order: status  wait-until-confirmed: status
  runbook  https://wiki.example/runbooks/checkout
  more     prober explain 2e7e4380f4dd15573f3b8dbb50c385e5
"#,
    );
}

#[test]
fn polls_attempts_and_teardown_are_shown() {
    let look = Look { width: 120, ..LOOK };
    let text = run_report(&busy_flow(), ABOUT, look);
    for part in [
        " 2 attempts",
        " 31 polls",
        "      teardown delete-order ",
        "failed (connect.refused)",
        "the teardown failed",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.contains("and 27 more in between"), "{text}");
    let all = explain_run(&busy_flow(), None, ABOUT, look);
    assert!(all.contains("attempt 1 failed after 20 ms: 203.0.113.7:443 refused the connection"), "{all}");
    let line = run_line(&busy_flow(), RunColumns::of([&busy_flow().origin.stream], look), look);
    assert!(line.contains("step 3 of 3: wait-until-confirmed; the teardown failed"), "{line}");
}

#[test]
fn report_of_a_flow_on_a_narrow_terminal_without_unicode() {
    let look = Look { width: 60, unicode: false, ..LOOK };
    check(
        &run_report(&failed_flow(), ABOUT, look),
        r#"
  FAIL checkout (eu)   run 2e7e4380...   bad: failed
  aim  A signed-in customer gets an order confirmed within
       30 seconds of paying.

      login            # 182 ms         200  token=***(to...
      create-order     . 391 ms         201  order_id=8f3c
      wait-until-c...  ....... 30.0 s   200  failed (asse...
        GET https://shop.ex...  200  203.0.113.7:443  reused
          SWWWWWWWWWWWWWWWWWWWWWWWR  S send 1.0 ms
          W wait 30.0 s  R receive 11 ms
      delete-order                      skipped  wait-unt...
      # active  . waiting

  wait-until-confirmed: json $.status is "pending", expected
  "confirmed"
     json $.status   expected  "confirmed"
                     actual    "pending"
     held  login: status  create-order: status
           wait-until-confirmed: status
  runbook  https://wiki.example/runbooks/checkout
  more     prober explain 2e7e4380f4dd15573f3b8dbb50c385e5
"#,
    );
}

#[test]
fn report_of_a_refused_connection() {
    check(
        &run_report(&refused(), About::default(), LOOK),
        r"
  FAIL stock (eu)   run c610d448…   bad: failed

      http  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 3.4 ms   failed (connect.refused)
        GET http://localhost:9/
          tried [::1]:9 for 0.20 ms: connect.refused
          tried 127.0.0.1:9 for 0.20 ms: connect.refused
          DDDDDDDDDDDDDDDDDDDDDCCC  D dns 3.0 ms
          C connect 0.40 ms ← failed here

  http: 127.0.0.1:9 refused the connection
  more  prober explain c610d44807cb47cdded95f2e702fb175
",
    );
}

#[test]
fn report_of_a_timeout_in_the_handshake() {
    check(
        &run_report(&tls_timeout(), About::default(), LOOK),
        r"
  FAIL shop-https (eu)   run 55bb8eae…   bad: failed

      http  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 5.00 s   failed (timeout)
        GET https://shop.example/  203.0.113.7:443
          DCTTTTTTTTTTTTTTTTTTTTTT  D dns 12 ms  C connect 20 ms
          T tls 4.97 s ← failed here

  http: still in the TLS handshake after 5s
  more  prober explain 55bb8eaeda6b0eecbf5233c1e3d929cd
",
    );
}

#[test]
fn report_of_redirects() {
    check(
        &run_report(&redirects(), About::default(), LOOK),
        r"
  PASS old-address (eu)   run e127b974…   good: ok

      http  ▇▇▇▇░░░░░░░▇▇▇▇▇▇▇▇▇▇▇▇▇▇░░░░░░░░░░░░░░░░░▇▇▇▇ 130 ms   200  2 hops
        GET http://shop.example/old  301  203.0.113.7:80
          DDDDCCCCSWWWWWWWWWWWWWWWR  D dns 5.0 ms  C connect 5.0 ms
          S send 0.10 ms  W wait 20 ms  R receive 0.00 ms
        GET https://shop.example/new  200  203.0.113.7:443
          CCTTTTTTTTSWWWWWWWWWWWRR  C connect 10 ms  T tls 30 ms  S send 0.50 ms
          W wait 50 ms  R receive 10 ms
      ▇ active  ░ waiting

  more  prober explain e127b974fffb9be0f8e4466653f4e770
",
    );
}

#[test]
fn report_of_a_name_that_does_not_exist() {
    check(
        &run_report(&dns(), About::default(), LOOK),
        r"
  FAIL dns-shop (eu)   run 714e923a…   bad: failed

      dns   ░░░░░░░░░░░░░░░░░░░░░░░░░░ 8.0 ms   NXDOMAIN  failed (dns.nxdomain)
        192.0.2.53:53 over UDP  NXDOMAIN  192.0.2.53:53
          SWWWWWWWWWWWWWWWWWWWWWWW  S send 0.10 ms  W wait 7.9 ms
      ▇ active  ░ waiting

  dns: 192.0.2.53 says that shop.example does not exist
     asked for      shop.example A
     response code  NXDOMAIN
     answers        none
  more  prober explain 714e923a481d85a2a734aec3d6041ffc
",
    );
}

#[test]
fn report_of_a_certificate_that_ends_soon() {
    check(
        &run_report(&expiring(), About::default(), LOOK),
        r"
  FAIL tls-soon (eu)   run e4f0e387…   bad: failed

      tls   ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 61 ms    failed (assert.expires_in)
        shop.example:443  203.0.113.7:443
          DDDDCCCCCCCCTTTTTTTTTTTT  D dns 10 ms  C connect 20 ms  T tls 31 ms

  tls: expires_in is 12d, expected at least 21d
     expires_in   expected  at least 21d
                  actual    12d
     held  chain
     certificate  CN=shop.example
     issued by    CN=Example R3
     expires      in 12 days (2026-03-13)
     protocol     TLS 1.3 TLS_AES_256_GCM_SHA384
  more  prober explain e4f0e387ce7c2d7283b8ddc064db8b99
",
    );
}

#[test]
fn report_of_a_stale_file() {
    check(
        &run_report(&stale(), About::default(), LOOK),
        r"
  STALE stock-file-fresh (eu)   run a91077e8…   bad: stale

      file  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 0.30 ms  failed (stale)

  file: modified is 2h 5m old, expected newer than 1h
     modified   expected  newer than 1h
                actual    2026-03-01T09:54:48Z
     age of the value  2h 05m
  more  prober explain a91077e8b20d9f3f108c4b9b1a24948d
",
    );
}

#[test]
fn report_of_slots_that_do_not_count() {
    let both = [missed(), ineligible()].map(|event| run_report(&event, About::default(), LOOK)).concat();
    check(
        &both,
        r"
  MISS search (eu)   run 0d4ef8a3…   missed: late
  no run could start in time
  more  prober explain 0d4ef8a3e60a07fddada597cdb5c29e9
  SKIP cart-api (eu)   run d3be72b3…   ineligible: config_fault

      http  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 0.10 ms  failed (local.secret)

  http: the secret `shop_token` is not there
  more  prober explain d3be72b3d4d844e4148b5d4e3859baa6
",
    );
}

const EXPLANATION: &str = r#"
  FAIL checkout (eu)   bad: failed
  aim  A signed-in customer gets an order confirmed within 30 seconds of paying.
  title      Checkout
  run        2e7e4380f4dd15573f3b8dbb50c385e5
  scheduled  2026-03-01T12:00:00Z
  started    2026-03-01T12:00:00.002Z (2.0 ms late)
  took       30.7 s
  version    0123456789ab
  file       scenarios/checkout.yaml:3
  kind       flow
  owner      team-shop
  service    shop
  labels     tier=1
  prober     host-1

      login                 ▇ 182 ms            200  token=•••(token)
        POST https://shop.example/login  200  203.0.113.7:443
          DCCCTTTTTSWWWWWWWWWWRRRR  D dns 10 ms  C connect 21 ms  T tls 40 ms
          S send 1.0 ms  W wait 80 ms  R receive 30 ms
      create-order          ░ 391 ms            201  order_id=8f3c
        POST https://shop.example/orders  201  203.0.113.7:443  reused
          SWWWWWWWWWWWWWWWWWWWWWWR  S send 1.0 ms  W wait 380 ms
          R receive 10 ms
      wait-until-confirmed  ░░░░░░░░░░ 30.0 s   200  failed (assert.json)
        GET https://shop.example/orders/8f3c?full…  200  203.0.113.7:443  reused
          SWWWWWWWWWWWWWWWWWWWWWWWR  S send 1.0 ms  W wait 30.0 s
          R receive 11 ms
      delete-order                              skipped  wait-until-confirmed f…
      ▇ active  ░ waiting

  wait-until-confirmed: json $.status is "pending", expected "confirmed"
     json $.status   expected  "confirmed"
                     actual    "pending"
     held  login: status                 200
     held  create-order: status          201
     held  wait-until-confirmed: status  200
     error type  assert.json (class incorrect)

  same scenario, last good run 24 s earlier
     run c7c64d84710dde1db05a7e92d623bb74
     wait-until-confirmed: json $.status       "confirmed" → "pending"
     wait-until-confirmed: wait                100 ms → 30.0 s (300 times as
                                               long)
     wait-until-confirmed: network.peer.addr…  203.0.113.9 → 203.0.113.7

  login (http)
     server.address             shop.example
     server.port                443
     url.full                   https://shop.example/login
     http.request.method        POST
     network.peer.address       203.0.113.7
     network.protocol.version   2
     http.response.status_code  200
     captured token             •••(token)

  create-order (http)
     server.address             shop.example
     server.port                443
     url.full                   https://shop.example/orders
     http.request.method        POST
     network.peer.address       203.0.113.7
     network.protocol.version   2
     http.response.status_code  201
     captured order_id          8f3c

  wait-until-confirmed (http)
     server.address             shop.example
     server.port                443
     url.full                   https://shop.example/orders/8f3c?full=REDACTED
     http.request.method        GET
     network.peer.address       203.0.113.7
     network.protocol.version   2
     http.response.status_code  200

  the same with curl
     curl -v -X POST --http2 --resolve 'shop.example:443:203.0.113.7' \
       'https://shop.example/login'
     curl -v -X POST --http2 --resolve 'shop.example:443:203.0.113.7' \
       'https://shop.example/orders'
     curl -v --http2 --resolve 'shop.example:443:203.0.113.7' \
       'https://shop.example/orders/8f3c?full=REDACTED'
     left out: headers, bodies, cookies and the values of queries; see
     scenarios/checkout.yaml:3

  runbook  https://wiki.example/runbooks/checkout
"#;

#[test]
fn explanation_with_the_last_good_run() {
    check(&explain_run(&failed_flow(), Some(&good_flow()), ABOUT, LOOK), EXPLANATION);
}

#[test]
fn a_bad_run_without_a_good_one_says_so() {
    let hint = "no good run of this scenario is known to compare with";
    assert!(explain_run(&refused(), None, ABOUT, LOOK).contains(hint));
    for quiet in [good_http(), missed(), ineligible()] {
        assert!(!explain_run(&quiet, None, ABOUT, LOOK).contains(hint));
    }
    let good = good_http();
    assert!(!explain_run(&good, Some(&good), ABOUT, LOOK).contains("last good run"));
}

#[test]
fn differences_come_with_the_most_telling_first() {
    let mut now = good_http();
    let mut then = good_http();
    then.slot = then.origin.stream.slot(noon().minus(std::time::Duration::from_secs(7_300)));
    let origin = std::sync::Arc::make_mut(&mut now.origin);
    origin.version = "ffffffffffff".into();
    now.outcome.steps[0].hops[0].phases[0].duration = ms(900.0);
    now.outcome.steps[0].hops[0].phases[1].duration = ms(35.0);
    let facts = &mut now.outcome.steps[0].attributes;
    facts.set("http.response.status_code", 503);
    facts.set("http.response.body.size", 1_100);
    facts.set("tls.cipher", "TLS13_CHACHA20_POLY1305_SHA256");
    then.outcome.steps[0].attributes.set("http.response.body.size", 1_000);
    now.outcome.assertions[0] = assertion("http", "status", false, "200", "503");
    let shown = explain_run(&now, Some(&then), About::default(), LOOK);
    let block: Vec<&str> = shown
        .lines()
        .skip_while(|line| !line.contains("same scenario"))
        .take_while(|line| !line.is_empty())
        .collect();
    check(
        &block.join("\n"),
        r"
  same scenario, last good run 2 h earlier
     run 863c46d1a49572c5c6505b6e6f864b6e
     scenario version           0123456789ab → ffffffffffff (the file was
                                edited)
     status                     200 → 503
     http.response.status_code  200 → 503
     dns                        12 ms → 900 ms (75 times as long)
     tls.cipher                 TLS13_AES_256_GCM_SHA384 →
                                TLS13_CHACHA20_POLY1305_SHA256",
    );
}

#[test]
fn equal_runs_differ_in_nothing() {
    let mut then = good_http();
    then.slot = then.origin.stream.slot(noon().minus(ms(60_000.0)));
    let shown = explain_run(&good_http(), Some(&then), About::default(), LOOK);
    assert!(shown.contains("nothing  that was noted differs noticeably"), "{shown}");
}

#[test]
fn curl_asks_only_for_what_can_be_copied() {
    let command = |label: &str| {
        let mut event = good_http();
        event.outcome.steps[0].hops[0].label = label.into();
        let shown = explain_run(&event, None, About::default(), Look { width: 200, ..LOOK });
        shown.lines().find(|line| line.contains("curl -v")).map(|line| line.trim().to_owned())
    };
    let resolve = "--http2 --resolve 'shop.example:443:203.0.113.7'";
    assert_eq!(
        command("GET https://shop.example/"),
        Some(format!("curl -v {resolve} 'https://shop.example/'"))
    );
    assert_eq!(command("HEAD https://a/"), Some(format!("curl -v --head {resolve} 'https://a/'")));
    let quoted = format!(r"curl -v -X PUT {resolve} 'https://a/'\''$(reboot)'\'''");
    assert_eq!(command("PUT https://a/'$(reboot)'"), Some(quoted));
    for label in [
        "GET https://a/•••(key)",
        "GET https://a/ b",
        "GET https://a/\u{1b}[2J",
        "GET;id https://a/",
        "GET ftp://a/",
        "x",
    ] {
        assert_eq!(command(label), None, "{label}");
    }
}

#[test]
fn events_as_a_table() {
    check(
        &events_table(&all(), LOOK),
        r"
time (UTC)      verdict     reason    scenario        region   took  error type
03-01 12:00:00  good        ok        shop-home       eu      0.41s
03-01 12:00:00  bad         failed    checkout        eu      30.7s  assert.json
03-01 12:00:00  bad         failed    stock           eu      0.00s  connect.re…
03-01 12:00:00  bad         failed    shop-https      eu      5.00s  timeout
03-01 12:00:00  good        ok        old-address     eu      0.13s
03-01 12:00:00  bad         failed    dns-shop        eu      0.01s  dns.nxdoma…
03-01 12:00:00  bad         failed    tls-soon        eu      0.06s  assert.exp…
03-01 12:00:00  bad         stale     stock-file-fr…  eu      0.00s  stale
03-01 12:00:00  missed      late      search          eu          -
03-01 12:00:00  ineligible  config_…  cart-api        eu      0.00s  local.secr…
",
    );
    check(
        &events_table(&all(), Look { width: 130, ..LOOK }),
        r#"
time (UTC)           verdict     reason        scenario          region   took  error type         message
2026-03-01 12:00:00  good        ok            shop-home         eu      0.41s
2026-03-01 12:00:00  bad         failed        checkout          eu      30.7s  assert.json        json $.status is "pending", ex…
2026-03-01 12:00:00  bad         failed        stock             eu      0.00s  connect.refused    127.0.0.1:9 refused the connec…
2026-03-01 12:00:00  bad         failed        shop-https        eu      5.00s  timeout            still in the TLS handshake aft…
2026-03-01 12:00:00  good        ok            old-address       eu      0.13s
2026-03-01 12:00:00  bad         failed        dns-shop          eu      0.01s  dns.nxdomain       192.0.2.53 says that shop.exam…
2026-03-01 12:00:00  bad         failed        tls-soon          eu      0.06s  assert.expires_in  expires_in is 12d, expected at…
2026-03-01 12:00:00  bad         stale         stock-file-fresh  eu      0.00s  stale              modified is 2h 5m old, expecte…
2026-03-01 12:00:00  missed      late          search            eu          -                     no run could start in time
2026-03-01 12:00:00  ineligible  config_fault  cart-api          eu      0.00s  local.secret       the secret `shop_token` is not…
"#,
    );
    check(
        &events_table(&all()[..2], Look { width: 60, ..LOOK }),
        r"
time (UTC)      verdict  reason  scenario   region   took
03-01 12:00:00  good     ok      shop-home  eu      0.41s
03-01 12:00:00  bad      failed  checkout   eu      30.7s
",
    );
    check(&events_table(&[] as &[SliEvent], LOOK), "time (UTC)  verdict  scenario\n");
}

#[test]
fn plans_as_a_table() {
    let streams = [Stream::new("checkout", "eu"), Stream::new("shop-https-with-a-long-name", "us")];
    let every = Cadence::Every { interval_ms: 30_000 };
    let cron = Cadence::Cron { expression: "*/30 6-20 * * MON-FRI".into(), timezone: "Europe/Berlin".into() };
    let target = "POST https://shop.example/login, POST https://shop.example/orders";
    let next = Some(noon().plus(ms(12_000.0)));
    let rows = [
        ListRow {
            stream: &streams[0],
            cadence: &every,
            kind: "flow",
            side_effects: false,
            target,
            owner: "team-shop",
            objective: "",
            alerts: "",
            next,
        },
        ListRow {
            stream: &streams[1],
            cadence: &cron,
            kind: "tls",
            side_effects: false,
            target: "shop.example:443",
            owner: "",
            objective: "",
            alerts: "",
            next: None,
        },
    ];
    check(
        &list_table(&rows, noon(), LOOK),
        r"
scenario              region  every            kind  target              next
checkout              eu      30s              flow  POST                in 12 s
                                                     https://shop.examp
                                                     le/login, POST
                                                     https://shop.examp
                                                     le/orders
shop-https-with-a-lo  us      */30 6-20 * *    tls   shop.example:443    -
ng-name                       MON-FRI
                              Europe/Berlin
",
    );
    check(
        &list_table(&rows, noon(), Look { width: 60, ..LOOK }),
        r"
scenario             region  every          target
checkout             eu      30s            POST
                                            https://shop.exa
                                            mple/login, POST
                                            https://shop.exa
                                            mple/orders
shop-https-with-a-l  us      */30 6-20 * *  shop.example:443
ong-name                     MON-FRI
                             Europe/Berlin
",
    );
}

/// Text that would clear the screen, set the title, write to the clipboard, reorder, hide, and never end.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{1b}]52;c;eA==\u{1b}\\\u{9b}31m\r\n\t\u{8}\u{7f}\u{202e}\u{2066}\u{200f}\
    \u{200b}\u{2028}\u{feff}日本語✅e\u{301}\u{301}\u{301}\u{301}\u{301}";

/// An event in which every text is hostile and long.
fn hostile() -> SliEvent {
    let text = HOSTILE.repeat(20);
    let mut step = broken(step(&text, "http", 0.0, 40.0), FailureClass::Incorrect, "assert.body", &text);
    step.hops =
        vec![hop(&format!("GET https://{text}"), &text, 0.0, &[(Phase::Dns, 1.0), (Phase::Wait, 39.0)])];
    step.hops[0].attempts = refused().outcome.steps[0].hops[0].attempts.clone();
    step.hops[0].attempts[0].error_type = text.clone().into();
    step.note = Some(text.clone());
    step.captures = vec![(text.clone(), text.clone())];
    let keys = [
        "tls.server.subject",
        "tls.server.issuer",
        "tls.server.not_after",
        "prober.tls.error",
        "prober.tls.ocsp",
        "dns.question.name",
    ];
    for key in
        keys.into_iter().chain(["tls.protocol.version", "tls.cipher", "dns.response_code", "server.address"])
    {
        step.attributes.set(key, text.clone());
    }
    step.attributes.set(text.clone(), AttributeValue::List(vec![text.as_str().into(); 3]));
    step.attributes.set("dns.answers", vec![text.clone(); 50]);
    let last = sample::step("last", "http", 40.0, 0.0);
    let mut outcome = outcome(Reason::Failed, vec![step, last]);
    outcome.assertions = [Part::Expect, Part::Warn, Part::Good]
        .into_iter()
        .flat_map(|part| {
            let name = format!("json {text}");
            [true, false].map(|pass| model::step::AssertionRecord {
                part,
                ..assertion(&text, &name, pass, "200", &text)
            })
        })
        .collect();
    let mut event = event(&text, "flow", outcome);
    let origin = std::sync::Arc::make_mut(&mut event.origin);
    origin.stream.region = text.as_str().into();
    origin.labels = vec![(text.as_str().into(), text.as_str().into())];
    (origin.owner, origin.service, origin.prober) =
        (text.as_str().into(), text.as_str().into(), text.as_str().into());
    event
}

/// Everything that can be shown of `event`.
fn everything(event: &SliEvent, look: Look) -> String {
    let cadence = Cadence::Cron { expression: HOSTILE.into(), timezone: HOSTILE.into() };
    let row = ListRow {
        stream: &event.origin.stream,
        cadence: &cadence,
        kind: HOSTILE,
        side_effects: false,
        target: HOSTILE,
        owner: HOSTILE,
        objective: "",
        alerts: "",
        next: Some(noon()),
    };
    let about = About { title: HOSTILE, aim: HOSTILE, place: HOSTILE, ..ABOUT };
    let good = good_flow();
    [
        run_lines(&[event], look),
        run_report(event, about, look),
        explain_run(event, None, about, look),
        explain_run(event, Some(&good), about, look),
        events_table(&[event], look),
        list_table(&[row], noon(), look),
        summary(&[event], ms(1.0), look),
        rule(look),
    ]
    .concat()
}

fn events_and_a_hostile_one() -> Vec<SliEvent> {
    let mut events = vec![hostile(), good_flow()];
    events.extend(all());
    events
}

#[test]
fn no_event_commands_the_terminal() {
    for event in events_and_a_hostile_one() {
        for unicode in [true, false] {
            let shown = everything(&event, Look { unicode, ..LOOK });
            let bad = |letter: char| {
                (letter.is_control() && letter != '\n')
                    || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
                    || (!unicode && !letter.is_ascii())
            };
            assert_eq!(shown.chars().find(|letter| bad(*letter)), None, "{shown}");
        }
    }
}

#[test]
fn colours_are_ours_and_change_nothing_else() {
    for event in events_and_a_hostile_one() {
        let plain = everything(&event, LOOK);
        let coloured = everything(&event, Look { colour: true, ..LOOK });
        let mut parts = coloured.split('\u{1b}');
        let mut rest = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (code, text) = part.split_once('m').expect("an SGR sequence ends in m");
            let is_sgr =
                code.strip_prefix('[').is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(is_sgr, "{code:?}");
            rest.push_str(text);
        }
        assert_eq!(rest, plain);
        assert!(coloured.len() > plain.len());
    }
}

#[test]
fn lines_keep_to_the_width() {
    for event in events_and_a_hostile_one() {
        for width in (60..=200).step_by(7) {
            for unicode in [true, false] {
                for line in everything(&event, Look { colour: false, unicode, width }).lines() {
                    // Addresses and commands are there to be copied.
                    let copied = line.contains("https://") || line.contains("curl -v");
                    assert!(copied || safe::columns_of(line) <= width, "{width}: {line}");
                    assert_eq!(line, line.trim_end(), "blanks at the end");
                }
            }
        }
    }
}

#[test]
fn absurd_widths_and_times_are_survived() {
    let mut event = failed_flow();
    event.outcome.steps[1].duration = std::time::Duration::MAX;
    event.outcome.steps[2].start = std::time::Duration::MAX;
    event.outcome.freshness_age = Some(f64::NAN);
    event.outcome.main = Some(99);
    for width in [0, 1, 40, 10_000] {
        assert!(everything(&event, Look { width, ..LOOK }).contains("checkout"));
    }
}
