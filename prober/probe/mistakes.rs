//! Steps whose files ask for what no run can show, whatever the target does: told before anything runs.

use scenario::compile::{Options, Sources, compile};
use scenario::diagnostic::Diagnostic;
use scenario::kind::{Shape, Wants};
use scenario::source::Source;
use scenario::value::SubjectType;

use crate::KINDS;

/// Compiles a scenario with this step, and compares the codes and helps of what is wrong with it.
fn check(step: &str, expected: &[&str]) {
    let found = compiled(&format!("name: a\naim: A.\nevery: 1m\n{step}\n"));
    let found = found.iter().map(|one| format!("{} {}", one.code, one.help.join("; ")));
    assert_eq!(found.collect::<Vec<_>>(), expected, "{step}");
}

fn compiled(text: &str) -> Vec<Diagnostic> {
    let sources = Sources {
        project: Some(Source { path: "prober.yaml".to_owned(), text: "version: 1\n".to_owned() }),
        scenarios: vec![Source { path: "scenario.yaml".to_owned(), text: text.to_owned() }],
        ..Sources::default()
    };
    compile(sources, &KINDS, &Options { prober: "test".to_owned(), ..Options::default() }).diagnostics
}

#[test]
fn what_is_not_read_is_not_shown() {
    let read = "E311 add read: true beside `path`, so that the content is read";
    check("file: /var/x\nexpect: { content: { contains: a } }", &[read]);
    check("file: /var/x\nwarn: { regex: { 'at (.+)': { exists: true } } }", &[read]);
    check("file: /var/x\npoll: { until: { content: { contains: a } } }", &[read]);
    check("file: { path: /var/x, read: true }\nexpect: { content: { contains: a } }", &[]);
    let heard = "E311 add read: true, or what the answer ends with: read_until: \"\\n\"";
    check("tcp: mail.example:25\nexpect: { response: { starts_with: '220' } }", &[heard]);
    check(
        "tcp: { address: 'mail.example:25', read: true }\nexpect: { response: { starts_with: '220' } }",
        &[],
    );
    check("tcp: { address: 'mail.example:25', send: x }\nexpect: { size: { gt: 0 } }", &[]);
    let replies = "E311 leave out `reply: none`: no reply is waited for";
    let udp = |rest: &str| format!("udp: {{ address: 'a.example:7', send: x{rest}");
    check(&udp(", reply: none }\nexpect: { response: { contains: a } }"), &[replies]);
    check(&udp(", reply: optional }\nexpect: { response: { contains: a } }"), &[]);
    check(
        "http: HEAD https://a.example/\nexpect: { body: { contains: a } }",
        &["E311 ask with GET, or leave it out: an answer to HEAD has no body"],
    );
    let plain = "E311 write https:// in the URL: over http there is no certificate";
    check("http: { url: 'http://a.example/', follow: 0 }\nexpect: { expires_in: { gt: 2d } }", &[plain]);
    check("http: http://a.example/\nexpect: { expires_in: { gt: 2d } }", &[]);
    check("http: { url: 'https://a.example/', follow: 0 }\nexpect: { expires_in: { gt: 2d } }", &[]);
}

/// Not one after the other, each when the one before is right.
#[test]
fn a_wrong_target_does_not_hide_what_is_wrong_beside_it() {
    let reference = "E202 define it under `vars` in prober.yaml, in the scenario, or with --var";
    check(
        "http: { url: 'https://${vars.shop}/', method: post }",
        &[reference, "E172 methods are written in capitals: POST"],
    );
    let found = compiled(
        "name: a\naim: A.\nevery: 1m\ntls: { address: '${vars.shop}:443', min_version: TLS1.3, max_version: TLS1.2 }\n",
    );
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["E202", "E135"], "{found:?}");
}

