//! Templates, the matrix, former names, maintenance and the envelope: full texts of mistakes, and plans.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use model::maintenance::{Effect, When};

use crate::compile::{Compiled, Options, Sources, compile};
use crate::plan::Plan;
use crate::render::{Style, human};
use crate::scope::{Binding, scopes};
use crate::testing::{KINDS, Net, source};

/// Title, project file (none if empty), template files, scenario files.
type Case = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const PROJECT: &str = "\
version: 1
include: [templates/*.yaml]
vars: { shop: https://shop.example }
secrets: { token: { env: TOKEN } }
";

const REST_HEALTH: &str = "\
template: rest-health
params:
  url: { type: url, doc: Where the service answers. }
  limit: { type: duration, default: 300ms }
body:
  every: 1m
  http: ${params.url}
  expect: { status: 200, json: { $.status: UP } }
  sli: { good: { latency: { lt: \"${params.limit}\" } } }
";

/// Uses it as it should be, so that nothing is unused.
const SOUND: &str = "name: sound\nuse: rest-health\nwith: { url: \"${vars.shop}/health\" }\n";

const TEMPLATE_CASES: &[Case] = &[
    (
        "unknown template",
        PROJECT,
        &[REST_HEALTH],
        &[SOUND, "name: a\nuse: rest-helth\nwith: { url: x }\n", "name: b\nuse: other\n"],
    ),
    ("no templates at all", "version: 1\n", &[], &["name: a\nuse: rest-health\n"]),
    (
        "unknown and missing parameters",
        PROJECT,
        &[REST_HEALTH],
        &[SOUND, "name: a\nuse: rest-health\nwith: { ulr: https://x.example, colour: red }\n"],
    ),
    (
        "arguments of the wrong type",
        PROJECT,
        &[
            REST_HEALTH,
            "template: typed\nparams:\n  a: { type: number }\n  b: { type: int }\n  c: { type: bool }\n  d: { type: size }\n  e: { type: percent }\n  f: { type: choice, values: [fast, slow] }\n  g: { type: text }\n  h: { type: duration }\nbody:\n  every: 1m\n  http: { url: https://x.example, json: { a: \"${params.a}\", b: \"${params.b}\", c: \"${params.c}\", d: \"${params.d}\", e: \"${params.e}\", f: \"${params.f}\", g: \"${params.g}\", h: \"${params.h}\" } }\n",
        ],
        &[
            SOUND,
            "name: a\nuse: rest-health\nwith: { url: \"${vars.shop}\", limit: 300 }\n",
            "name: b\nuse: rest-health\nwith: { url: shop.example, limit: \"${secrets.token}\" }\n",
            "name: c\nuse: typed\nwith: { a: x, b: 1.5, c: yes, d: 5 apples, e: 99.9, f: fats, g: 1.10, h: [1s] }\n",
        ],
    ),
    (
        "what arguments may name",
        PROJECT,
        &[REST_HEALTH],
        &[
            SOUND,
            "name: a\nuse: rest-health\nwith: { url: \"${vars.shpo}/${order_id}/${params.limit}/${matrix.x}\" }\n",
        ],
    ),
    (
        "a mistake inside the body",
        PROJECT,
        &[
            REST_HEALTH,
            "template: broken\nbody:\n  every: 1m\n  http: { url: https://x.example, methd: GET }\n  expect: { status: 20 }\n  ownr: me\n",
        ],
        &[SOUND, "name: a\nuse: broken\n", "name: b\nuse: broken\n"],
    ),
    (
        "parameters of the body",
        PROJECT,
        &[
            "template: t\nparams: { url: { type: url }, limt: { type: duration } }\nbody:\n  every: 1m\n  http: ${params.url}/${params.limit}\n  owner: ${matrix.team}\n",
        ],
        &["name: a\nuse: t\nmatrix: { team: [red] }\nwith: { url: \"${vars.shop}\", limt: 5s }\n"],
    ),
    (
        "declared wrongly",
        PROJECT,
        &[
            REST_HEALTH,
            "template: t\nparams:\n  a: text\n  b: { type: strin }\n  c: { type: choice }\n  d: { type: int, default: five }\n  e: { type: text, default: \"${params.a}\" }\n  f: { type: url, values: [x] }\n  g: {}\n  \"h i\": { type: text, default: [x] }\nbody: { every: 1m, http: https://x.example }\n",
        ],
        &[SOUND],
    ),
    (
        "what cannot stand in a template",
        PROJECT,
        &[
            REST_HEALTH,
            "template: t\nbody: { name: x, use: rest-health, with: {}, matrix: {}, was: [y], every: 1m, http: https://x.example }\n",
            "template: u\nevery: 1m\nhttp: https://x.example\n",
            "name: scenario\nevery: 1m\nhttp: https://x.example\n",
            "- template: v\n",
            "template: w\nversion: 3\nbody: [http]\n",
        ],
        &[SOUND],
    ),
    (
        "duplicate and unused templates",
        PROJECT,
        &[
            REST_HEALTH,
            "template: rest-health\nbody: { every: 1m, http: https://x.example }\n",
            "template: idle\nbody: { every: 1m }\n",
        ],
        &[SOUND],
    ),
    ("never used", PROJECT, &[REST_HEALTH, "template: idle\nbody: { every: 1m }\n"], &[SOUND]),
    (
        "use and with",
        PROJECT,
        &[REST_HEALTH],
        &[
            SOUND,
            "name: a\nevery: 1m\nhttp: https://x.example\nwith: { url: x }\n",
            "name: b\nuse: \"${vars.shop}\"\n",
            "name: c\nuse: rest-health\nwith: [x]\n",
            "name: d\ntemplate: x\nevery: 1m\nhttp: https://x.example\n",
        ],
    ),
    (
        "what the whole still lacks",
        PROJECT,
        &["template: t\nbody: { owner: me }\n"],
        &["aim: nothing\nuse: t\n"],
    ),
    (
        "a filter over parts",
        PROJECT,
        &[
            "template: t\nparams: { url: { type: url } }\nbody: { every: 1m, http: \"https://x.example/${params.url | base64}\" }\n",
        ],
        &["name: a\nuse: t\nwith: { url: \"${vars.shop}/${secrets.token}\" }\n"],
    ),
    (
        "regional where it cannot be",
        "version: 1\nregions: { eu: { vars: { due: 1m } } }\n",
        &[
            "template: t\nparams: { due: { type: duration } }\nbody: { every: \"${params.due}\", http: https://x.example }\n",
        ],
        &["name: a\nuse: t\nwith: { due: \"${vars.due}\" }\n"],
    ),
];

const MATRIX_CASES: &[Case] = &[
    (
        "not a matrix",
        "",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example/${matrix.service}\nmatrix: [cart]\n",
            "name: b\nevery: 1m\nhttp: https://x.example\nmatrix: {}\n",
            "name: c\nevery: 1m\nhttp: https://x.example\nmatrix: { service: [] , region: [eu], \"a b\": [c] }\n",
        ],
    ),
    (
        "values",
        "version: 1\nvars: { shop: x }\n",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example/${vars.shop}\nmatrix: { service: [cart, cart, \"${vars.shop}\", {a: b}, ~, \"a/b\", \"\"] }\n",
        ],
    ),
    (
        "keys",
        "",
        &[],
        &[
            "name: a\naim: ${matrix.servise} is up.\nevery: 1m\nhttp: https://x.example/${matrix.tier}\nmatrix: { service: [cart] }\n",
            "name: b\nevery: 1m\nhttp: https://x.example/${matrix.service}\n",
        ],
    ),
    (
        "names and labels",
        "",
        &[],
        &[
            "name: ${matrix.service}-health\nevery: 1m\nhttp: https://x.example\nlabels: { service: x }\nmatrix: { service: [cart, search] }\n",
            "name: b\nevery: 1m\nhttp: https://x.example\nmatrix: { x: [1] }\n",
            "name: b\nevery: 1m\nhttp: https://x.example\n",
        ],
    ),
    (
        "hidden variables",
        "version: 1\nvars: { tier: a }\nregions: { eu: { vars: { shop: https://eu.example } } }\n",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: ${vars.shop}/${vars.tier}\nvars: { shop: https://x.example }\nmatrix: { tier: [b, c] }\n",
        ],
    ),
];

const OTHER_CASES: &[Case] = &[
    (
        "unused variables",
        "version: 1\nvars: { a: x, b: y, c: z }\nregions: { eu: { vars: { b: y, d: z } }, us: { vars: { b: z } } }\n",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example/${vars.a}/${vars.b}/${vars.e}\nvars: { e: x, f: y }\n",
        ],
    ),
    (
        "former names",
        "",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nwas: [b, a, old, \"my shop\"]\n",
            "name: b\nevery: 1m\nhttp: https://x.example\nwas: old\n",
        ],
    ),
    (
        "maintenance",
        "version: 1\nmaintenance: { name: all, from: 2026-03-01, to: tomorrow }\n",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nmaintenance:\n  - { name: x }\n  - { name: x, cron: \"0 2 * * *\" }\n  - { name: y, duration: 1h }\n  - { name: z, from: 2026-03-01T00:00:00Z }\n  - { name: u, to: 2026-03-01T00:00:00Z }\n  - { name: v, cron: \"0 2 * * *\", duration: 1h, from: 2026-03-01T00:00:00Z }\n",
            "name: b\nevery: 1m\nhttp: https://x.example\nmaintenance:\n  - { cron: \"0 2 * * *\", duration: 1h }\n  - { name: w, cron: \"0 2 30 2 *\", duration: 1h, timezone: Berlin }\n  - { name: s, cron: \"61 2 * * *\", duration: 60, effect: paus }\n  - { name: t, from: 2026-03-02T00:00:00Z, to: 2026-03-01T00:00:00Z, timezone: UTC }\n  - { name: r, cron: \"0 2 * * *\", duration: 0s }\n  - { name: q, from: 2026-03-01T22:00:00, to: 2026-03-01T23:00:00+01:00 }\n  - { name: p, when: now }\n",
        ],
    ),
    (
        "long maintenance and one that is over",
        "version: 1\nmaintenance: { name: last year, from: 2025-12-01T00:00:00+01:00, to: 2025-12-01T06:00:00+01:00 }\n",
        &[],
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nmaintenance:\n  - { name: always, cron: \"0 2 * * *\", duration: 24h }\n  - { name: weekend, cron: \"0 0 * * SAT\", duration: 2d }\n  - { name: month, from: 2026-03-01T00:00:00Z, to: 2026-04-01T00:00:00Z }\n",
        ],
    ),
    (
        "envelope",
        PROJECT,
        &["apiVersion: prober.io/v1\nkind: Templat\nmetadata: { name: t }\nspec: { body: {} }\n"],
        &[
            "apiVersion: v1\nkind: Scenario\nmetadata: { name: a, labels: { tier: \"1\" }, nmae: x }\nspec:\n  every: 1m\n  name: b\n  http: https://x.example\n  expct: {}\nstatus: {}\n",
            "apiVersion: prober.io/v1\nkind: Scenario\nspec: [x]\nevery: 1m\n",
            "kind: Scenario\nmetadata: []\nspec: { every: 1m, http: https://x.example }\n",
        ],
    ),
];

fn with(project: &str, templates: &[&str], scenarios: &[&str]) -> Compiled<Net> {
    compile(sources(project, templates, scenarios), KINDS, &options())
}

fn options() -> Options {
    let now = "2026-01-15T00:00:00Z".parse().ok();
    Options { prober: "test".to_owned(), now, ..Options::default() }
}

fn sources(project: &str, templates: &[&str], scenarios: &[&str]) -> Sources {
    let all = |folder: &str, texts: &[&str]| {
        (1..).zip(texts).map(|(number, text)| source(&format!("{folder}/{number}.yaml"), text)).collect()
    };
    Sources {
        project: (!project.is_empty()).then(|| source("prober.yaml", project)),
        templates: all("templates", templates),
        scenarios: all("scenarios", scenarios),
        whole: true,
        ..Sources::default()
    }
}

fn all(cases: &[Case]) -> String {
    let mut out = String::new();
    for (title, project, templates, scenarios) in cases {
        let compiled = with(project, templates, scenarios);
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(!shown.is_empty(), "{title} is found wrong");
        writeln!(out, "## {title}\n\n{shown}").unwrap();
    }
    out
}

/// The codes that these cases show.
pub(super) fn codes() -> BTreeSet<&'static str> {
    let cases = [TEMPLATE_CASES, MATRIX_CASES, OTHER_CASES].into_iter().flatten();
    let diagnostics =
        cases.flat_map(|(_, project, templates, scenarios)| with(project, templates, scenarios).diagnostics);
    diagnostics.map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn mistakes_with_templates() {
    insta::assert_snapshot!("templates", all(TEMPLATE_CASES));
}

#[test]
fn mistakes_with_a_matrix() {
    insta::assert_snapshot!("matrix", all(MATRIX_CASES));
}

#[test]
fn mistakes_with_names_maintenance_and_envelopes() {
    insta::assert_snapshot!("other_reuse", all(OTHER_CASES));
}

fn sound(project: &str, templates: &[&str], scenarios: &[&str]) -> Compiled<Net> {
    let compiled = with(project, templates, scenarios);
    let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
    assert!(compiled.diagnostics.is_empty(), "{shown}");
    compiled
}

fn plan<'c>(compiled: &'c Compiled<Net>, name: &str) -> &'c Plan<Net> {
    let found = compiled.plans.iter().find(|plan| *plan.stream().scenario == *name);
    found.unwrap_or_else(|| panic!("{name} is none of {:?}", names(compiled)))
}

fn names(compiled: &Compiled<Net>) -> Vec<&str> {
    compiled.plans.iter().map(|plan| &*plan.stream().scenario).collect()
}

const SERVICES: &str = "\
name: service-health
title: ${matrix.service} (tier ${matrix.tier})
aim: ${matrix.service} is up.
use: rest-health
matrix: { service: [cart, search], tier: [1, 2] }
with:
  url: https://${matrix.service}.shop.example/health?tier=${matrix.tier}
";

#[test]
fn a_matrix_is_every_combination() {
    let project = PROJECT.replace("vars: { shop: https://shop.example }\n", "");
    let compiled = sound(&project, &[REST_HEALTH], &[SERVICES]);
    let expected = [
        "service-health[service=cart,tier=1]",
        "service-health[service=cart,tier=2]",
        "service-health[service=search,tier=1]",
        "service-health[service=search,tier=2]",
    ];
    assert_eq!(names(&compiled), expected);
    let plan = plan(&compiled, expected[1]);
    assert_eq!(plan.targets(), ["GET https://cart.shop.example/health?tier=2"]);
    assert_eq!((&*plan.about().title, &*plan.about().aim), ("cart (tier 2)", "cart is up."));
    let origin = plan.origin();
    let labels: Vec<_> = origin.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!((labels, &*origin.service), (vec!["service=cart".to_owned(), "tier=2".to_owned()], "cart"));
    assert_eq!((&*plan.about().path, plan.about().line), ("scenarios/1.yaml", 1));
    let versions: BTreeSet<_> = compiled.plans.iter().map(|plan| plan.origin().version.clone()).collect();
    assert_eq!(versions.len(), 4, "each instance has a version of its own");
    let first = |index: usize| compiled.plans[index].steps()[0].expect[1].name();
    assert!(std::sync::Arc::ptr_eq(first(0), first(3)), "what is the same is compiled once");
}

#[test]
fn the_scenario_s_keys_replace_those_of_the_body() {
    let template = "\
template: t
params: { path: { type: text, default: /health } }
body:
  cron: \"0 6 * * *\"
  timezone: Europe/Berlin
  owner: body
  labels: { tier: \"1\", team: body }
  vars: { host: https://body.example, deep: x }
  http: ${vars.host}${params.path}?${vars.deep}
  expect: { status: 200, json: { $.status: UP } }
";
    let plain = "name: plain\nuse: t\n";
    let changed = "\
name: changed
use: t
every: 1m
expect: { status: 204 }
labels: { team: own }
vars: { host: https://own.example }
with: { path: /ready }
";
    let compiled = sound("", &[template], &[plain, changed]);
    let (plain, changed) = (plan(&compiled, "plain"), plan(&compiled, "changed"));
    assert_eq!(plain.targets(), ["GET https://body.example/health?x"]);
    assert_eq!(changed.targets(), ["GET https://own.example/ready?x"], "vars are joined");
    assert_eq!(plain.cadence().to_string(), "cron Europe/Berlin 0 6 * * *");
    assert_eq!(changed.cadence().to_string(), "every 60000ms", "every replaces cron and its zone");
    assert_eq!(
        (plain.steps()[0].expect.len(), changed.steps()[0].expect.len()),
        (2, 1),
        "expect is replaced whole"
    );
    let labels = |plan: &Plan<Net>| {
        let mut labels: Vec<_> =
            plan.origin().labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        labels.sort();
        labels
    };
    assert_eq!(labels(plain), ["team=body", "tier=1"]);
    assert_eq!(labels(changed), ["team=own", "tier=1"], "labels are joined");
    assert_eq!(&*changed.origin().owner, "body");
}

#[test]
fn a_scenario_made_from_a_template_is_the_one_written_out() {
    let made = sound(PROJECT, &[REST_HEALTH], &[SOUND]);
    let written = "\
name: sound
every: 1m
http: ${vars.shop}/health
expect: { status: 200, json: { $.status: UP } }
sli: { good: { latency: { lt: 300ms } } }
";
    let project = PROJECT.replace("include: [templates/*.yaml]\n", "");
    let written = sound(&project, &[], &[written]);
    let debug = |compiled: &Compiled<Net>| format!("{:?}", plan(compiled, "sound").steps()[0].expect);
    assert_eq!(debug(&made), debug(&written));
    assert_eq!(plan(&made, "sound").targets(), plan(&written, "sound").targets());
    assert_eq!(plan(&made, "sound").origin().version, plan(&written, "sound").origin().version);
    let limit = SOUND.replace(" }\n", ", limit: 500ms }\n");
    let other = sound(PROJECT, &[REST_HEALTH], &[&limit]);
    assert_ne!(plan(&made, "sound").origin().version, plan(&other, "sound").origin().version);
}

#[test]
fn arguments_keep_their_type_and_may_have_holes() {
    let template = "\
template: t
params:
  count: { type: int }
  flag: { type: bool, default: false }
  code: { type: text }
  token: { type: text }
body:
  every: 1m
  http:
    url: https://x.example/${params.token | urlencode}
    json: { count: \"${params.count}\", flag: \"${params.flag}\", code: \"${params.code}\", both: \"${params.count}-${params.token}\" }
";
    let scenario =
        "name: a\nuse: t\nwith: { count: 3, code: 404, token: \"x ${secrets.token} ${region}\" }\n";
    let project = "version: 1\nsecrets: { token: { env: TOKEN } }\nregions: { eu: {}, us: {} }\n";
    let compiled = sound(project, &[template], &[scenario]);
    let shown = format!("{:?}", compiled.plans[1].steps()[0].action);
    for part in ["Constant(Number(3))", "Constant(Bool(false))", "Constant(String(\"404\"))"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(compiled.plans[1].targets(), ["GET https://x.example/x%20${secrets.token}%20us"]);
    assert_eq!(&*compiled.plans[1].secrets_used()[0], "token");
    assert!(shown.contains("3-x ") && shown.contains("UrlEncode"), "{shown}");
}

#[test]
fn the_order_of_variables_is_the_documented_one() {
    let template = "template: t\nbody:\n  every: 1m\n  vars: { c: template, d: template, e: template, f: template }\n  http: https://x.example/${vars.a}/${vars.b}/${vars.c}/${vars.d}/${vars.e}/${vars.f}\n";
    let project = "version: 1\nvars: { a: project, b: project, c: project, d: project, e: project, f: project }\nregions: { eu: { vars: { b: region } }, us: { vars: { b: other } } }\n";
    let scenario = "name: a\nuse: t\nregions: [eu]\nvars: { d: scenario, e: scenario, f: scenario }\nmatrix: { e: [matrix], f: [matrix] }\n";
    let given = Options { vars: vec![("f".into(), "given".into())], ..options() };
    let compiled = compile(sources(project, &[template], &[scenario]), KINDS, &given);
    assert_eq!(
        compiled.plans[0].targets(),
        ["GET https://x.example/project/region/template/scenario/matrix/given"]
    );
    let scope = scopes(sources(project, &[template], &[scenario]), &given, "a").remove(0);
    assert_eq!((&*scope.name, scope.regions.len()), ("a[e=matrix,f=matrix]", 1));
    let shown: Vec<_> = scope.regions[0].bindings.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "vars.a=project project prober.yaml:2",
            "vars.b=region region prober.yaml:3 hides project",
            "vars.c=template template templates/1.yaml:4 hides project",
            "vars.d=scenario scenario scenarios/1.yaml:4 hides template project",
            "vars.e=matrix matrix scenarios/1.yaml:5 hides scenario template project",
            "vars.f=given --var  hides matrix scenario template project",
            "matrix.e=matrix matrix scenarios/1.yaml:5",
            "matrix.f=matrix matrix scenarios/1.yaml:5",
        ]
    );
    assert_eq!(compiled.unknown_vars, []);
}

fn shown(binding: &Binding) -> String {
    let Binding { name, winner, hidden } = binding;
    let place = winner.place.as_ref().map_or(String::new(), |(path, line)| format!("{path}:{line}"));
    let mut out = format!("{name}={} {} {place}", winner.value, winner.origin);
    if !hidden.is_empty() {
        out += " hides";
        for layer in hidden {
            write!(out, " {}", layer.origin).unwrap();
        }
    }
    out
}

#[test]
fn a_scope_shows_where_secrets_are_read_and_never_what_they_are() {
    let project = "version: 1\nsecrets: { token: { env: TOKEN } }\nregions: { eu: { secrets: { token: { file: token_eu } } }, us: {} }\n";
    let scenario = "name: a\nuse: rest-health\nwith: { url: \"https://x.example/${secrets.token}\" }\n";
    let scope = scopes(sources(project, &[REST_HEALTH], &[scenario]), &options(), "a").remove(0);
    let shown = |region: usize| scope.regions[region].bindings.iter().map(shown).collect::<Vec<_>>();
    assert_eq!(
        shown(0),
        [
            "params.limit=300ms default templates/1.yaml:4",
            "params.url=https://x.example/${secrets.token} with scenarios/1.yaml:3",
            "secrets.token=file token_eu region prober.yaml:3 hides project",
        ]
    );
    assert_eq!(shown(1)[2], "secrets.token=env TOKEN project prober.yaml:2");
    assert_eq!(scopes(sources(project, &[REST_HEALTH], &[scenario]), &options(), "b"), []);
}

#[test]
fn former_names_follow_the_instances() {
    let scenario = "name: a\nevery: 1m\nhttp: https://${matrix.s}.example\nmatrix: { s: [x, y] }\nwas: [old, \"${matrix.s}-health\", \"older[service=${matrix.s}]\"]\n";
    let compiled = sound("", &[], &[scenario]);
    let was: Vec<_> = compiled.plans[1].about().was.iter().map(|name| &**name).collect();
    assert_eq!(was, ["old[s=y]", "y-health", "older[service=y]"]);
    assert!(!compiled.plans[0].about().public);
}

#[test]
fn maintenance_of_the_scenario_and_of_the_project() {
    let project = "version: 1\nmaintenance: { name: move, from: 2026-03-01T22:00:00+01:00, to: 2026-03-02T01:00:00+01:00, effect: pause }\n";
    let scenario = "name: a\nevery: 1m\npublic: true\nhttp: https://x.example\nmaintenance: [{ name: weekly database window, cron: \"0  2 * * SUN\", timezone: Europe/Berlin, duration: 1h }]\n";
    let compiled = sound(project, &[], &[scenario]);
    let [own, all] = compiled.plans[0].maintenance() else { panic!("two of them") };
    assert_eq!((&*own.name, own.effect), ("weekly database window", Effect::Ineligible));
    let recurring = When::Recurring {
        expression: "0 2 * * SUN".into(),
        timezone: "Europe/Berlin".into(),
        duration: Duration::from_hours(1),
    };
    assert_eq!(own.when, recurring);
    let at = |text: &str| text.parse().unwrap();
    assert_eq!(all.when, When::Once { from: at("2026-03-01T21:00:00Z"), to: at("2026-03-02T00:00:00Z") });
    assert_eq!(all.effect, Effect::Pause);
    assert!(compiled.plans[0].about().public);
}

#[test]
fn an_envelope_is_the_same_scenario() {
    let plain = "name: a\nlabels: { tier: \"1\" }\nevery: 1m\nuse: t\n";
    let wrapped = "apiVersion: prober.io/v1\nkind: Scenario\nmetadata:\n  name: a\n  namespace: probes\n  annotations: { x: y }\n  labels: { tier: \"1\" }\nspec:\n  every: 1m\n  use: t\n";
    let template = "template: t\nbody: { http: https://x.example }\n";
    let wrapped_template = "apiVersion: prober.io/v1\nkind: Template\nmetadata: { name: t }\nspec:\n  body: { http: https://x.example }\n";
    let plain = sound("", &[template], &[plain]);
    let wrapped = sound("", &[wrapped_template], &[wrapped]);
    assert_eq!(plain.plans[0].origin(), wrapped.plans[0].origin());
    assert_eq!(wrapped.plans[0].about().line, 4);
}

#[test]
fn what_nothing_knows_on_the_command_line() {
    let given = |name: &str| {
        let options = Options { vars: vec![(name.into(), "x".into())], ..options() };
        compile(sources(PROJECT, &[REST_HEALTH], &[SOUND]), KINDS, &options).unknown_vars
    };
    assert_eq!(given("shop"), []);
    assert_eq!(given("shpo"), [("shpo".to_owned(), Some("shop".to_owned()))]);
    assert_eq!(given("colour"), [("colour".to_owned(), None)]);
}

#[test]
fn many_instances_are_worth_a_warning_and_too_many_are_refused() {
    let list = |count: usize| (0..count).map(|number| format!("v{number}")).collect::<Vec<_>>().join(", ");
    let scenario =
        |keys: &str| format!("name: a\nevery: 1m\nhttp: https://${{matrix.a}}.example\nmatrix: {keys}\n");
    let check = |keys: &str, plans: usize, code: Option<&str>| {
        let compiled = with("", &[], &[&scenario(keys)]);
        let codes: Vec<_> = compiled.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!((compiled.plans.len(), codes.first().copied()), (plans, code), "{keys:.40}");
    };
    check(&format!("{{ a: [{}] }}", list(200)), 200, None);
    check(&format!("{{ a: [{}] }}", list(201)), 201, Some("W354"));
    check(&format!("{{ a: [{0}], b: [{0}] }}", list(101)), 0, Some("E117"));
    check(&format!("{{ a: [{0}], b: [{0}], c: [{0}], d: [{0}], e: [{0}] }}", list(2_000)), 0, Some("E117"));
    check("{ a: [x], b: [x], c: [x], d: [x], e: [x], f: [x] }", 0, Some("E117"));
    check(&format!("{{ a: [\"{}\"] }}", "x".repeat(70)), 0, Some("E157"));
}

/// Ten thousand scenarios from one template compile within a second in release; it is read once.
#[test]
fn ten_thousand_uses_of_one_template() {
    let texts: Vec<String> = (0..100)
        .map(|index| {
            let values = (0..100).map(|value| format!("s{value}")).collect::<Vec<_>>().join(", ");
            format!("name: group-{index}\naim: \"${{matrix.service}} is up.\"\nuse: rest-health\nmatrix: {{ service: [{values}] }}\nwith: {{ url: \"https://${{matrix.service}}.example/{index}\" }}\n")
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let sources = sources("", &[REST_HEALTH], &texts);
    let began = Instant::now();
    let compiled = compile(sources, KINDS, &options());
    let took = began.elapsed();
    assert_eq!((compiled.plans.len(), compiled.diagnostics.len()), (10_000, 0));
    let most = if cfg!(debug_assertions) { 90 } else { 5 };
    assert!(took < Duration::from_secs(most), "took {took:?}");
}

#[test]
fn hostile_reuse_ends_soon() {
    let deep = format!(
        "template: t\nbody: {{ every: 1m, http: {{ url: x, json: {}x{} }} }}\n",
        "[".repeat(20),
        "]".repeat(20)
    );
    let holes = format!("name: a\nuse: t\nwith: {{ x: \"{}\" }}\n", "${vars.a}".repeat(10_000));
    let params = (0..2_000).fold(String::new(), |mut out, number| {
        writeln!(out, "  p{number}: {{ type: text }}").unwrap();
        out
    });
    let many = format!("template: t\nparams:\n{params}body: {{ every: 1m }}\n");
    let circle = "template: t\nparams: { a: { type: text, default: \"${params.b}\" }, b: { type: text, default: \"${params.a}\" } }\nbody: { every: 1m, http: \"${params.a}${params.b}\" }\n";
    for (template, scenario) in [
        (deep.as_str(), "name: a\nuse: t\n"),
        (REST_HEALTH, holes.as_str()),
        (many.as_str(), "name: a\nuse: t\n"),
        (circle, "name: a\nuse: t\n"),
        (REST_HEALTH, "name: a\nuse: rest-health\nwith: { url: \"${params.url}\" }\n"),
        ("template: t\nbody: { use: t, every: 1m }\n", "name: a\nuse: t\n"),
    ] {
        let began = Instant::now();
        let compiled = with("", &[template], &[scenario]);
        human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(compiled.has_errors() && compiled.plans.is_empty(), "{template:.60}");
        assert!(began.elapsed() < Duration::from_secs(10), "{template:.60}");
    }
}
