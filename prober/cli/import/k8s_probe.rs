//! Probes in Kubernetes manifests. Those of containers become scenarios that ask through the service in front of
//! them; `Probe` resources of the Prometheus operator become one scenario for each of their static targets.

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, host_of};
use super::expect::Expect;
use super::load::documents;
use super::words::{at, list, literal, millis, pairs, said, text};
use crate::exit::Stop;

/// The probes of a container, from the one that says most of what users see.
const PROBES: [&str; 3] = ["readinessProbe", "livenessProbe", "startupProbe"];

/// Reads the manifests.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let mut objects = Vec::new();
    let all = documents(&given.path, &given.text).map_err(|stop| {
        let hint = if given.text.contains("{{") { "; a chart is rendered first: helm template" } else { "" };
        Stop::file(stop.message + hint)
    });
    for document in all? {
        match list(&document, &["items"]) {
            items if !items.is_empty() => objects.extend(items.into_iter().cloned()),
            _ => objects.push(document),
        }
    }
    let mut imported = Imported::default();
    for object in &objects {
        let kind = text(object, &["kind"]).unwrap_or_default();
        let name = text(object, &["metadata", "name"]).unwrap_or_default();
        match (&*kind, pod(object)) {
            ("Probe", _) => operator(object, &name, &mut imported),
            (_, Some(pod)) => containers(object, &name, pod, &objects, &mut imported),
            ("Service", _) => {}
            ("Ingress", _) => imported.lose(format!("the ingress {name}: write the address that users have")),
            _ => imported.lose(format!("the {kind} {name}: it has no probes")),
        }
    }
    if imported.drafts.is_empty() && imported.lost.is_empty() {
        return Err(Stop::file(format!("{} has no probes", given.path)));
    }
    Ok(imported)
}

/// The pod of a workload, or of a template in it.
fn pod(object: &Value) -> Option<&Value> {
    [&["spec", "jobTemplate", "spec", "template"][..], &["spec", "template"], &[]]
        .iter()
        .filter_map(|way| if way.is_empty() { Some(object) } else { at(object, way) })
        .find(|pod| at(pod, &["spec", "containers"]).is_some())
}

fn containers(object: &Value, name: &str, pod: &Value, objects: &[Value], imported: &mut Imported) {
    let namespace = text(object, &["metadata", "namespace"]).unwrap_or_else(|| "default".to_owned());
    let mut any = false;
    for container in list(pod, &["spec", "containers"]) {
        let called = text(container, &["name"]).unwrap_or_default();
        let mut seen: Vec<&Value> = Vec::new();
        for which in PROBES {
            let Some(probe) = at(container, &[which]) else { continue };
            any = true;
            if seen.iter().any(|known| asks_the_same(known, probe)) {
                imported.lose(format!("the {which} of {name}/{called}: it asks the same as another one"));
                continue;
            }
            seen.push(probe);
            let of = Of { name, namespace: &namespace, called: &called, which, container, pod, objects };
            of.probe(probe, imported);
        }
    }
    if !any {
        imported.lose(format!("the workload {name}: its containers have no probes"));
    }
}

fn asks_the_same(left: &Value, right: &Value) -> bool {
    ["httpGet", "tcpSocket", "grpc"]
        .iter()
        .any(|way| left.get(way).is_some() && left.get(way) == right.get(way))
}

/// One probe of one container.
struct Of<'a> {
    name: &'a str,
    namespace: &'a str,
    called: &'a str,
    which: &'a str,
    container: &'a Value,
    pod: &'a Value,
    objects: &'a [Value],
}

