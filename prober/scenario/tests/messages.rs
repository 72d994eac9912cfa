//! Full texts of mistakes; every code has at least one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::testing::{compiled, rendered};

/// Title, project file (none if empty), scenario files.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// The project that most cases stand in.
const PROJECT: &str = "\
version: 1
vars: { shop: https://shop.example, limit: 300ms }
secrets: { probe_password: { env: PROBE_PASSWORD } }
";

/// The eight mistakes in the project file, and what else can be wrong there.
const PROJECT_CASES: &[Case] = &[
    ("wrong key", "version: 1\nscenario: [a.yaml]\n", &[]),
    ("wrong type", "version: one\nscenarios: { a: b }\n", &[]),
    ("missing field", "scenarios: a.yaml\n", &[]),
    ("scenario's key", "version: 1\nevery: 1m\nname: shop\n", &[]),
    ("bad url", "version: 1\nserve: { listen: localhost }\n", &[]),
    ("undefined variable", "version: 1\ndefaults: { owner: \"${vars.team}\" }\n", &[]),
    ("variable of a variable", "version: 1\nvars: { a: 1, b: \"${vars.a}\", c: [1] }\n", &[]),
    ("duplicate name", "version: 1\nregions:\n  eu: {}\n  eu: {}\n", &[]),
    ("bad name", "version: 1\nvars: { \"my shop\": x }\nregions: { \"eu west\": {} }\n", &[]),
    ("newer version", "version: 2\n", &[]),
    (
        "network",
        "version: 1\nnetwork: { private: yes, alow: [10.0.0.5/8], deny: [\"shop.example:https\", 10.0.0], block: x }\n",
        &[],
    ),
    (
        "network of a region",
        "version: 1\nregions: { eu: { network: { allow: [\"http://a.example\"] } } }\n",
        &[],
    ),
    ("egress", "version: 1\negress: deny\n", &[]),
    (
        "secrets",
        "version: 1\nsecrets:\n  a: hunter22\n  b: { env: }\n  c: { exec: pass }\n  d: { vault: x }\n",
        &[],
    ),
    ("defaults", "version: 1\ndefaults: { timeout: 60, every: 10ms, labels: { job: x } }\n", &[]),
    ("exporters", "version: 1\nexporters: { ndjson: {} }\n", &[]),
    ("exporter", "version: 1\nexporters: [ndjson]\n", &[]),
    ("store", "version: 1\nstore: { max_bytes: 1gb, keep: 30 }\n", &[]),
    ("empty regions", "version: 1\nregions: {}\n", &[]),
    ("region keys", "version: 1\nregions: { eu: { var: {} } }\n", &[]),
];

/// The eight mistakes in the head of a scenario file, and what else can be wrong there.
const SCENARIO_CASES: &[Case] = &[
    ("wrong key", PROJECT, &["name: a\nevery: 1m\nownr: me\nhttp: https://x.example\n"]),
    (
        "other tools' words",
        PROJECT,
        &["name: a\ninterval: 60\nurl: https://x.example\nassertions: []\ntype: http\n"],
    ),
    (
        "key of another place",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: https://x.example\nlatency: 5s\ngood: {}\nmethod: GET\nsecrets: {}\n"],
    ),
    ("wrong type", PROJECT, &["name: [a]\nevery: 60\ntimeout: 5 sec\nlabels: x\nhttp: https://x.example\n"]),
    ("missing field", PROJECT, &["http: https://x.example\n"]),
    ("nothing to probe", PROJECT, &["name: a\nevery: 1m\n"]),
    ("bad url", PROJECT, &["name: a\nevery: 1m\nrunbook: wiki\nhttp: shop.example\n"]),
    ("undefined variable", PROJECT, &["name: a\nevery: ${vars.intervall}\nhttp: ${vars.shpo}/\n"]),
    (
        "duplicate name",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\n",
            "# another\nname: a\nevery: 1m\nhttp: https://y.example\n",
        ],
    ),
    ("bad cron", PROJECT, &["name: a\ncron: \"*/30 6-25 * * MON-FRI\"\nhttp: https://x.example\n"]),
    (
        "cron without quotes",
        PROJECT,
        &["name: a\ncron: */30 6-20 * * MON-FRI # often\nhttp: https://x.example\n"],
    ),
    ("cron of stars", PROJECT, &["name: a\ncron: * * * * *\nhttp: https://x.example\n"]),
    ("cron never", PROJECT, &["name: a\ncron: 0 0 30 2 *\nhttp: https://x.example\n"]),
    ("cron and every", PROJECT, &["name: a\nevery: 1m\ncron: \"0 * * * *\"\nhttp: https://x.example\n"]),
    (
        "zone",
        PROJECT,
        &[
            "name: a\ncron: \"0 6 * * *\"\ntimezone: Berlin\nhttp: https://x.example\n",
            "name: b\nevery: 1m\ntimezone: UTC\nhttp: https://x.example\n",
        ],
    ),
    ("bad name", PROJECT, &["name: Shop Home!\nevery: 1m\nhttp: https://x.example\n"]),
    (
        "number as text",
        PROJECT,
        &[
            "name: a\nevery: 1m\nlabels: { release: 1.10, on: yes, region: eu, \"a-b\": x }\nowner: true\nhttp: https://x.example\n",
        ],
    ),
    ("yes and no", PROJECT, &["name: a\nevery: 1m\nhttp: { url: https://x.example, insecure: yes }\n"]),
    ("timeout", PROJECT, &["name: a\nevery: 30s\ntimeout: 45s\nhttp: https://x.example\n"]),
    ("too often", PROJECT, &["name: a\nevery: 500ms\nhttp: https://x.example\n"]),
    (
        "regions",
        "version: 1\nregions: { eu: {}, us: {} }\n",
        &["name: a\nevery: 1m\nregions: [eu, uss, ap]\nhttp: https://x.example\n"],
    ),
    (
        "later keys",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nretry: { attempts: 2 }\nslo: { objective: 99% }\nteardown: []\nquorum: 2\n",
        ],
    ),
    ("envelope", PROJECT, &["apiVersion: prober/v1\nmetadata: { name: a }\nspec: {}\n"]),
    ("not a map", PROJECT, &["- name: a\n", "just a text\n"]),
    ("version", PROJECT, &["name: a\nversion: 3\nevery: 1m\nhttp: https://x.example\n"]),
    (
        "sli",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nsli: { good: { latency: 300 }, ineligible: [], retried: bad, bad: {} }\n",
        ],
    ),
    (
        "many labels",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nlabels: { a: x, b: x, c: x, d: x, e: x, f: x, g: x, h: x, i: x, j: x, k: x }\n",
        ],
    ),
];

