//! Modules of Prometheus' blackbox exporter become templates with the parameter `target`; `/probe` asks them as the
//! exporter is asked. Prometheus' own settings, if they are named, hold the targets: one scenario each.

mod dns;
mod http;
mod jobs;

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, Shape};
use super::expect::Expect;
use super::load::document;
use super::words::{at, list, literal, millis, pairs, text, truth};
use crate::exit::Stop;

/// The settings of TLS that are looked at.
const TLS: [&str; 6] =
    ["insecure_skip_verify", "ca_file", "server_name", "min_version", "cert_file", "key_file"];

/// What is made of a module.
struct Module<'a> {
    name: &'a str,
    settings: &'a Value,
    imported: &'a mut Imported,
    draft: &'a mut Draft,
}

/// Reads the exporter's file.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let root = document(&given.path, &given.text)?;
    let modules = pairs(&root, &["modules"]);
    if modules.is_empty() {
        return Err(Stop::file(format!("{} has no `modules`", given.path)));
    }
    let mut imported = Imported::default();
    for (key, _) in pairs(&root, &[]).iter().filter(|(key, _)| *key != "modules") {
        imported.lose(format!("{key}: it is not known"));
    }
    for (name, module) in modules {
        template(name, module, &mut imported);
    }
    match &given.prometheus {
        Some(settings) => jobs::read(settings, &root, &mut imported),
        None => imported.lose(
            "targets and intervals: they stand in Prometheus' settings; name them with --prometheus FILE",
        ),
    }
    Ok(imported)
}

/// What the target of a prober is to our language.
fn kind(prober: &str) -> Option<&'static str> {
    match prober {
        "http" => Some("url"),
        "tcp" | "dns" | "icmp" | "grpc" => Some("text"),
        _ => None,
    }
}

fn template(name: &str, module: &Value, imported: &mut Imported) {
    let prober = text(module, &["prober"]).unwrap_or_default();
    let Some(kind) = kind(&prober) else {
        return imported.lose(format!("the module {name}: there is no prober {prober:?} here"));
    };
    if text(module, &["dns", "query_class"]).is_some_and(|class| class != "IN") {
        return imported.lose(format!("the module {name}: it asks for another class than IN"));
    }
    let Some(mut draft) = imported.draft(Shape::Template(kind), name, "module") else { return };
    if draft.name != name {
        draft.lose(format!("its name {name}: it is {} here", draft.name));
    }
    let settings = at(module, &[&prober]).cloned().unwrap_or(json!({}));
    let timeout = text(module, &["timeout"]).and_then(|text| millis(&text, None));
    draft.timing(Some(60_000), timeout);
    for (key, _) in pairs(module, &[]) {
        if !matches!(&**key, "prober" | "timeout") && *key != prober {
            draft.lose(format!("{key}: it is not of the prober {prober}"));
        }
    }
    let mut of = Module { name, settings: &settings, imported, draft: &mut draft };
    let step = match &*prober {
        "http" => http::step(&mut of),
        "dns" => dns::step(&mut of),
        "tcp" => of.tcp(),
        "grpc" => of.grpc(),
        _ => of.icmp(),
    };
    draft.steps.push(step);
    imported.drafts.push(draft);
}