impl Of<'_> {
    fn probe(&self, probe: &Value, imported: &mut Imported) {
        let Of { name, called, which, .. } = self;
        let short = which.trim_end_matches("Probe");
        let label =
            if name == called { format!("{name}-{short}") } else { format!("{name}-{called}-{short}") };
        if at(probe, &["exec"]).is_some() {
            return imported
                .lose(format!("the {which} of {name}/{called}: it runs a command in the container"));
        }
        let Some(mut draft) = imported.scenario(&label, "probe") else { return };
        draft.key("aim", format!("{} takes requests through its service.", literal(name)));
        draft.key("labels", json!({ "namespace": literal(self.namespace), "workload": literal(name) }));
        let seconds = |key: &str| text(probe, &[key]).and_then(|text| millis(&text, Some(1000.0)));
        // Kubernetes asks every ten seconds and waits one.
        draft.timing(
            Some(seconds("periodSeconds").unwrap_or(10_000)),
            Some(seconds("timeoutSeconds").unwrap_or(1_000)),
        );
        for key in
            ["failureThreshold", "successThreshold", "initialDelaySeconds", "terminationGracePeriodSeconds"]
        {
            if let Some(value) = text(probe, &[key]) {
                draft.lose(format!("{key}: {value}; `slo` says how much may fail"));
            }
        }
        let step = ["httpGet", "tcpSocket", "grpc"].into_iter().find(|way| at(probe, &[way]).is_some());
        let step = step.and_then(|way| self.step(way, &probe[way], imported, &mut draft));
        match step {
            Some(step) => {
                imported.is_private = true;
                draft.steps.push(step);
                imported.drafts.push(draft);
            }
            None => imported.lose(format!("the {which} of {name}/{called}: its port is not known")),
        }
    }

    fn step(
        &self,
        way: &str,
        asked: &Value,
        imported: &mut Imported,
        draft: &mut Draft,
    ) -> Option<Map<String, Value>> {
        let port = self.port(asked.get("port")?)?;
        let address = match text(asked, &["host"]) {
            Some(host) => format!("{host}:{port}"),
            None => self.address(port, draft),
        };
        Some(match way {
            "tcpSocket" => Map::from_iter([("tcp".to_owned(), json!({ "address": literal(&address) }))]),
            "grpc" => {
                let mut keys = json!({ "address": literal(&address), "tls": false });
                if let Some(service) = text(asked, &["service"]) {
                    keys["service"] = literal(&service).into();
                }
                Map::from_iter([("grpc".to_owned(), keys)])
            }
            _ => http(asked, &address, imported, draft),
        })
    }

    /// The number of a port, also of one that is named.
    fn port(&self, given: &Value) -> Option<u16> {
        if let Ok(number) = said(given)?.parse() {
            return Some(number);
        }
        let ports = list(self.container, &["ports"]);
        let named = ports.into_iter().find(|port| text(port, &["name"]) == said(given))?;
        text(named, &["containerPort"])?.parse().ok()
    }

    /// Where the port is reached: through a service of the same file that selects the pod, else through one of the
    /// workload's name.
    fn address(&self, port: u16, draft: &mut Draft) -> String {
        let labels = at(self.pod, &["metadata", "labels"]).cloned().unwrap_or_default();
        for service in
            self.objects.iter().filter(|object| text(object, &["kind"]).as_deref() == Some("Service"))
        {
            let selector = pairs(service, &["spec", "selector"]);
            let selects =
                !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value));
            if !selects {
                continue;
            }
            let found = list(service, &["spec", "ports"]).into_iter().find(|one| {
                let target = one.get("targetPort").or_else(|| one.get("port"));
                target.and_then(|target| self.port(target)) == Some(port)
            });
            if let (Some(found), Some(name)) = (found, text(service, &["metadata", "name"])) {
                let outside = text(found, &["port"]).unwrap_or_else(|| port.to_string());
                let namespace =
                    text(service, &["metadata", "namespace"]).unwrap_or_else(|| self.namespace.to_owned());
                return format!("{name}.{namespace}.svc:{outside}");
            }
        }
        draft.lose(
            "the service in front of it: none in the file selects it; its name is taken from the workload",
        );
        format!("{}.{}.svc:{port}", self.name, self.namespace)
    }
}