/// Mistakes in steps.
const STEP_CASES: &[Case] = &[
    (
        "wrong key",
        PROJECT,
        &[
            "name: a\nevery: 1m\nsteps:\n  - http: { url: https://x.example, methd: GET, status: 200, expect: {} }\n",
        ],
    ),
    (
        "wrong key in expect",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: https://x.example\nexpect: { statuss: 200, url: x, colour: red }\n"],
    ),
    (
        "wrong types",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: { url: [x], redirects: 99, wait: 5, body_limit: 64KB, tags: {}, tls: { verify: 1 }, headers: [x], method: get }\n",
        ],
    ),
    (
        "missing field",
        PROJECT,
        &["name: a\nevery: 1m\nsteps:\n  - http: { method: GET }\n  - ping:\n  - ping: shop.example\n"],
    ),
    (
        "bad regex",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect: { body: { matches: 'id=(\\d+' } }\nwarn: { body: { matches: '(?=x)' } }\ncapture: { id: { regex: '[a' } }\n",
        ],
    ),
    (
        "huge regex",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: https://x.example\nexpect: { body: { matches: '(\\w{500}){500}' } }\n"],
    ),
    ("bad url", PROJECT, &["name: a\nevery: 1m\nsteps:\n  - http: HEAD shop.example/path\n"]),
    (
        "undefined variable",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: \"${vars.shopp}/${secrets.passwd}/${shop}/${env.HOME}/${run.idd}/${var.x}\"\n",
        ],
    ),
    (
        "bad holes",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: \"${vars.shop}/${}/${a b}/${vars.shop | upper}/${params.x}/${run.id\"\n",
        ],
    ),
    (
        "hole in key",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: { url: https://x.example, json: { \"${vars.shop}\": 1 } }\n"],
    ),
    (
        "duplicate name",
        PROJECT,
        &["name: a\nevery: 1m\nsteps:\n  - http: https://x.example\n  - http: https://y.example\n"],
    ),
    (
        "two kinds",
        PROJECT,
        &["name: a\nevery: 1m\nsteps:\n  - http: https://x.example\n    ping: { address: x }\n"],
    ),
    (
        "steps and a step",
        PROJECT,
        &["name: a\nevery: 1m\nexpect: { status: 200 }\nsteps:\n  - http: https://x.example\n"],
    ),
    (
        "no steps",
        PROJECT,
        &[
            "name: a\nevery: 1m\nsteps: []\n",
            "name: b\nevery: 1m\nsteps: http\n",
            "name: c\nevery: 1m\nsteps: [http, { name: x }]\n",
        ],
    ),
    ("used before captured", PROJECT, &[USED_BEFORE]),
    (
        "unused and captured twice",
        PROJECT,
        &[
            "name: a\nevery: 1m\nsteps:\n  - name: one\n    http: https://x.example\n    capture: { id: { json: $.id } }\n  - name: two\n    http: https://x.example\n    capture: { id: { json: $.id } }\n",
        ],
    ),
    (
        "bad captures",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\ncapture:\n  a: $.id\n  b: { secret: true }\n  c: { jsn: $.id }\n  d: { json: id }\n  e: { header: \"a b\" }\n  f: { json: $.a, header: B }\n  \"g h\": { status: false }\n  region: { json: $.x }\n",
        ],
    ),
    (
        "step's timeout",
        PROJECT,
        &["name: a\nevery: 1m\nsteps:\n  - http: https://x.example\n    timeout: 30s\n    every: 5m\n"],
    ),
    (
        "defined in one region",
        "version: 1\nregions: { eu: { vars: { shop: https://eu.example }, secrets: { s: { env: S } } }, us: {} }\n",
        &["name: a\nevery: 1m\nhttp: { url: \"${vars.shop}/\", json: \"${secrets.s}\" }\n"],
    ),
    (
        "regional where it cannot be",
        "version: 1\nregions: { eu: { vars: { due: 1m } } }\n",
        &["name: a\nevery: ${vars.due}\nhttp: https://x.example\n"],
    ),
    (
        "capture in expect",
        PROJECT,
        &[
            "name: a\nevery: 1m\nsteps:\n  - name: one\n    http: https://x.example\n    capture: { id: { json: $.id } }\n  - name: two\n    http: https://x.example\n    expect: { json: { $.id: \"${id}\" }, status: \"${secrets.probe_password}\" }\n",
        ],
    ),
    (
        "line break in a header",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: { url: https://x.example, headers: { X-A: \"b\\r\\nX-C: d\" } }\n"],
    ),
    (
        "risky values",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp:\n  url: https://${secrets.probe_password}.example/\n  headers: { Authorization: Bearer abcdefghijkl, X-Key: ghp_0123456789abcdefghij }\n  json: { text: \"Hello {{ name }}\" }\n",
        ],
    ),
];

