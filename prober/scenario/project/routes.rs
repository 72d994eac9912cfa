//! Where alerts go: the routes of `prober.yaml`.
//!
//! A kind of route is a line of a table, with a table of keys. What lets its holder page people is named as a
//! secret, never written down.

use std::sync::Arc;

use super::map_of;
use crate::bind::{Binder, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Key, KeyType, Need};
use crate::lint;
use crate::name;
use crate::names::{NOTHING, Names, Shared};
use crate::source::{Span, Spanned};
use crate::suggest::{nearest, one_of};
use crate::template::{Hole, Part, Template};
use crate::tree::{Node, NodeValue};

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// What `alerts` call it.
    pub name: Spanned<String>,
    /// The kind of route, such as `alertmanager`.
    pub kind: &'static str,
    /// Where it leads.
    pub destination: Destination,
    /// The names of the secrets that it refers to, sorted.
    pub secrets: Vec<Arc<str>>,
}

/// Where a route leads; texts may have secrets in them, and nothing else that a run would fill in.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Every Alertmanager of a cluster gets every alert.
    Alertmanager {
        /// The addresses, without `/api/v2/alerts`.
        urls: Vec<Template>,
    },
    /// A request signed as Standard Webhooks say.
    Webhook {
        /// Where it is posted.
        url: Template,
        /// What it is signed with; unsigned if `None`.
        secret: Option<Template>,
    },
    /// Events API v2.
    PagerDuty {
        /// The key of the integration.
        routing_key: Template,
        /// Where events are posted, if not to the vendor's own address.
        url: Option<Template>,
    },
    /// An incoming webhook.
    Slack {
        /// Its URL, which is a secret.
        url: Template,
    },
}

/// A kind of route.
#[derive(Debug)]
pub struct RouteKind {
    /// The key under the route's name.
    pub name: &'static str,
    /// One line for people and the schema.
    pub summary: &'static str,
    /// The keys of the map form.
    pub keys: &'static [Key],
    /// The key that a bare value stands for.
    pub short: &'static str,
    /// The keys whose values are secrets.
    secrets: &'static [&'static str],
    compile: fn(Fields) -> Option<Destination>,
}

const fn key(
    name: &'static str,
    value: KeyType,
    need: Need,
    doc: &'static str,
    example: &'static str,
) -> Key {
    Key { name, value, need, doc, example }
}

/// Every kind of route.
pub const ROUTE_KINDS: &[RouteKind] = &[
    RouteKind {
        name: "alertmanager",
        summary: "Alerts for Prometheus' Alertmanager, to every member of a cluster.",
        keys: &[key(
            "url",
            KeyType::OneOrMany(&KeyType::Template),
            Need::Required,
            "Its address, or those of all members.",
            "http://127.0.0.1:9093",
        )],
        short: "url",
        secrets: &[],
        compile: |mut fields| Some(Destination::Alertmanager { urls: templates(&mut fields, "url") }),
    },
    RouteKind {
        name: "webhook",
        summary: "A request for each change of an alert, signed as Standard Webhooks say.",
        keys: &[
            key(
                "url",
                KeyType::Template,
                Need::Required,
                "Where it is posted.",
                "https://hooks.example/ticket",
            ),
            key(
                "secret",
                KeyType::Template,
                Need::Optional,
                "What it is signed with: a secret of Standard Webhooks, whsec_ and base64; several with spaces while they change.",
                "${secrets.webhook_key}",
            ),
        ],
        short: "url",
        secrets: &["secret"],
        compile: |mut fields| {
            let secret = fields.template("secret").map(|secret| secret.value);
            Some(Destination::Webhook { url: fields.template("url")?.value, secret })
        },
    },
    RouteKind {
        name: "pagerduty",
        summary: "Events for PagerDuty, Events API v2.",
        keys: &[
            key(
                "routing_key",
                KeyType::Template,
                Need::Required,
                "The key of the integration.",
                "${secrets.pagerduty_key}",
            ),
            key(
                "url",
                KeyType::Template,
                Need::Default("https://events.pagerduty.com/v2/enqueue"),
                "Where events are posted.",
                "https://events.eu.pagerduty.com/v2/enqueue",
            ),
        ],
        short: "routing_key",
        secrets: &["routing_key"],
        compile: |mut fields| {
            let url = fields.template("url").map(|url| url.value);
            Some(Destination::PagerDuty { routing_key: fields.template("routing_key")?.value, url })
        },
    },
    RouteKind {
        name: "slack",
        summary: "A message for a Slack channel, by its incoming webhook.",
        keys: &[key(
            "url",
            KeyType::Template,
            Need::Required,
            "The URL of the incoming webhook, which is a secret.",
            "${secrets.slack_hook}",
        )],
        short: "url",
        secrets: &["url"],
        compile: |mut fields| Some(Destination::Slack { url: fields.template("url")?.value }),
    },
];

/// The routes under `routes`; wrong ones are reported and left out.
pub(super) fn read(node: &Node, shared: &Shared, report: &mut Report) -> Vec<Route> {
    let mut routes = Vec::new();
    for (name, body) in map_of(node, "routes", report) {
        if let Err(problem) = name::public("route", &name.value, name.span) {
            report.push(problem);
        }
        routes.extend(route(name, body, shared, report));
    }
    routes
}