fn http(asked: &Value, address: &str, imported: &mut Imported, draft: &mut Draft) -> Map<String, Value> {
    let scheme = text(asked, &["scheme"]).unwrap_or_default().to_ascii_lowercase();
    let scheme = if scheme == "https" { "https" } else { "http" };
    let path = text(asked, &["path"]).unwrap_or_else(|| "/".to_owned());
    let slash = if path.starts_with('/') { "" } else { "/" };
    let hint = draft.name.clone();
    let (url, _) = imported.secrets.url(&hint, &format!("{scheme}://{address}{slash}{path}"));
    let mut keys = Map::from_iter([("url".to_owned(), url.into())]);
    let mut headers = Map::new();
    for header in list(asked, &["httpHeaders"]) {
        let (Some(name), Some(value)) = (text(header, &["name"]), text(header, &["value"])) else { continue };
        if name.eq_ignore_ascii_case("host") {
            keys.insert("host".to_owned(), literal(&value).into());
        } else {
            let value = imported.secrets.header(&hint, &name, &value);
            headers.insert(name, value.into());
        }
    }
    if !headers.is_empty() {
        keys.insert("headers".to_owned(), Value::Object(headers));
    }
    if scheme == "https" {
        keys.insert("insecure".to_owned(), "Kubernetes does not look at certificates of probes".into());
    }
    // Redirects to other hosts are good for Kubernetes without being followed.
    keys.insert("follow".to_owned(), 10.into());
    let mut step = Map::from_iter([("http".to_owned(), Value::Object(keys))]);
    let mut expect = Expect::default();
    let _first = expect.add("status", json!({ "gte": 200, "lt": 400 }));
    expect.into_step(&mut step);
    step
}

/// A `Probe` of the Prometheus operator.
fn operator(object: &Value, name: &str, imported: &mut Imported) {
    let spec = at(object, &["spec"]).cloned().unwrap_or_default();
    let module = text(&spec, &["module"]).unwrap_or_default();
    let targets =
        list(&spec, &["targets", "staticConfig", "static"]).into_iter().filter_map(said).collect::<Vec<_>>();
    for key in ["ingress"] {
        if at(&spec, &["targets", key]).is_some() {
            imported.lose(format!("the probe {name}: targets.{key}; targets are written down here"));
        }
    }
    for target in &targets {
        let label = if targets.len() == 1 { name.to_owned() } else { format!("{name} {}", host_of(target)) };
        let Some(step) = of_module(&module, target) else {
            imported.lose(format!(
                "the probe {label}: what its module {module} does stands in the exporter's file"
            ));
            continue;
        };
        let Some(mut draft) = imported.scenario(&label, "probe") else { return };
        draft.key("aim", format!("{} answers.", literal(host_of(target))));
        let of = |key: &str| text(&spec, &[key]).and_then(|text| millis(&text, None));
        draft.timing(of("interval"), of("scrapeTimeout"));
        imported.target(host_of(target));
        let labels = pairs(&spec, &["targets", "staticConfig", "labels"]).into_iter();
        let labels: Map<String, Value> =
            labels.filter_map(|(name, value)| Some((name.clone(), literal(&said(value)?).into()))).collect();
        if !labels.is_empty() {
            draft.key("labels", Value::Object(labels));
        }
        draft.note(format!(
            "the module {module} is taken for what its name says; import its file with `blackbox`"
        ));
        for (key, _) in pairs(&spec, &[]) {
            if !matches!(&**key, "module" | "targets" | "interval" | "scrapeTimeout" | "prober" | "jobName") {
                draft.lose(format!("spec.{key}"));
            }
        }
        draft.steps.push(step);
        imported.drafts.push(draft);
    }
    if targets.is_empty() && at(&spec, &["targets", "ingress"]).is_none() {
        imported.lose(format!("the probe {name}: it has no static targets"));
    }
}

/// What the exporter's shipped modules of these names do.
fn of_module(module: &str, target: &str) -> Option<Map<String, Value>> {
    let target = literal(target);
    let url = if target.contains("://") { target.clone() } else { format!("http://{target}") };
    let step = match module {
        "http_2xx" | "http_2xx_example" => json!({ "http": { "url": url, "follow": 10 } }),
        "http_post_2xx" => json!({ "http": { "url": url, "method": "POST", "follow": 10 } }),
        "tcp_connect" => json!({ "tcp": { "address": target } }),
        "icmp" => json!({ "icmp": { "host": target, "count": 1 } }),
        _ => return None,
    };
    step.as_object().cloned()
}