const USED_BEFORE: &str = "\
name: a
every: 1m
steps:
  - name: wait-until-confirmed
    http:
      url: ${vars.shop}/orders/${order_id}
  - name: create-order
    http: ${vars.shop}/orders
    capture:
      order_id: { json: $.id }
";

/// Mistakes in what is expected.
const EXPECT_CASES: &[Case] = &[
    ("not a map", PROJECT, &["name: a\nevery: 1m\nhttp: https://x.example\nexpect: 200\nwarn: {}\n"]),
    (
        "statuses",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect: { status: 20 }\nwarn: { status: [200, OK] }\nsli: { good: { status: { in: 9xx } } }\n",
        ],
    ),
    (
        "operators",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect:\n  status: { eq: 200 }\n  body: { regex: x, gt: 5, newer_than: 5m }\n  json: { $.a: { user: x }, $.b: { advances: 2h } }\n  size: { gtee: 5 }\n",
        ],
    ),
    (
        "operands",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect:\n  body: 5.0\n  size: { lt: 10KB }\n  redirected: no\n  expires_in: { gte: 21 }\n  chain: trustd\n  protocol: { gte: TLS1.1 }\n  answers: [a]\n  count: { gt: many }\n  modified: { newer_than: 24 }\n",
        ],
    ),
    (
        "more operands",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect:\n  json: { $.a: { in: x }, $.b: { in: [] }, $.c: { gt: x }, $.d: { type: text }, $.e: { len: { gt: x } }, $.f: {}, $.g: { contains: \"\" }, $.h: { exists: false, gt: 1 } }\n  count: [1, 2]\n  body: { starts_with: \"\" }\n",
        ],
    ),
    (
        "selectors",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: https://x.example\nexpect:\n  json: { status: UP, \"$.a[\": x, \"[0].a\": 1 }\n  headers: { \"Content Type\": x }\n  rows: { last: 1, \"[x].a\": 1 }\nwarn: { json: UP, headers: {} }\n",
        ],
    ),
    (
        "later",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: https://x.example\nexpect: { cel: 'true', agree: [status] }\n"],
    ),
    (
        "flow's sli",
        PROJECT,
        &[
            "name: a\nevery: 1m\nsteps: [{ name: x, http: https://x.example }, { name: y, http: https://x.example }]\nsli: { good: { status: 200 } }\n",
        ],
    ),
];