#[test]
fn other_tools_words_for_signing_in_are_told_what_signs_in_so() {
    for (word, told) in
        [("basic_auth", "auth: { basic: "), ("bearer_token", "auth: { bearer: "), ("oauth2", "`auth`")]
    {
        let found = compiled(&format!(
            "name: a\naim: A.\nevery: 1m\nhttp: {{ url: 'https://a.example/', {word}: x }}\n"
        ));
        assert!(found.len() == 1 && found[0].label.contains(told), "{found:?}");
    }
}

#[test]
fn numbers_end_where_the_step_does() {
    let follow = "E310 write a larger `follow` under `http`, or expect less";
    let http = |rest: &str| format!("http: {{ url: 'https://a.example/', {rest}");
    check(&http("follow: 2 }\nexpect: { redirects: { gte: 3 } }"), &[follow]);
    check(&http("follow: 2 }\nexpect: { redirects: { in: [3, 4] } }"), &[follow]);
    check(&http("follow: 2 }\nexpect: { redirects: 2 }"), &[]);
    let limit = "E310 write a larger `body_limit` under `http`: a body that is longer is not looked at";
    check(&http("body_limit: 1kB }\nexpect: { size: { gt: 1kB } }"), &[limit]);
    check(&http("body_limit: 1kB }\nexpect: { size: { gte: 1kB } }"), &[]);
    check(&http("body_limit: 1kB }\nexpect: { size: { lte: 2kB } }"), &[]);
    let pings = "E310 write a larger `count`, or expect less";
    check("icmp: a.example\nexpect: { replies: { gt: 3 } }", &[pings]);
    check("icmp: a.example\nexpect: { replies: 3 }", &[]);
}

#[test]
fn one_version_is_no_other() {
    let help = "E310 `http_version` under `http` asks for one version: change it, or what is expected";
    let http = |version: &str, expect: &str| {
        format!(
            "http: {{ url: 'https://a.example/', http_version: \"{version}\" }}\nexpect: {{ http_version: {expect} }}"
        )
    };
    check(&http("1.1", "\"2\""), &[help]);
    check(&http("2", "{ lt: \"2\" }"), &[help]);
    check(&http("2", "{ gte: \"1.1\" }"), &[]);
    check(&http("auto", "\"2\""), &[]);
}

#[test]
fn a_version_has_one_spelling() {
    let text = "name: a\naim: A.\nevery: 1m\nhttp: https://a.example/\nexpect: { http_version: \"2.0\" }\n";
    let labels: Vec<_> = compiled(text).into_iter().map(|one| (one.code, one.label)).collect();
    assert_eq!(labels, [("E105", "did you mean `2`?".to_owned())]);
}

#[test]
fn what_is_not_there_has_no_age() {
    let help = "E310 leave out `modified`, or write exists: true";
    check("file: /var/x\nexpect: { exists: false, modified: { newer_than: 1h } }", &[help]);
    check("file: /var/x\nexpect: { exists: false, modified: { exists: false } }", &[]);
    check("file: /var/x\nexpect: { exists: true, modified: { newer_than: 1h } }", &[]);
}

#[test]
fn what_takes_longer_than_its_step_is_told() {
    check(
        "timeout: 2s\nicmp: { host: a.example, count: 50, interval: 1s }",
        &["E112 write a smaller `count`, or a longer `timeout`"],
    );
    check("timeout: 2s\nicmp: { host: a.example, count: 3, interval: 1s }", &[]);
    let wait = "E112 write a smaller `wait`, or a longer `timeout`";
    check("timeout: 2s\nudp: { address: 'a.example:7', send: x, wait: 5s }", &[wait]);
    check("timeout: 2s\nudp: { address: 'a.example:7', send: x, wait: 2s }", &[]);
    let pause = "E104 the scenario's `timeout` is 2s: write a shorter `backoff`";
    check("timeout: 2s\nhttp: https://a.example/\nretry: { backoff: 5s }", &[pause]);
    check("timeout: 2s\nhttp: https://a.example/\nretry: { attempts: 3, backoff: 1s }", &[pause]);
    check("timeout: 2s\nhttp: https://a.example/\nretry: { attempts: 3, backoff: 900ms }", &[]);
}