fn route(name: &Spanned<String>, body: &Node, shared: &Shared, report: &mut Report) -> Option<Route> {
    let kinds = || ROUTE_KINDS.iter().map(|kind| kind.name);
    let [(key, settings)] = body.map().unwrap_or_default() else {
        let message = format!("a route has one kind, found {}", several(body));
        let problem = Diagnostic::error("E163", body.span, message);
        report.push(problem.help(format!("write {}: {{ alertmanager: http://127.0.0.1:9093 }}", name.value)));
        return None;
    };
    let Some(kind) = ROUTE_KINDS.iter().find(|kind| kind.name == key.value) else {
        let shown = model::outcome::cut(key.value.clone(), 60);
        let problem = Diagnostic::error("E163", key.span, format!("`{shown}` is not a kind of route"));
        report.push(match nearest(&key.value, kinds()) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem
                .help(format!("known are {}", one_of(kinds())))
                .help("other services take alerts by `webhook`, or from Alertmanager"),
        });
        return None;
    };
    let mut names = Names::new(shared, &NOTHING, None);
    let fields = bind(kind, key.span, settings, &mut Binder { report, names: &mut names });
    let secrets = names.secrets_used().iter().cloned().collect();
    let destination = (kind.compile)(fields?)?;
    Some(Route { name: name.clone(), kind: kind.name, destination, secrets })
}

fn several(body: &Node) -> String {
    match body.map() {
        Some(entries) if entries.len() > 1 => {
            let names: Vec<_> = entries.iter().map(|(key, _)| format!("`{}`", key.value)).collect();
            names.join(" and ")
        }
        Some(_) => "an empty map".to_owned(),
        None => body.describe(),
    }
}

/// The keys of a route; `None` after a mistake.
fn bind(kind: &RouteKind, at: Span, settings: &Node, binder: &mut Binder<'_, '_>) -> Option<Fields> {
    let mut fields = match (&settings.value, kind.keys.iter().find(|key| key.name == kind.short)) {
        (NodeValue::Map(_), _) | (_, None) => {
            binder.record(settings, at, kind.keys, &Place::under(kind.name))?
        }
        (_, Some(key)) => {
            let value = binder.value(settings, &key.value, key.name)?;
            Fields::new(at, vec![(key.name, Spanned::new(value, settings.span))])
        }
    };
    let mut sound = true;
    for key in kind.keys {
        let Some(value) = fields.take(key.name) else { continue };
        let templates = match &value.value {
            Bound::Template(template) => vec![(template, value.span)],
            Bound::List(items) => items
                .iter()
                .filter_map(|item| match &item.value {
                    Bound::Template(template) => Some((template, item.span)),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        for (template, span) in templates {
            let secret = kind.secrets.contains(&key.name);
            if let Err(problem) = check(template, span, key.name, secret) {
                binder.report.push(problem);
                sound = false;
            } else if let Some(text) = template.constant() {
                lint::literal_secret(key.name, span, text, binder.report);
            }
        }
        fields.put(key.name, value);
    }
    sound.then_some(fields)
}

/// A secret is named and not written down; everything else is a URL.
fn check(template: &Template, span: Span, key: &str, secret: bool) -> Result<(), Diagnostic> {
    let of_run = template.parts().iter().find_map(|part| match part {
        Part::Hole(Hole::Secret(_), _) | Part::Text(_) => None,
        Part::Hole(hole, _) => Some(hole),
    });
    if of_run.is_some() {
        let problem = Diagnostic::error("E207", span, "a route knows no run: it stands for many alerts");
        return Err(problem.help("only `${vars.…}` and `${secrets.…}` can be used here"));
    }
    match template.constant() {
        Some(_) if secret => {
            Err(Diagnostic::error("E165", span, format!("`{key}` is a secret and stands in the file"))
                .masked()
                .help("name its source under `secrets` and write ${secrets.NAME} here"))
        }
        Some(text) if key == "url" => {
            let sound = url::Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if sound {
                return Ok(());
            }
            let problem = Diagnostic::error("E122", span, "this is not a URL");
            Err(problem.help("write it with its scheme: https://hooks.example/ticket"))
        }
        _ => Ok(()),
    }
}

fn templates(fields: &mut Fields, key: &str) -> Vec<Template> {
    let items = fields.list(key).map(|list| list.value).unwrap_or_default();
    let template = |item: Spanned<Bound>| match item.value {
        Bound::Template(template) => Some(template),
        _ => None,
    };
    items.into_iter().filter_map(template).collect()
}

/// The mistake of an alert that names a route which is not there.
pub(crate) fn undefined(name: &str, span: Span, routes: &[Route]) -> Diagnostic {
    let shown = model::outcome::cut(name.to_owned(), 60);
    let problem = Diagnostic::error("E162", span, format!("there is no route `{shown}`"));
    let known = || routes.iter().map(|route| route.name.value.as_str());
    match nearest(name, known()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if routes.is_empty() => problem.help(format!(
            "define it in prober.yaml: routes: {{ {shown}: {{ alertmanager: http://127.0.0.1:9093 }} }}"
        )),
        None => problem.help(format!("routes of this project: {}", known().collect::<Vec<_>>().join(", "))),
    }
}