/// What a scenario promises, and where alerts go.
const PROMISE_CASES: &[Case] = &[
    (
        "routes",
        "version: 1\nroutes:\n  a: { alertmanager: localhost }\n  b: { webhok: x }\n  c: {}\n  d: { slack: \"https://hooks.slack.com/services/T0/B0/abcdefgh\" }\n  e: { webhook: { secret: \"${secrets.key}\" } }\n  f: http://x.example\n  \"g h\": { pagerduty: \"${run.id}\" }\n  i: { teams: x }\n",
        &[],
    ),
    (
        "shares",
        PROJECT,
        &[
            "name: a\nevery: 1m\nslo: 99.9%\nhttp: https://x.example\n",
            "name: b\nevery: 1m\nslo: { objective: 0.999 }\nhttp: https://x.example\n",
            "name: c\nevery: 1m\nslo: { objective: 110%, window: 400d }\nhttp: https://x.example\n",
            "name: d\nevery: 1m\nslo: { objective: 0%, window: 30, timezone: Berlin }\nhttp: https://x.example\n",
            "name: e\nevery: 1m\nslo: { objective: 99.99999%, window: moth, timezone: UTC }\nhttp: https://x.example\n",
            "name: f\nevery: 1m\nslo: { target: 99% }\nobjective: 99%\npage: x\nhttp: https://x.example\n",
        ],
    ),
    (
        "alerts",
        "version: 1\nregions: { eu: {}, us: {} }\nroutes: { shop-oncall: { alertmanager: [\"http://a.example:9093\", \"http://b.example:9093\"] } }\n",
        &[
            "name: a\nevery: 1m\nalerts: {}\nquorum: 0\nhttp: https://x.example\n",
            "name: b\nevery: 1m\nalerts: { page: [shop-oncal, shop-oncall, shop-oncall], tickets: x }\nquorum: 3\nhttp: https://y.example\n",
            "name: c\nevery: 1m\nalerts: shop-oncall\nhttp: https://z.example\n",
        ],
    ),
    (
        "too few runs",
        "version: 1\ndefaults: { owner: shop }\nroutes: { r: { alertmanager: \"http://a.example:9093\" } }\n",
        &[
            "name: a\naim: x\nrunbook: https://w.example\nevery: 1m\nslo: { objective: 99.9% }\nalerts: { page: r }\nhttp: https://a.example\n",
            "name: b\naim: x\nrunbook: https://w.example\nevery: 5m\nslo: { objective: 99.95%, window: 1d }\nalerts: { page: r }\nhttp: https://b.example\n",
            "name: c\ncron: \"0 6 * * MON-FRI\"\nslo: { objective: 99% }\nalerts: { ticket: r }\nhttp: https://c.example\n",
        ],
    ),
];

