//! Words of other tools for things that this language has under another name.
//!
//! One table: whoever comes from another tool types its word, and is told which tool's word it is and what to
//! type here. Words are compared without case, dashes and underscores.

/// Some words of other tools that mean the same.
pub(super) struct Foreign {
    /// The words as they are compared: small letters and digits only.
    words: &'static [&'static str],
    /// The tools that use them.
    tools: &'static str,
    /// What to type here.
    hint: &'static str,
}

const fn foreign(words: &'static [&'static str], tools: &'static str, hint: &'static str) -> Foreign {
    Foreign { words, tools, hint }
}

/// The words, by what they are about.
#[rustfmt::skip]
const FOREIGN: &[Foreign] = &[
    // What must hold.
    foreign(&["assertions", "assertion"], "Checkly", "what must hold stands under `expect`"),
    foreign(&["asserts", "assert"], "hurl", "what must hold stands under `expect`"),
    foreign(&["checks", "check"], "k6", "what must hold stands under `expect`"),
    foreign(&["conditions", "condition"], "Gatus", "what must hold stands under `expect`"),
    foreign(&["validators", "validator"], "cloudprober", "what must hold stands under `expect`"),
    foreign(&["validations", "validate", "expected", "expectations", "response", "responses"],
        "", "what must hold stands under `expect`"),
    foreign(&["validstatuscodes", "acceptedstatus", "statuscode", "statuscodes", "successcodes", "expectedstatus"],
        "blackbox_exporter", "write expect: { status: [200, 204] }"),
    foreign(&["acceptedstatuscodes", "acceptedstatuscode"], "uptime-kuma", "write expect: { status: [200, 204] }"),
    foreign(&["failifbodynotmatchesregexp", "failifnotmatchesregexp", "bodyregexp", "responsebodyregex"],
        "blackbox_exporter", "write expect: { body: { matches: … } }"),
    foreign(&["failifbodymatchesregexp", "failifmatchesregexp"],
        "blackbox_exporter", "write expect: { body: { not: { matches: … } } }"),
    foreign(&["failifheadernotmatches", "failifheadernotmatchesregexp"],
        "blackbox_exporter", "write expect: { headers: { NAME: { matches: … } } }"),
    foreign(&["failifheadermatches", "failifheadermatchesregexp"],
        "blackbox_exporter", "write expect: { headers: { NAME: { not: { matches: … } } } }"),
    foreign(&["failifnotssl"], "blackbox_exporter", "write the URL with https://"),
    foreign(&["failifssl"], "blackbox_exporter", "write the URL with http://"),
    foreign(&["validhttpversions"], "blackbox_exporter", "write expect: { http_version: { gte: \"1.1\" } }"),
    foreign(&["keyword", "bodycontains", "contain"], "uptime-kuma", "write expect: { body: { contains: … } }"),
    foreign(&["jsonquery", "jsonpath", "jsonpathexpression"], "uptime-kuma", "write expect: { json: { $.status: UP } }"),
    foreign(&["responsetime", "maxresponsetime", "duration", "degradedresponsetime", "maxlatency"],
        "Checkly", "write sli: { good: { latency: { lt: 300ms } } } for what is slow, or expect for what is wrong"),
    foreign(&["threshold", "thresholds", "slowthreshold"],
        "k6", "a limit for good runs stands under `sli: { good: { latency: … } }`"),
    // Where probes may go.
    foreign(&["egress", "outbound", "firewall", "ssrf", "networkpolicy", "ipfilter"],
        "", "where probes may connect to stands under `network` in prober.yaml"),
    foreign(&["allowlist", "whitelist", "allowedhosts", "allowedips", "allowedcidrs", "allowprivate", "allowinternal"],
        "", "write network: { allow: [10.0.0.0/8, \"*.corp.example\"] } in prober.yaml"),
    foreign(&["denylist", "blocklist", "blacklist", "blockedhosts", "blockedips", "blockprivate"],
        "", "write network: { deny: [10.0.0.0/8, \"*:25\"] } in prober.yaml"),
    // When.
    foreign(&["interval", "heartbeatinterval", "probeinterval"], "Gatus", "the interval is `every`, such as every: 1m"),
    foreign(&["frequency"], "Checkly and Grafana", "the interval is `every`, such as every: 1m"),
    foreign(&["period", "schedule", "cadence", "runevery", "scrapeinterval", "executor"],
        "", "the interval is `every`, such as every: 1m; or `cron`"),
    foreign(&["intervalseconds", "intervalmsec", "intervalsec"],
        "cloudprober", "the interval is `every` with its unit, such as every: 30s"),
    foreign(&["timeoutseconds", "timeoutsec", "timeoutms", "timeoutmsec", "deadline", "scrapetimeout"],
        "cloudprober", "the limit is `timeout` with its unit, such as timeout: 10s"),
    foreign(&["retries", "attempts", "maxretries", "resendinterval", "retryinterval", "retrystrategy"],
        "uptime-kuma", "more attempts stand under `retry`"),
    // What.
    foreign(&["url", "urls", "uri"], "Gatus", "what to probe stands under its kind, such as http: https://shop.example/"),
    foreign(&["target", "targets", "host", "hosts", "hostname", "endpoint", "address", "request", "requests"],
        "", "what to probe stands under its kind, such as http: https://shop.example/"),
    foreign(&["endpoints", "monitors", "probes", "tests", "flow", "stages", "tasks", "scenario"],
        "", "several requests stand under `steps`; another scenario is another file"),
    foreign(&["type", "kind", "protocol", "checktype", "monitortype"],
        "", "the kind of a step is a key itself, such as http: https://shop.example/"),
    foreign(&["module", "modules", "prober", "probe", "httpprobe"],
        "blackbox_exporter", "the kind of a step is a key itself, such as http: https://shop.example/"),
    foreign(&["ping", "pings", "pingcheck", "icmpecho"], "Gatus and cloudprober", "a ping is icmp: gateway.example"),
    foreign(&["ws", "wss", "websockets", "wscheck"], "Gatus", "write websocket: wss://live.example/"),
    foreign(&["grpchealth", "grpchealthcheck", "grpcservice", "grpcconfig"],
        "blackbox_exporter", "write grpc: { address: \"orders.example:443\", service: shop.Orders }"),
    foreign(&["nats", "natsjetstream"], "", "a stream of NATS is jetstream: { address: nats.example, stream: ORDERS }"),
    foreign(&["postgres", "postgresql", "mysql", "mariadb", "database", "dbquery"],
        "", "a question to a database is sql: { dsn: \"${secrets.NAME}\", query: select 1 }"),
    foreign(&["queryresponse", "tcpquery"],
        "blackbox_exporter", "write exchange: [{ send: …, expect: … }] under `tcp`"),
    foreign(&["payloadsize", "packetsize", "pingcount", "packets"], "blackbox_exporter", "write icmp: { host: …, count: 3, size: 56 }"),
    foreign(&["dnsresolver", "resolver", "dnsserver"], "uptime-kuma", "name servers stand under `dns`, as resolvers"),
    foreign(&["queryname", "dnsname"], "blackbox_exporter", "the name stands under `dns`: { name: shop.example }"),
    foreign(&["querytype", "recordtype", "dnsresolvetype"], "blackbox_exporter", "the type stands under `dns`: { type: A }"),
    foreign(&["tlsconfig", "insecureskipverify", "ignoretls", "skipssl", "tlsskipverify"],
        "blackbox_exporter", "write insecure: \"the reason why that is right\" under the kind"),
    foreign(&["followredirects", "maxredirects", "nofollowredirects"],
        "blackbox_exporter", "write follow: 5 under `http`, or follow: 0"),
    foreign(&["preferredipprotocol", "ipprotocol", "ipversion"], "blackbox_exporter", "write ip: \"4\" or ip: \"6\" under the kind"),
    foreign(&["basicauth", "basicauthuser"],
        "blackbox_exporter", "write auth: { basic: { user: probe, password: \"${secrets.NAME}\" } } under `http`"),
    foreign(&["bearertoken", "authorization"],
        "blackbox_exporter", "write auth: { bearer: \"${secrets.NAME}\" } under `http`"),
    foreign(&["oauth2"], "blackbox_exporter", "`oauth2` stands under `auth`, and that under `http`"),
    foreign(&["group", "team", "contact"], "Gatus", "the team stands under `owner`"),
    foreign(&["tags", "annotations", "additionallabel", "additionallabels"], "Checkly", "labels stand under `labels`"),
    foreign(&["description", "summary", "purpose", "job"], "", "what it is for stands under `aim`"),
    foreign(&["variables", "env", "environment", "environmentvariables", "parameters", "options"],
        "", "variables stand under `vars`"),
    foreign(&["locations", "location", "sites", "region", "privatelocations"], "Checkly", "where it runs stands under `regions`"),
    foreign(&["id", "slug", "logicalid"], "", "the key of its history is `name`"),
    foreign(&["enabled", "active", "activated", "muted", "paused"],
        "Gatus", "there is no switch: move the file away, or leave its folder out of `scenarios` in prober.yaml"),
    foreign(&["extract", "save", "store", "export", "captures"], "hurl", "values for later steps stand under `capture`"),
    foreign(&["setup", "before", "beforescript", "setupscript"], "Checkly", "what comes first is the first of the `steps`"),
    foreign(&["cleanup", "after", "teardownscript", "afterscript"], "Checkly", "what is always run stands under `teardown`"),
    foreign(&["alerting", "alert", "alertchannels", "notifications", "notificationidlist", "notify"],
        "Gatus and Checkly", "whom to tell stands under `alerts: { page: ROUTE }`, with routes in prober.yaml"),
    foreign(&["maintenancewindows", "maintenances", "downtime"], "Gatus", "planned work stands under `maintenance`"),
    foreign(&["targetslo", "sla", "slos", "availability", "errorbudget"], "", "write slo: { objective: 99.9% }"),
];