#[test]
fn bytes_are_compared_as_they_are_shown() {
    let tcp = |encoding: &str, expect: &str| {
        let send = if encoding == "text" { "a" } else { "0000" };
        format!(
            "tcp: {{ address: 'a.example:7', send: \"{send}\", encoding: {encoding} }}\nexpect: {{ response: {expect} }}"
        )
    };
    let written = "E305 write \"abcd\", the form in which it is shown";
    check(&tcp("hex", "{ starts_with: AB CD }"), &[written]);
    check(&tcp("hex", "\"0xabCD\""), &[written]);
    check(&tcp("hex", "abcd"), &[]);
    check(&tcp("hex", "{ contains: abc }"), &[]);
    let hex = "E305 bytes are shown as pairs of hexadecimal digits in small letters: 00ff";
    check(&tcp("hex", "abc"), &[hex]);
    check(&tcp("hex", "{ in: [pong] }"), &[hex]);
    let base64 = "E305 bytes are shown in Base64, with + and / and its padding: /w==";
    check(&tcp("base64", "{ contains: \"a b\" }"), &[base64]);
    check(&tcp("base64", "_w=="), &[base64]);
    check(&tcp("base64", "/w=="), &[]);
    check(&tcp("text", "{ starts_with: AB CD }"), &[]);
}

#[test]
fn what_a_mail_server_says_has_no_codes_in_front() {
    let smtp = |expect: &str| format!("smtp: mail.example\nexpect: {expect}");
    let tls = "E305 write STARTTLS, the form in which it is shown";
    check(&smtp("{ capabilities: { contains: 250-STARTTLS } }"), &[tls]);
    check(&smtp("{ capabilities: { contains: [8BITMIME, '250 STARTTLS'] } }"), &[tls]);
    check(&smtp("{ capabilities: { not_contains: 250-STARTTLS } }"), &[tls]);
    check(&smtp("{ capabilities: { equals_set: ['250-STARTTLS', PIPELINING] } }"), &[tls]);
    let size = "E305 write SIZE, the form in which it is shown";
    check(&smtp("{ capabilities: { any: { starts_with: 250-SIZE } } }"), &[size]);
    let code = "E305 leave the code out, and write what the server says behind it";
    check(&smtp("{ capabilities: { any: { starts_with: 250- } } }"), &[code]);
    check(&smtp("{ capabilities: { contains: [STARTTLS, '250'] } }"), &[]);
    check(
        &smtp("{ banner: { equals: '220 mail.example ESMTP' } }"),
        &["E305 write mail.example ESMTP, the form in which it is shown"],
    );
    check(&smtp("{ banner: { contains: '220 ' } }"), &[]);
}

