//! One run as the blackbox exporter would have told it: its names, labels and units, of version 0.23.
//!
//! What is told follows from what the run has: HTTP facts, DNS facts, a TLS session. A family that the blackbox
//! exporter has for its prober and that the run did not come to is 0, as it is there. What an event does not have is left
//! out: the further counts of `dns`, and the other names of a certificate.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use model::attribute::AttributeValue;
use model::outcome::{Outcome, Verdict};
use model::step::{Phase, StepRecord};
use model::time::Timestamp;

use super::text::escape;

/// A family: its name, and the labels and value of each series; labels as `phase="connect"`, or none.
pub(super) type Family = (&'static str, Vec<(String, f64)>);

/// Name and help of every family that there may be, in the order of their names.
pub(super) const FAMILIES: &[(&str, &str)] = &[
    ("probe_dns_answer_rrs", "Returns number of entries in the answer resource record list"),
    ("probe_dns_duration_seconds", "Duration of DNS request by phase"),
    ("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds"),
    ("probe_dns_query_succeeded", "Displays whether or not the query was executed successfully"),
    ("probe_duration_seconds", "Returns how long the probe took to complete in seconds"),
    ("probe_failed_due_to_regex", "Indicates if probe failed due to regex"),
    ("probe_http_content_length", "Length of http content response"),
    ("probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects"),
    ("probe_http_redirects", "The number of redirects"),
    ("probe_http_ssl", "Indicates if SSL was used for the final redirect"),
    ("probe_http_status_code", "Response HTTP status code"),
    ("probe_http_uncompressed_body_length", "Length of uncompressed response body"),
    ("probe_http_version", "Returns the version of HTTP of the probe response"),
    (
        "probe_ip_addr_hash",
        "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
    ),
    ("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6"),
    ("probe_ssl_earliest_cert_expiry", "Returns earliest SSL cert expiry in unixtime"),
    ("probe_ssl_last_chain_expiry_timestamp_seconds", "Returns last SSL chain expiry in unixtime"),
    ("probe_ssl_last_chain_info", "Contains SSL leaf certificate information"),
    ("probe_success", "Displays whether or not the probe was a success"),
    ("probe_tls_version_info", "Returns the TLS version used or NaN when unknown"),
];

/// Families, shown in the order of their names.
#[derive(Default)]
struct Page(Vec<Family>);

impl Page {
    fn one(&mut self, name: &'static str, value: f64) {
        self.0.push((name, vec![(String::new(), value)]));
    }

    fn phases(&mut self, name: &'static str, phases: &[(&str, Duration)]) {
        let series = phases.iter().map(|(phase, time)| (format!("phase=\"{phase}\""), time.as_secs_f64()));
        self.0.push((name, series.collect()));
    }

    fn sorted(mut self) -> Vec<Family> {
        self.0.sort_by_key(|(name, ..)| *name);
        self.0.iter_mut().for_each(|(_, series)| series.sort_by(|one, next| one.0.cmp(&next.0)));
        self.0
    }
}

/// The metrics page of one run.
pub fn page(outcome: &Outcome) -> String {
    let mut text = String::with_capacity(4 << 10);
    for (name, series) in families(outcome) {
        let help = FAMILIES.iter().find(|(known, _)| *known == name).map_or("", |(_, help)| help);
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in series {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

/// What one run comes to, in the order of names.
pub(super) fn families(outcome: &Outcome) -> Vec<Family> {
    let mut page = Page::default();
    let good = outcome.verdict() == Verdict::Good;
    page.one("probe_success", f64::from(u8::from(good)));
    page.one("probe_duration_seconds", outcome.duration.as_secs_f64());
    let Some(step) = outcome.main_step() else { return page.sorted() };
    let resolve = step.timing(Phase::Dns).unwrap_or_default();
    page.one("probe_dns_lookup_time_seconds", resolve.as_secs_f64());
    address(&mut page, step);
    let has = |key: &str| step.attributes.get(key).is_some();
    if has("http.request.method") {
        http(&mut page, outcome, step);
    } else if has("dns.question.name") {
        dns(&mut page, step);
    } else {
        regex(&mut page, outcome);
    }
    tls(&mut page, step);
    page.sorted()
}

/// Whether what was said is not what was expected of it.
fn regex(page: &mut Page, outcome: &Outcome) {
    let bodily = ["assert.body", "assert.response", "assert.header"];
    let failed = outcome.failure.as_ref().is_some_and(|failure| bodily.contains(&&*failure.error_type));
    page.one("probe_failed_due_to_regex", f64::from(u8::from(failed)));
}

fn address(page: &mut Page, step: &StepRecord) {
    let hops = step.hops.iter().rev();
    let tried = hops.filter_map(|hop| hop.peer.or_else(|| hop.attempts.last().map(|attempt| attempt.peer)));
    let named = step.attributes.text("network.peer.address").and_then(|text| text.parse::<IpAddr>().ok());
    let address = tried.map(|peer| peer.ip()).next().or(named);
    let version = address.map_or(0.0, |address| if address.is_ipv4() { 4.0 } else { 6.0 });
    page.one("probe_ip_protocol", version);
    page.one("probe_ip_addr_hash", address.map_or(0.0, |address| f64::from(hash(address))));
}

/// FNV-1a with 32 bits over the address, as the blackbox exporter has it.
fn hash(address: IpAddr) -> u32 {
    let bytes = match address.to_canonical() {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn number(step: &StepRecord, key: &str) -> Option<f64> {
    match step.attributes.get(key)? {
        AttributeValue::Int(value) => Some(*value as f64),
        AttributeValue::Float(value) => Some(*value),
        AttributeValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn http(page: &mut Page, outcome: &Outcome, step: &StepRecord) {
    regex(page, outcome);
    let time = |phases: &[Phase]| phases.iter().filter_map(|phase| step.timing(*phase)).sum::<Duration>();
    page.phases(
        "probe_http_duration_seconds",
        &[
            ("resolve", time(&[Phase::Dns])),
            ("connect", time(&[Phase::Connect])),
            ("tls", time(&[Phase::Tls, Phase::Handshake])),
            ("processing", time(&[Phase::Send, Phase::Wait])),
            ("transfer", time(&[Phase::Receive])),
        ],
    );
    let of = |key: &str| number(step, key).unwrap_or(0.0);
    page.one("probe_http_status_code", of("http.response.status_code"));
    let size = of("http.response.body.size");
    page.one("probe_http_content_length", size);
    let decoded = number(step, "prober.http.body.decoded_size").unwrap_or(size);
    page.one("probe_http_uncompressed_body_length", decoded);
    let redirects = step.hops.len().saturating_sub(1);
    page.one("probe_http_redirects", redirects as f64);
    let version = of("network.protocol.version");
    page.one("probe_http_version", version);
    let encrypted = step.attributes.get("tls.protocol.version").is_some();
    page.one("probe_http_ssl", f64::from(u8::from(encrypted)));
}

fn dns(page: &mut Page, step: &StepRecord) {
    let of = |phase| step.timing(phase).unwrap_or_default();
    let request = of(Phase::Send) + of(Phase::Wait) + of(Phase::Receive);
    page.phases(
        "probe_dns_duration_seconds",
        &[("resolve", of(Phase::Dns)), ("connect", of(Phase::Connect)), ("request", request)],
    );
    let answers = match step.attributes.get("dns.answers") {
        Some(AttributeValue::List(answers)) => answers.len(),
        _ => 0,
    };
    page.one("probe_dns_answer_rrs", answers as f64);
    let asked = step.attributes.get("dns.response_code").is_some();
    page.one("probe_dns_query_succeeded", f64::from(u8::from(asked)));
}

fn tls(page: &mut Page, step: &StepRecord) {
    let Some(version) = step.attributes.text("tls.protocol.version") else { return };
    let at = |key: &str| {
        let at = step.attributes.text(key).and_then(|text| text.parse::<Timestamp>().ok());
        at.map(|at| at.as_seconds_f64().floor())
    };
    let leaf = at("tls.server.not_after");
    if let Some(earliest) = at("prober.tls.chain.not_after").or(leaf) {
        page.one("probe_ssl_earliest_cert_expiry", earliest);
        let last = at("prober.tls.path.not_after").unwrap_or(earliest);
        page.one("probe_ssl_last_chain_expiry_timestamp_seconds", last);
    }
    let of = |key: &str| escape(step.attributes.text(key).unwrap_or_default()).into_owned();
    // An event does not have all names of a certificate, so the last label is there and empty.
    let labels = format!(
        "fingerprint_sha256=\"{}\",issuer=\"{}\",subject=\"{}\",subjectalternative=\"\"",
        of("tls.server.hash.sha256").to_lowercase(),
        of("tls.server.issuer"),
        of("tls.server.subject"),
    );
    page.0.push(("probe_ssl_last_chain_info", vec![(labels, 1.0)]));
    // `1.3` here, `TLS 1.3` there.
    let labels = format!("version=\"TLS {}\"", escape(version));
    page.0.push(("probe_tls_version_info", vec![(labels, 1.0)]));
}

#[cfg(test)]
mod tests {
    use model::outcome::Reason;

    use super::*;
    use crate::sample::{event, origin};

    #[test]
    fn an_address_has_the_hash_that_the_exporter_gives_it() {
        assert_eq!(hash([127, 0, 0, 1].into()), 3_668_918_509);
        assert_eq!(hash(IpAddr::V6(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped())), 3_668_918_509);
    }

    #[test]
    fn the_table_is_in_order_and_has_every_family() {
        assert!(FAMILIES.is_sorted_by_key(|(name, _)| *name));
        let known = |name: &str| FAMILIES.iter().any(|(known, help)| *known == name && !help.is_empty());
        for reason in [Reason::Ok, Reason::Failed] {
            let found = families(&event(&origin("shop"), 0, reason).outcome);
            assert!(found.len() >= 6 && found.iter().all(|(name, _)| known(name)), "{found:?}");
        }
        // All that the source names.
        let source = include_str!("blackbox.rs").split("#[cfg(test)]").next().unwrap();
        let named = source.split("page.").skip(1).filter_map(|part| part.split_once("\"probe_"));
        let named = named.filter(|(before, _)| before.len() < 20);
        let names: Vec<_> = named.map(|(_, name)| name.split('"').next().unwrap()).collect();
        assert!(names.len() > 15, "{names:?}");
        assert!(names.iter().all(|name| known(&format!("probe_{name}"))), "{names:?}");
    }

    #[test]
    fn a_run_without_steps_and_one_that_failed_have_a_page() {
        let none = page(&Outcome::empty(Reason::ConfigFault));
        assert!(none.contains("probe_success 0\n") && none.ends_with("probe_success 0\n"), "{none}");
        let failed = page(&event(&origin("shop"), 0, Reason::Failed).outcome);
        assert!(failed.contains("probe_ip_protocol 0\n"), "{failed}");
    }
}