impl Module<'_> {
    fn text(&self, keys: &[&str]) -> Option<String> {
        text(self.settings, keys)
    }

    fn is(&self, keys: &[&str]) -> Option<bool> {
        truth(self.settings, keys)
    }

    /// Says which keys were given that are none of `known`.
    fn rest(&mut self, known: &[&str]) {
        for (key, _) in
            pairs(self.settings, &[]).into_iter().filter(|(key, _)| !known.contains(&key.as_str()))
        {
            self.draft.lose(format!("{key}: there is no such setting here"));
        }
    }

    /// Which version of IP: the preferred one if nothing else is allowed.
    fn ip(&mut self, keys: &mut Map<String, Value>) {
        let only = self.is(&["ip_protocol_fallback"]) == Some(false);
        let preferred = self.text(&["preferred_ip_protocol"]);
        match (preferred.as_deref(), only) {
            (Some("ip4"), true) => drop(keys.insert("ip".to_owned(), "4".into())),
            (_, true) => drop(keys.insert("ip".to_owned(), "6".into())),
            (Some(_), false) => {
                self.draft.note("both versions of IP are tried; the preferred one is not tried first");
            }
            (None, false) => {}
        }
    }

    /// The settings of TLS, as far as a kind has them.
    fn tls(&mut self, keys: &mut Map<String, Value>, known: &[&str]) {
        let settings = at(self.settings, &["tls_config"]).cloned().unwrap_or(json!({}));
        if truth(&settings, &["insecure_skip_verify"]) == Some(true) {
            if known.contains(&"insecure") {
                keys.insert("insecure".to_owned(), "tls_config.insecure_skip_verify of the module".into());
            } else {
                self.draft.lose("tls_config.insecure_skip_verify: the certificate is looked at here");
            }
        }
        for (theirs, ours) in [("ca_file", "ca"), ("server_name", known[0]), ("min_version", "min_version")] {
            let Some(value) = text(&settings, &[theirs]) else { continue };
            if known.contains(&ours) && !ours.is_empty() {
                let value = value.replace("TLS12", "TLS1.2").replace("TLS13", "TLS1.3");
                keys.insert(ours.to_owned(), literal(&value).into());
            } else {
                self.draft.lose(format!("tls_config.{theirs}"));
            }
        }
        if let (Some(cert), Some(key)) = (text(&settings, &["cert_file"]), text(&settings, &["key_file"])) {
            if known.contains(&"client_certificate") {
                keys.insert(
                    "client_certificate".to_owned(),
                    json!({ "cert": literal(&cert), "key": literal(&key) }),
                );
            } else {
                self.draft.lose("tls_config.cert_file, key_file: no certificate is shown");
            }
        }
        for (key, _) in pairs(&settings, &[]).into_iter().filter(|(key, _)| !TLS.contains(&key.as_str())) {
            self.draft.lose(format!("tls_config.{key}"));
        }
    }

    fn tcp(&mut self) -> Map<String, Value> {
        let mut keys = Map::from_iter([("address".to_owned(), "${params.target}".into())]);
        let rounds = list(self.settings, &["query_response"]);
        if self.is(&["tls"]) == Some(true) {
            // A conversation in TLS is not spoken; the handshake is looked at.
            self.ip(&mut keys);
            self.tls(&mut keys, &["server_name", "ca", "min_version"]);
            for _ in &rounds {
                self.draft.lose("a round of query_response: nothing is said inside TLS");
            }
            self.rest(&[
                "tls",
                "tls_config",
                "query_response",
                "preferred_ip_protocol",
                "ip_protocol_fallback",
            ]);
            return Map::from_iter([("tls".to_owned(), Value::Object(keys))]);
        }
        let exchange = self.exchange(&rounds);
        if !exchange.is_empty() {
            keys.insert("exchange".to_owned(), Value::Array(exchange));
        }
        self.ip(&mut keys);
        self.rest(&["tls", "tls_config", "query_response", "preferred_ip_protocol", "ip_protocol_fallback"]);
        Map::from_iter([("tcp".to_owned(), Value::Object(keys))])
    }

    /// A conversation: in a round of the exporter something is awaited first, and said then.
    fn exchange(&mut self, rounds: &[&Value]) -> Vec<Value> {
        let mut exchange = Vec::new();
        for round in rounds {
            let (send, expect) = (text(round, &["send"]), text(round, &["expect"]));
            if let Some(expect) = &expect {
                // The exporter looks at one line after the other, without their ends.
                exchange.push(json!({ "expect": format!("(?mR){expect}") }));
            }
            if let Some(send) = send.filter(|send| !send.is_empty()) {
                if expect.is_some() && send.contains('$') {
                    self.draft.lose(
                        "query_response: what is sent repeats what came before, which is not known here; and all after it",
                    );
                    break;
                }
                // The exporter ends every line that it sends.
                let is_secret = ["PASS ", "AUTH "].iter().any(|word| send.starts_with(word));
                let send = match send.split_once(' ').filter(|_| is_secret) {
                    Some((word, value)) => {
                        format!(
                            "{word} {}",
                            self.imported.secrets.keep(&format!("{}_password", self.name), value)
                        )
                    }
                    None => escaped(&self.imported.secrets.body(self.name, &send)),
                };
                exchange.push(json!({ "send": format!("{send}\\n") }));
            }
            if truth(round, &["starttls"]) == Some(true) {
                self.draft.lose(
                    "query_response: starttls, and what is said after it; the kind `tls` has `starttls`",
                );
                break;
            }
        }
        exchange
    }

    fn icmp(&mut self) -> Map<String, Value> {
        let mut keys =
            Map::from_iter([("host".to_owned(), "${params.target}".into()), ("count".to_owned(), 1.into())]);
        if let Some(size) =
            self.text(&["payload_size"]).and_then(|text| text.parse::<u32>().ok()).filter(|size| *size >= 16)
        {
            keys.insert("size".to_owned(), size.into());
        } else if at(self.settings, &["payload_size"]).is_some() {
            self.draft.lose("payload_size: it is at least 16 here");
        }
        self.ip(&mut keys);
        self.rest(&["payload_size", "preferred_ip_protocol", "ip_protocol_fallback"]);
        Map::from_iter([("icmp".to_owned(), Value::Object(keys))])
    }

    fn grpc(&mut self) -> Map<String, Value> {
        let mut keys = Map::from_iter([("address".to_owned(), "${params.target}".into())]);
        if let Some(service) = self.text(&["service"]).filter(|service| !service.is_empty()) {
            keys.insert("service".to_owned(), literal(&service).into());
        }
        let tls = self.is(&["tls"]) == Some(true);
        keys.insert("tls".to_owned(), tls.into());
        if tls {
            self.tls(&mut keys, &["server_name", "ca", "insecure", "client_certificate"]);
        }
        self.ip(&mut keys);
        self.rest(&["service", "tls", "tls_config", "preferred_ip_protocol", "ip_protocol_fallback"]);
        Map::from_iter([("grpc".to_owned(), Value::Object(keys))])
    }
}

/// A text as `send` has it: `\` begins an escape there.
fn escaped(text: &str) -> String {
    if text.contains("${secrets.") {
        return text.to_owned();
    }
    text.replace('\\', "\\\\").replace('\r', "\\r").replace('\n', "\\n").replace('\t', "\\t")
}

/// Adds an expectation, or says that it cannot stand beside another one.
fn add(
    expect: &mut Expect,
    draft: &mut Draft,
    (subject, part): (&str, Option<&str>),
    wanted: Value,
    what: &str,
) {
    let added = match part {
        Some(part) => expect.add_under(subject, part, wanted),
        None => expect.add(subject, wanted),
    };
    if !added {
        draft.lose(format!("{what}: there is another one of its sort already"));
    }
}