#[test]
fn signs_of_shells_and_browsers_are_doubted() {
    let alone = "W360 write the whole path of one file; of many, look at what makes them";
    for path in ["'~/x'", "/var/*.tmp", "/var/a?"] {
        check(&format!("file: {path}"), &[alone]);
    }
    check("file: /var/x~", &[]);
    let s3 = |prefix: &str| {
        format!(
            "s3: {{ endpoint: 'https://s3.example', bucket: exports, prefix: '{prefix}' }}\nexpect: {{ objects: {{ gte: 1 }} }}"
        )
    };
    check(
        &s3("orders/*.csv"),
        &["W360 write what all keys begin with, up to the sign; what they end with belongs into newest_key"],
    );
    check(&s3("orders/"), &[]);
    let quoted = "W360 write it without the quotes around it: YAML reads JSON as it is";
    let put = |json: &str| format!("http: {{ method: PUT, url: 'https://a.example', json: {json} }}");
    check(&put(r#"'{"id": 1}'"#), &[quoted]);
    check(&put(r#"'[{"id": "${run.id}"}]'"#), &[quoted]);
    check(&put(r#"{"id": 1}"#), &[]);
    check(&put("'{id}'"), &[]);
    check(&put("'12'"), &[]);
    let sent = "W361 leave it out; write %23 where the path itself has a `#`";
    check("http: https://a.example/#/checkout", &[sent]);
    check("http: https://a.example/%23/checkout", &[]);
}

#[test]
fn a_bare_duration_is_told_the_bound_that_is_meant() {
    check("icmp: a.example\nexpect: { rtt_avg: 50ms }", &["E305 write rtt_avg: { lt: 50ms }"]);
    check("tls: a.example:443\nexpect: { expires_in: 21d }", &["E305 write expires_in: { gte: 21d }"]);
    check("http: https://a.example/\nexpect: { latency: 1s }", &["E305 write latency: { lt: 1s }"]);
    check("http: https://a.example/\nexpect: { latency: { not: 1s } }", &["E305 write lt: 1s or gte: 1s"]);
}

#[test]
fn a_body_needs_its_method() {
    let told = "W364 write method: POST, or method: GET if that is meant";
    for body in ["json: { id: 1 }", "form: { id: 1 }", "body: id", "multipart: [{ name: a, value: b }]"] {
        let step = |method: &str| format!("http: {{ {method}url: 'https://a.example/login', {body} }}");
        check(&step(""), &[told]);
        check(&step("method: POST, "), &[]);
        check(&step("method: GET, "), &[]);
    }
}

#[test]
fn ports_at_which_tls_begins_otherwise_are_doubted() {
    let told = |step: &str, help: &str| check(step, &[&format!("W363 {help}")]);
    told("http: http://a.example:443/${run.id}", "write https://");
    told("http: HTTPS://a.example:80", "write http://");
    told("http: https://a.example:25/", "write the port that is meant");
    told("websocket: ws://a.example:443/", "write wss://");
    told("tls: db.example:5432", "write tls: { address: \"db.example:5432\", starttls: postgres }");
    told(
        "tls: { address: 'mail.example:143', starttls: smtp }",
        "write tls: { address: \"mail.example:143\", starttls: imap }",
    );
    told("tls: { address: 'mail.example:993', starttls: imap }", "leave `starttls` out");
    told("tls: a.example:80", "ask another port, like 443");
    told("smtp: mail.example:465", "write smtp: { address: \"mail.example:465\", tls: implicit }");
    told(
        "smtp: { address: 'mail.example:465', tls: starttls }",
        "write smtp: { address: \"mail.example:465\", tls: implicit }",
    );
    told(
        "smtp: { address: 'mail.example:587', tls: implicit }",
        "write smtp: { address: \"mail.example:587\", tls: starttls }",
    );
    for usual in [
        "http: http://a.example:80/",
        "http: https://a.example/",
        "http: http://a.example:8443/",
        "http: { url: 'http://a.example:443/', connect_to: 'b.example:80' }",
        "websocket: wss://a.example/",
        "tls: a.example:993",
        "tls: { address: 'db.example:5432', starttls: postgres }",
        "smtp: mail.example",
        "smtp: { address: mail.example, tls: implicit }",
        "smtp: { address: mail.example, tls: starttls }",
    ] {
        check(usual, &[]);
    }
}

#[test]
fn every_duration_says_which_way_it_is_bounded() {
    for kind in &KINDS {
        for subject in kind.subjects {
            let is_duration = subject.shape == Shape::One(SubjectType::Duration);
            assert_eq!(subject.wants != Wants::Nothing, is_duration, "{} of {}", subject.name, kind.name);
            let first = if subject.wants == Wants::AtLeast { "{ g" } else { "{ l" };
            assert!(!is_duration || subject.example.starts_with(first), "{} of {}", subject.name, kind.name);
        }
    }
}