/// YAML's traps.
const YAML_CASES: &[Case] = &[
    ("tab", PROJECT, &["name: a\nhttp:\n\turl: https://x.example\n"]),
    (
        "a tab that begins the line after a text",
        PROJECT,
        &["name: a\nevery: 1m\n\n\thttp: https://x.example\n"],
    ),
    (
        "colon in a text",
        PROJECT,
        &["name: a\naim: Users: they can \"shop\"\nevery: 1m\nhttp: https://x.example\n"],
    ),
    (
        "hole in braces",
        PROJECT,
        &["name: a\nevery: 1m\nhttp:\n  url: ${vars.shop}/\n  headers: { Authorization: Bearer ${token} }\n"],
    ),
    (
        "hole in braces over several lines",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: {\n  url: ${vars.shop}/,\n  method: GET\n}\n"],
    ),
    ("hole in brackets", PROJECT, &["name: a\nevery: 1m\nhttp: ${vars.shop}\nregions: [${vars.shop}]\n"]),
    (
        "braces",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: {{ shop }}/health\n", "name: b\nevery: {{interval}}\nhttp: x\n"],
    ),
    (
        "at every",
        PROJECT,
        &[
            "name: a\ncron: @every 5m\nhttp: https://x.example\n",
            "name: b\nowner: @team\nevery: 1m\nhttp: x\n",
            "name: c\ncron: \"@daily\"\nhttp: https://x.example\n",
        ],
    ),
    ("glob", "version: 1\nscenarios: [*.yaml]\n", &[]),
    ("glob in a list", "version: 1\nscenarios:\n  - **/*.yaml\n", &[]),
    ("alias", PROJECT, &["name: a\nowner: *team\nevery: 1m\nhttp: https://x.example\n"]),
    ("duplicate key", PROJECT, &["name: a\nevery: 1m\nevery: 5m\nhttp: https://x.example\n"]),
    ("two documents", PROJECT, &["name: a\nevery: 1m\nhttp: https://x.example\n---\nname: b\n"]),
    ("tag", PROJECT, &["name: !!str a\nevery: 1m\nhttp: https://x.example\n"]),
    ("merge key", PROJECT, &["name: a\nevery: 1m\nhttp:\n  <<: { url: https://x.example }\n"]),
    ("complex key", PROJECT, &["name: a\n? [a, b]\n: c\n"]),
    ("empty", PROJECT, &["", "# nothing\n"]),
    ("quote", PROJECT, &["name: \"a\nevery: 1m\nhttp: https://x.example\n"]),
    ("bracket", PROJECT, &["name: a\nregions: [eu, us\nevery: 1m\n"]),
    ("indentation", PROJECT, &["name: a\n  every: 1m\nhttp: x\n"]),
    ("no colon", PROJECT, &["name: a\nevery 1m\nhttp: x\n"]),
    ("escape", PROJECT, &["name: a\naim: \"\\d\"\nevery: 1m\nhttp: https://x.example\n"]),
    ("no space after a key", PROJECT, &["name:a\nevery: 1m\nhttp: x\n", "name: b\nevery:1m\nhttp: x\n"]),
    ("a sign of other languages", PROJECT, &["name = a\nevery = 1m\n"]),
    (
        "a sign for an operator",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: https://x.example\nexpect:\n  status: >= 200\n"],
    ),
    (
        "a time for a duration",
        PROJECT,
        &["name: a\nevery: 1:30\ntimeout: 00:00:10\nhttp: https://x.example\n"],
    ),
    (
        "numbers as people group them",
        PROJECT,
        &["name: a\nevery: 1m\nhttp: { url: https://x.example, redirects: 1_0, json: { zip: 01234 } }\n"],
    ),
    (
        "spaces that are none",
        PROJECT,
        &["name: a\nevery:\u{a0}1m\nhttp: https://x.example\n", "name: a\n\u{a0}\u{a0}every: 1m\nhttp: x\n"],
    ),
    ("odd quotes", PROJECT, &["name: a\naim: “Users can shop”\nevery: 1m\nhttp: https://x.example\n"]),
    (
        "cut off",
        PROJECT,
        &[
            "name: a\naim: We are #1\nowner: #team\nevery: 1m\nhttp: https://x.example #top\nlabels: { a: b } #fine\n",
        ],
    ),
    (
        "a name for a value",
        PROJECT,
        &["name: a\naim: &co and friends\nowner: &team\nevery: 1m\nhttp: https://x.example\n"],
    ),
    (
        "yes, no and versions",
        PROJECT,
        &[
            "name: a\nevery: 1m\nhttp: { url: https://x.example, json: { on: yes, country: NO, v: 1.10, price: 1.5 } }\nexpect: { json: { $.a: off, $.b: 2.0, $.c: { gt: 1.50 } } }\n",
        ],
    ),
    (
        "other files are still looked at",
        PROJECT,
        &["name: [\n", "name: b\nevery: 1m\nhttp: https://x.example\nexpct: {}\n"],
    ),
    (
        "shown safely",
        PROJECT,
        &["name: a\nevery: 1m\n\"k\\e[31m\": \u{202e}x\nhttp: https://日本語.example/\t\u{7}{{x}}\n"],
    ),
];