/// What to type instead of another tool's word.
pub(super) fn hint(typed: &str) -> Option<String> {
    let plain = plain(typed);
    let found = FOREIGN.iter().find(|foreign| foreign.words.iter().any(|word| *word == plain))?;
    Some(if found.tools.is_empty() {
        found.hint.to_owned()
    } else {
        format!("a word of {}: here {}", found.tools, found.hint)
    })
}

/// Whether it is another tool's word for `every`.
pub(crate) fn is_every(typed: &str) -> bool {
    let plain = plain(typed);
    FOREIGN.iter().any(|one| one.hint.contains("`every`") && one.words.iter().any(|word| *word == plain))
}

/// Words that mean something else under one key, by the place's own words.
#[rustfmt::skip]
const SCOPED: &[(&str, &[&str], &str)] = &[
    ("under `slo`", &["target", "goal", "percentage", "percent", "slo", "availability"], "write objective: 99.9%"),
    ("under `slo`", &["period", "duration", "days", "timewindow", "range"], "write window: 30d"),
    ("under `alerts`", &["critical", "urgent", "oncall", "pager", "high"], "what must be looked at now goes to `page`"),
    ("under `alerts`", &["warning", "warn", "low", "info"], "what can wait for days goes to `ticket`"),
    ("under `dns`", &["server", "servers", "nameserver", "nameservers", "dnsserver", "dnsresolver", "target"],
        "who is asked stands under `resolvers`: resolvers: [192.0.2.53]"),
    ("under `dns`", &["query", "queryname", "dnsname", "domain", "hostname", "host", "record", "fqdn", "question"],
        "what is asked for is `name`"),
    ("under `dns`", &["querytype", "recordtype", "rrtype", "qtype", "dnsresolvetype", "rdatatype"], "write type: AAAA"),
    ("under `dns`", &["protocol", "transportprotocol", "dnsovertls", "dot", "doh", "https", "tls", "quic"],
        "write transport: tcp, or a resolver as tls://host, https://host/dns-query or quic://host"),
    ("under `dns`", &["recursiondesired", "rd", "norecurse"], "write recursion: false"),
    ("under `dns`", &["cd", "cdflag"], "write checking_disabled: true"),
    ("under `dns`", &["do", "dobit", "ednsdo"], "write dnssec_ok: true"),
    ("under `dns`", &["subnet", "ecs", "ednsclientsubnet"], "write client_subnet: 203.0.113.0/24"),
    ("under `dns`", &["bufsize", "payload", "ednsbuffersize", "ednsudpsize"], "write udp_size: 1232"),
    ("under `dns`", &["ipversion", "ipprotocol", "preferredipprotocol"], "write ip: \"4\" or ip: \"6\""),
    ("under `dns`", &["validrcodes", "rcodes", "responsecode"], "write expect: { rcode: NOERROR }"),
    ("under `dns`", &["validateanswerrrs", "answer", "dnsanswers"], "write expect: { answers: { contains: … } }"),
    ("under `dns`", &["tlshostname", "sni"], "write server_name: dns.example"),
    ("under `dns`", &["anchors", "trustanchor", "trustedkeys"], "the keys that are trusted stand under `trust_anchors`"),
    ("under `alerts`", &["email", "slack", "webhook", "pagerduty", "alertmanager", "opsgenie", "discord", "telegram", "teams"],
        "define it as a route in prober.yaml, and write page: ROUTE"),
    ("under `tls`", &["sni", "hostname", "peername", "commonname"], "the name that is asked for is server_name: shop.example"),
    ("under `tls`", &["port", "host", "url", "target", "hostport"], "host and port stand in address: shop.example:443"),
    ("under `tls`", &["version", "versions", "minprotocol", "tlsminversion", "tlsversion"], "write min_version: TLS1.3; old versions are found by expect: { accepts: … }"),
    ("under `tls`", &["insecure", "insecureskipverify", "verify", "verification"],
        "no handshake is refused here: what is wrong stands in `chain`, such as expect: { chain: self_signed }"),
    ("under `tls`", &["cafile", "cacert", "cabundle", "rootca"], "write ca: certs/root.pem"),
    ("under `tls`", &["crlfile", "revocation", "revoked"], "what is stapled is looked at by expect: { ocsp: good }; a list of revoked certificates is crl: revoked.pem"),
];