fn all(cases: &[Case]) -> String {
    let mut out = String::new();
    for (title, project, scenarios) in cases {
        let shown = rendered(project, scenarios);
        assert!(!shown.is_empty(), "{title} is found wrong");
        writeln!(out, "## {title}\n\n{shown}").unwrap();
    }
    out
}

#[test]
fn mistakes_in_the_project_file() {
    insta::assert_snapshot!("project", all(PROJECT_CASES));
}

#[test]
fn mistakes_in_the_head_of_a_scenario() {
    insta::assert_snapshot!("scenario", all(SCENARIO_CASES));
}

#[test]
fn mistakes_in_steps() {
    insta::assert_snapshot!("step", all(STEP_CASES));
}

#[test]
fn mistakes_in_what_is_expected() {
    insta::assert_snapshot!("expect", all(EXPECT_CASES));
}

#[test]
fn mistakes_in_what_is_promised() {
    insta::assert_snapshot!("promise", all(PROMISE_CASES));
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let file = "name: a\nevery: 1m # often\naim: >\n  Two\n  lines.\nhttp: https://x.example\nexpct: 1\n";
    let windows = format!("\u{feff}{}", file.replace('\n', "\r\n"));
    let place = |text: &str| {
        let compiled = compiled("", &[text]);
        let found = compiled.diagnostics.iter().map(|one| {
            let (_, at) = crate::render::locate(one.span, &compiled.sources);
            (one.code, at.line, at.column)
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(place(file), [("E102", 7, 1)]);
    assert_eq!(place(&windows), [("E102", 7, 1)]);
}

#[test]
fn traps_of_yaml() {
    insta::assert_snapshot!("yaml", all(YAML_CASES));
}

#[test]
fn every_code_of_a_message_is_in_the_table() {
    let tables = [PROJECT_CASES, SCENARIO_CASES, STEP_CASES, EXPECT_CASES, PROMISE_CASES, YAML_CASES];
    let cases = tables.into_iter().flatten();
    let shown: BTreeSet<&str> = cases
        .flat_map(|(_, project, scenarios)| compiled(project, scenarios).diagnostics)
        .map(|diagnostic| diagnostic.code)
        .chain(super::reuse::codes())
        .collect();
    let known: BTreeSet<&str> = crate::codes::CODES.iter().map(|code| code.code).collect();
    assert!(shown.is_subset(&known), "{:?}", shown.difference(&known).collect::<Vec<_>>());
    assert!(crate::codes::CODES.is_sorted_by_key(|code| code.code));
    assert!(crate::codes::explain("e102").is_some_and(|code| code.title == "unknown key"));
    assert!(crate::codes::explain("E999").is_none());
}

#[test]
fn a_file_that_is_not_utf8() {
    let diagnostic = crate::tree::not_utf8(0, 7);
    assert_eq!((diagnostic.code, diagnostic.span.start), ("E001", 7));
}

#[test]
fn mistakes_as_json() {
    let compiled = compiled(PROJECT, &[USED_BEFORE]);
    let json = crate::render::json(&compiled.diagnostics, &compiled.sources);
    let one = &json[0];
    assert_eq!(one["code"], "E201");
    assert_eq!(one["severity"], "error");
    assert_eq!(one["at"]["file"], "scenarios/a.yaml");
    assert_eq!((one["at"]["line"].as_u64(), one["at"]["column"].as_u64()), (Some(6), Some(34)));
    assert_eq!(one["other"]["line"], 10);
    assert_eq!(one["help"][0], "move `create-order` before `wait-until-confirmed`");
}

#[test]
fn colours_stand_around_the_same_text() {
    let compiled = compiled(PROJECT, &[USED_BEFORE]);
    let coloured =
        crate::render::human(&compiled.diagnostics, &compiled.sources, &crate::render::Style::COLOUR);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    plain.push_str(rest);
    let trimmed: String = plain.lines().fold(String::new(), |out, line| out + line.trim_end() + "\n");
    assert_eq!(trimmed, rendered(PROJECT, &[USED_BEFORE]));
}