/// What to type at this place instead of a word that elsewhere means something else.
pub(super) fn at(typed: &str, place: &str) -> Option<String> {
    let plain = plain(typed);
    let found = SCOPED.iter().find(|(scope, words, _)| *scope == place && words.contains(&plain.as_str()))?;
    Some(found.2.to_owned())
}

fn plain(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_there_once_and_as_they_are_compared() {
        let mut seen = BTreeSet::new();
        for word in FOREIGN.iter().flat_map(|foreign| foreign.words) {
            assert_eq!(plain(word), *word, "words are small letters and digits");
            assert!(seen.insert(*word), "{word} is there twice");
        }
    }

    #[test]
    fn words_of_the_tools_that_people_come_from() {
        for (typed, part) in [
            ("assertions", "Checkly: here what must hold stands under `expect`"),
            ("conditions", "Gatus"),
            ("interval", "every: 1m"),
            ("frequency", "Grafana"),
            ("valid_status_codes", "status: [200, 204]"),
            ("fail_if_not_matches_regexp", "body: { matches: … }"),
            ("fail_if_body_not_matches_regexp", "body: { matches: … }"),
            ("failIfBodyMatchesRegexp", "not: { matches"),
            ("interval_msec", "every: 30s"),
            ("insecure_skip_verify", "insecure:"),
            ("Heartbeat-Interval", "every"),
        ] {
            let hint = hint(typed).unwrap_or_default();
            assert!(hint.contains(part), "{typed}: {hint}");
        }
        assert_eq!(hint("colour"), None);
        assert_eq!(at("target", "under `slo`").as_deref(), Some("write objective: 99.9%"));
        assert_eq!(at("target", "in a scenario"), None);
    }
}
