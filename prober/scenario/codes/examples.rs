//! A wrong and a right example for every code.
//!
//! Each stands, word for word, in a file of `scenarios/broken/codes`, where a test validates it, and mends it.

use super::Example;

/// Every example, sorted by its code.
#[rustfmt::skip]
pub const EXAMPLES: &[Example] = &[
    Example {
        code: "E001",
        wrong: "aim: Anyone can open the café.   # saved as Latin-1",
        right: "aim: Anyone can open the café.   # saved as UTF-8",
    },
    Example {
        code: "E002",
        wrong: "# …and 1 MiB of text",
        right: "# the same in several files",
    },
    Example {
        code: "E003",
        wrong: r#"owner: "team-shop"#,
        right: r#"owner: "team-shop""#,
    },
    Example {
        code: "E004",
        wrong: "  json: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        right: "  json: [1, 2]",
    },
    Example {
        code: "E005",
        wrong: r"    a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
    d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
    e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]",
        right: "    a: [1, 2, 3]",
    },
    Example {
        code: "E006",
        wrong: "owner: !!str 12",
        right: r#"owner: "12""#,
    },
    Example {
        code: "E007",
        wrong: r"every: 1m
every: 5m",
        right: "every: 5m",
    },
    Example {
        code: "E008",
        wrong: r"http: ${vars.shop}/
---
name: another",
        right: "http: ${vars.shop}/",
    },
    Example {
        code: "E009",
        wrong: r"http:
	url: ${vars.shop}/",
        right: r"http:
  url: ${vars.shop}/",
    },
    Example {
        code: "E010",
        wrong: "  headers: { From: ${vars.mail} }",
        right: r#"  headers: { From: "${vars.mail}" }"#,
    },
    Example {
        code: "E011",
        wrong: "http: {{ shop }}/cart",
        right: "http: ${vars.shop}/cart",
    },
    Example {
        code: "E012",
        wrong: "aim: Users: they can shop.",
        right: r#"aim: "Users: they can shop.""#,
    },
    Example {
        code: "E013",
        wrong: "owner: @team-shop",
        right: r#"owner: "@team-shop""#,
    },
    Example {
        code: "E014",
        wrong: r#"http:
  <<: { url: "${vars.shop}/" }"#,
        right: r"http:
  url: ${vars.shop}/",
    },
    Example {
        code: "E015",
        wrong: "# The scenario comes tomorrow.",
        right: r"name: example
every: 1m
http: ${vars.shop}/",
    },
    Example {
        code: "E016",
        wrong: "owner: *team",
        right: r#"owner: "*team""#,
    },
    Example {
        code: "E017",
        wrong: "  follow: 05",
        right: "  follow: 5",
    },
    Example {
        code: "E018",
        wrong: "owner: &shop",
        right: r#"owner: "&shop""#,
    },
    Example {
        code: "E019",
        wrong: "owner: team-shop",
        right: "owner: team-shop",
    },
    Example {
        code: "E020",
        wrong: "scenarios/shop.yaml -> ../old/shop.yaml   # a link to nowhere",
        right: "scenarios/shop.yaml",
    },
    Example {
        code: "E021",
        wrong: "slo: { objective: 99,9% }",
        right: "slo: { objective: 99.9% }",
    },
    Example {
        code: "E101",
        wrong: r"name: example
http: ${vars.shop}/",
        right: r"name: example
every: 1m
http: ${vars.shop}/",
    },
    Example {
        code: "E102",
        wrong: "expect: { statuss: 200 }",
        right: "expect: { status: 200 }",
    },
    Example {
        code: "E103",
        wrong: "owner: [team-shop]",
        right: "owner: team-shop",
    },
    Example {
        code: "E104",
        wrong: "  follow: 99",
        right: "  follow: 5",
    },
    Example {
        code: "E105",
        wrong: "on_failure: proceed",
        right: "on_failure: continue",
    },
    Example {
        code: "E106",
        wrong: r#"expect: { cel: "status == 200" }"#,
        right: "expect: { status: 200 }",
    },
    Example {
        code: "E107",
        wrong: "name: Shop Home",
        right: r"name: shop-home
title: Shop Home",
    },
    Example {
        code: "E108",
        wrong: r"steps:
  - http: ${vars.shop}/
  - http: ${vars.shop}/cart",
        right: r"steps:
  - name: home
    http: ${vars.shop}/
  - name: cart
    http: ${vars.shop}/cart",
    },
    Example {
        code: "E109",
        wrong: "timeout: 10",
        right: "timeout: 10s",
    },
    Example {
        code: "E110",
        wrong: "  body_limit: 64 kilobyte",
        right: "  body_limit: 64kB",
    },
    Example {
        code: "E111",
        wrong: r#"every: 1m
cron: "0 6 * * *""#,
        right: r#"cron: "0 6 * * *""#,
    },
    Example {
        code: "E112",
        wrong: r"every: 1m
timeout: 5m",
        right: r"every: 10m
timeout: 5m",
    },
    Example {
        code: "E113",
        wrong: "timezone: Berlin",
        right: "timezone: Europe/Berlin",
    },
    Example {
        code: "E114",
        wrong: "regions: [mars]",
        right: "regions: [local]",
    },
    Example {
        code: "E115",
        wrong: r"steps:
  - http: ${vars.shop}/
expect: { status: 200 }",
        right: r"steps:
  - http: ${vars.shop}/
    expect: { status: 200 }",
    },
    Example {
        code: "E116",
        wrong: r"http: ${vars.shop}/
tcp: ${vars.mail}",
        right: r"steps:
  - http: ${vars.shop}/
  - tcp: ${vars.mail}",
    },
    Example {
        code: "E117",
        wrong: "labels: { a: x, b: x, c: x, d: x, e: x, f: x, g: x, h: x, i: x, j: x, k: x }",
        right: r#"labels: { tier: "1", journey: purchase }"#,
    },
    Example {
        code: "E118",
        wrong: "cron: */5 * * * *",
        right: r#"cron: "*/5 * * * *""#,
    },
    Example {
        code: "E119",
        wrong: r#"cron: "0 0 30 2 *""#,
        right: r#"cron: "0 0 28 2 *""#,
    },
    Example {
        code: "E120",
        wrong: "version: 2",
        right: "version: 1",
    },
    Example {
        code: "E121",
        wrong: "labels: { job: shop }",
        right: "labels: { part: shop }",
    },
    Example {
        code: "E122",
        wrong: "runbook: wiki/shop",
        right: "runbook: https://wiki.example/shop",
    },
    Example {
        code: "E123",
        wrong: "serve: { listen: localhost }",
        right: r#"serve: { listen: "127.0.0.1:9899" }"#,
    },
    Example {
        code: "E124",
        wrong: "network: { allow: [10.0.0.5/8] }",
        right: "network: { allow: [10.0.0.0/8] }",
    },
    Example {
        code: "E131",
        wrong: "dns: https://shop.example/",
        right: "dns: shop.example",
    },
    Example {
        code: "E132",
        wrong: "file: file:///var/exports/orders.csv",
        right: "file: /var/exports/orders.csv",
    },
    Example {
        code: "E133",
        wrong: r#"sql: { dsn: "oracle://probe@db.example/shop", query: select 1 }"#,
        right: r#"sql: { dsn: "postgresql://probe@db.example/shop", query: select 1 }"#,
    },
    Example {
        code: "E134",
        wrong: "tcp: mail.example",
        right: "tcp: mail.example:25",
    },
    Example {
        code: "E135",
        wrong: r#"tcp: { address: "mail.example:25", read_until: "220", read: false }"#,
        right: r#"tcp: { address: "mail.example:25", read_until: "220" }"#,
    },
    Example {
        code: "E136",
        wrong: r"  send: 'QUIT\q'",
        right: r"  send: 'QUIT\r\n'",
    },
    Example {
        code: "E137",
        wrong: r#"  send: "0d0""#,
        right: r#"  send: "0d0a""#,
    },
    Example {
        code: "E138",
        wrong: "retry: { on: [connect, timeout] }",
        right: "retry: { on: [connect, dns] }",
    },
    Example {
        code: "E140",
        wrong: "exporters: [csv: { directory: out }]",
        right: "exporters: [ndjson: { directory: out }]",
    },
    Example {
        code: "E141",
        wrong: "exporters: [ndjson: { folder: out }]",
        right: "exporters: [ndjson: { directory: out }]",
    },
    Example {
        code: "E151",
        wrong: "use: rest-helth",
        right: "use: rest-health",
    },
    Example {
        code: "E152",
        wrong: r#"with: { url: "https://shop.example/health", limt: 1s }"#,
        right: r#"with: { url: "https://shop.example/health", limit: 1s }"#,
    },
    Example {
        code: "E153",
        wrong: "use: rest-health",
        right: r#"use: rest-health
with: { url: "https://shop.example/health" }"#,
    },
    Example {
        code: "E154",
        wrong: r#"  limit: { type: duration, default: "${params.url}" }"#,
        right: "  limit: { type: duration, default: 300ms }",
    },
    Example {
        code: "E155",
        wrong: "apiVersion: v1",
        right: "apiVersion: prober.io/v1",
    },
    Example {
        code: "E156",
        wrong: "  use: other-template",
        right: "  owner: team-shop",
    },
    Example {
        code: "E157",
        wrong: r#"matrix: { service: [cart, "search/fast"] }"#,
        right: "matrix: { service: [cart, search-fast] }",
    },
    Example {
        code: "E158",
        wrong: r#"  - { name: weekly database window, cron: "0 2 * * SUN" }"#,
        right: r#"  - { name: weekly database window, cron: "0 2 * * SUN", duration: 1h }"#,
    },
    Example {
        code: "E159",
        wrong: "was: example",
        right: "was: old-example",
    },
    Example {
        code: "E160",
        wrong: "slo: { objective: 99.9 }",
        right: "slo: { objective: 99.9% }",
    },
    Example {
        code: "E161",
        wrong: "slo: { objective: 100% }",
        right: "slo: { objective: 99.9% }",
    },
    Example {
        code: "E162",
        wrong: "alerts: { ticket: shop-onkall }",
        right: "alerts: { ticket: shop-oncall }",
    },
    Example {
        code: "E163",
        wrong: r"routes:
  shop-oncall: { email: oncall@shop.example }",
        right: r#"routes:
  shop-oncall: { alertmanager: "http://127.0.0.1:9093" }"#,
    },
    Example {
        code: "E164",
        wrong: "quorum: 2",
        right: "quorum: 1",
    },
    Example {
        code: "E165",
        wrong: r"routes:
  shop-oncall: { pagerduty: 0123456789abcdef0123456789abcdef }",
        right: r#"secrets:
  pagerduty_key: { env: PAGERDUTY_KEY }
routes:
  shop-oncall: { pagerduty: "${secrets.pagerduty_key}" }"#,
    },
    Example {
        code: "E166",
        wrong: "scenarios: [shop-hame]",
        right: "scenarios: [shop-home]",
    },
    Example {
        code: "E167",
        wrong: "    to: 2026-03-01T21:40:00+01:00",
        right: "    to: 2026-03-01T22:40:00+01:00",
    },
    Example {
        code: "E171",
        wrong: "http: shop.example/cart",
        right: "http: https://shop.example/cart",
    },
    Example {
        code: "E172",
        wrong: "  method: get",
        right: "  method: GET",
    },
    Example {
        code: "E173",
        wrong: r#"  headers: { "Shop Id": "7" }"#,
        right: r#"  headers: { Shop-Id: "7" }"#,
    },
    Example {
        code: "E175",
        wrong: r#"  json: { a: 1 }
  form: { a: "1" }"#,
        right: "  json: { a: 1 }",
    },
    Example {
        code: "E176",
        wrong: "  body_limit: 128MiB",
        right: "  body_limit: 4MiB",
    },
    Example {
        code: "E177",
        wrong: r#"  insecure: "yes""#,
        right: r#"  insecure: "self-signed until the move in March""#,
    },
    Example {
        code: "E178",
        wrong: "  host: https://shop.example",
        right: "  host: shop.example",
    },
    Example {
        code: "E179",
        wrong: r#"http: { url: "http://127.0.0.1/", ip: "6" }"#,
        right: r#"http: { url: "http://127.0.0.1/", ip: "4" }"#,
    },
    Example {
        code: "E180",
        wrong: r#"  credentials: "AKIDEXAMPLE:wJalrXUtnFEMI""#,
        right: "  credentials: ${secrets.export_reader}",
    },
    Example {
        code: "E181",
        wrong: "  region: Frankfurt",
        right: "  region: eu-central-1",
    },
    Example {
        code: "E182",
        wrong: "  bucket: exports/orders",
        right: r"  bucket: exports
  prefix: orders/",
    },
    Example {
        code: "E183",
        wrong: r"    basic: { user: probe, password: '${secrets.export_reader}' }
    bearer: ${secrets.export_reader}",
        right: "    bearer: ${secrets.export_reader}",
    },
    Example {
        code: "E184",
        wrong: "  proxy: proxy.example:3128",
        right: "  proxy: http://proxy.example:3128",
    },
    Example {
        code: "E191",
        wrong: "# Only public addresses may be probed.",
        right: r#"network: { allow: ["10.20.0.5:8080"] }"#,
    },
    Example {
        code: "E201",
        wrong: r"steps:
  - name: look
    http: ${vars.shop}/orders/${order_id}
  - name: order
    http: ${vars.shop}/orders
    capture: { order_id: { json: $.id } }",
        right: r"steps:
  - name: order
    http: ${vars.shop}/orders
    capture: { order_id: { json: $.id } }
  - name: look
    http: ${vars.shop}/orders/${order_id}",
    },
    Example {
        code: "E202",
        wrong: "http: ${vars.shpo}/",
        right: "http: ${vars.shop}/",
    },
    Example {
        code: "E203",
        wrong: r#"  headers: { Shop-Key: "${secrets.shop_key}" }"#,
        right: r#"  headers: { Shop-Key: "${secrets.warehouse_dsn}" }"#,
    },
    Example {
        code: "E204",
        wrong: "http: ${vars.shop}/${env.HOME}",
        right: "http: ${vars.shop}/${run.id}",
    },
    Example {
        code: "E205",
        wrong: "http: ${vars.shop/",
        right: "http: ${vars.shop}/",
    },
    Example {
        code: "E206",
        wrong: "http: ${vars.shop}/?q=${vars.folder | encode}",
        right: "http: ${vars.shop}/?q=${vars.folder | urlencode}",
    },
    Example {
        code: "E207",
        wrong: "owner: team-${run.id}",
        right: "owner: team-${vars.mail}",
    },
    Example {
        code: "E208",
        wrong: r"regions:
  eu: { vars: { shop: https://eu.shop.example } }
  us: {}",
        right: r"regions:
  eu: { vars: { shop: https://eu.shop.example } }
  us: { vars: { shop: https://us.shop.example } }",
    },
    Example {
        code: "E209",
        wrong: r#"  headers: { Shop-Id: "7\r\nShop-Admin: yes" }"#,
        right: r#"  headers: { Shop-Id: "7", Shop-Admin: "yes" }"#,
    },
    Example {
        code: "E210",
        wrong: r"vars: { hosts: [a.example, b.example] }
http: ${vars.shop}/",
        right: r"vars: { host: a.example }
http: https://${vars.host}/",
    },
    Example {
        code: "E301",
        wrong: r"expect: { body: { matches: 'order-(\d+' } }",
        right: r"expect: { body: { matches: 'order-(\d+)' } }",
    },
    Example {
        code: "E302",
        wrong: r#"expect: { json: { "$.items[": 1 } }"#,
        right: r#"expect: { json: { "$.items[0]": 1 } }"#,
    },
    Example {
        code: "E303",
        wrong: r#"expect: { headers: { "Content Type": text/html } }"#,
        right: "expect: { headers: { Content-Type: text/html } }",
    },
    Example {
        code: "E304",
        wrong: "expect: { rows: { last: 1 } }",
        right: r#"expect: { rows: { "[0].last": 1 } }"#,
    },
    Example {
        code: "E305",
        wrong: r#"expect: { body: { contains: "" } }"#,
        right: "expect: { body: { contains: Welcome } }",
    },
    Example {
        code: "E306",
        wrong: "expect: { status: { eq: 200 } }",
        right: "expect: { status: { equals: 200 } }",
    },
    Example {
        code: "E307",
        wrong: "expect: { status: 20x }",
        right: "expect: { status: 2xx }",
    },
    Example {
        code: "E308",
        wrong: "expect: { latency: { contains: 300ms } }",
        right: "expect: { latency: { lt: 300ms } }",
    },
    Example {
        code: "E309",
        wrong: "    capture: { id: $.id }",
        right: "    capture: { id: { json: $.id } }",
    },
    Example {
        code: "E310",
        wrong: "expect: { redirects: { gte: 5, lt: 5 } }",
        right: "expect: { redirects: { gte: 1, lt: 5 } }",
    },
    Example {
        code: "E311",
        wrong: r"http: HEAD ${vars.shop}/orders
expect: { json: { $.status: UP } }",
        right: r"http: GET ${vars.shop}/orders
expect: { json: { $.status: UP } }",
    },
    Example {
        code: "E312",
        wrong: r#"expect: { xml: { "/feed/entry[0]/title": Orders } }"#,
        right: r#"expect: { xml: { "/feed/entry[1]/title": Orders } }"#,
    },
    Example {
        code: "E313",
        wrong: r"expect: { css: { h1..title: Shop } }",
        right: r"expect: { css: { h1.title: Shop } }",
    },
    Example {
        code: "E314",
        wrong: r"    requird: [status]",
        right: r"    required: [status]",
    },
    Example {
        code: "W301",
        wrong: "capture: { id: { json: $.id } }",
        right: "expect: { json: { $.id: { exists: true } } }",
    },
    Example {
        code: "W302",
        wrong: "http: https://${secrets.warehouse_dsn}.shop.example/",
        right: "http: https://eu.shop.example/",
    },
    Example {
        code: "W303",
        wrong: "  headers: { Authorization: Bearer tea-for-two-and-two-for-tea }",
        right: r#"  headers: { Authorization: "Bearer ${secrets.warehouse_dsn}" }"#,
    },
    Example {
        code: "W304",
        wrong: r#"  json: { text: "Hello {{ name }}" }"#,
        right: r#"  json: { text: "Hello ${vars.mail}" }"#,
    },
    Example {
        code: "W305",
        wrong: r"  - name: again
    http: ${vars.shop}/orders
    capture: { id: { json: $.id } }",
        right: r"  - name: again
    http: ${vars.shop}/orders",
    },
    Example {
        code: "W306",
        wrong: r#"http: { method: POST, url: "${vars.shop}/orders", json: { note: "${run.id}" } }
retry: { on: [connect, timeout] }"#,
        right: r#"http: { method: POST, url: "${vars.shop}/orders", json: { note: "${run.id}" } }
retry: { on: [connect, dns] }"#,
    },
    Example {
        code: "W307",
        wrong: "sli: { retried: bad }",
        right: r"sli: { retried: bad }
retry: { attempts: 2 }",
    },
    Example {
        code: "W310",
        wrong: "slo: { objective: 99.9% }",
        right: "slo: { objective: 99.5% }",
    },
    Example {
        code: "W311",
        wrong: r"every: 1h
slo: { objective: 99.9% }",
        right: r"every: 1m
slo: { objective: 99.9% }",
    },
    Example {
        code: "W312",
        wrong: "slo: { objective: 0.1% }",
        right: "slo: { objective: 99.9% }",
    },
    Example {
        code: "W320",
        wrong: "owner: team #7",
        right: r#"owner: "team #7""#,
    },
    Example {
        code: "W321",
        wrong: "owner: “team-shop”",
        right: r#"owner: "team-shop""#,
    },
    Example {
        code: "W322",
        wrong: "  json: { synthetic: yes }",
        right: "  json: { synthetic: true }",
    },
    Example {
        code: "W323",
        wrong: "  json: { version: 1.10 }",
        right: r#"  json: { version: "1.10" }"#,
    },
    Example {
        code: "W324",
        wrong: "owner: &r d",
        right: r#"owner: "&r d""#,
    },
    Example {
        code: "W330",
        wrong: "timeout: 10s # prober: allow W340 because the shop answers at once",
        right: "timeout: 10s",
    },
    Example {
        code: "W331",
        wrong: "timeout: 10s # prober: allow W399 because the shop answers at once",
        right: "timeout: 10s",
    },
    Example {
        code: "W332",
        wrong: r"# prober: allow W340
timeout: 60s",
        right: r"# prober: allow W340 because the shop answers at once
timeout: 60s",
    },
    Example {
        code: "W340",
        wrong: "timeout: 60s",
        right: "timeout: 30s",
    },
    Example {
        code: "W341",
        wrong: r"every: 1s
timeout: 500ms",
        right: r"every: 10s
timeout: 5s",
    },
    Example {
        code: "W342",
        wrong: "expect: { body: { matches: 'a*' } }",
        right: "expect: { body: { matches: 'a+' } }",
    },
    Example {
        code: "W343",
        wrong: "expect: { latency: { gte: 0s } }",
        right: "expect: { latency: { lt: 2s } }",
    },
    Example {
        code: "W344",
        wrong: "expect: { json: { $.id: { matches: '[0-9a-f]{8}' } } }",
        right: "expect: { json: { $.id: { matches: '^[0-9a-f]{8}$' } } }",
    },
    Example {
        code: "W345",
        wrong: "  json: { sku: TEA-GREEN }",
        right: r#"  json: { sku: TEA-GREEN, note: "synthetic ${run.id}" }"#,
    },
    Example {
        code: "W346",
        wrong: "  url: http://shop.example/",
        right: "  url: https://shop.example/",
    },
    Example {
        code: "W347",
        wrong: r#"  insecure: "self-signed until the move in March""#,
        right: "  ca: certs/shop-ca.pem",
    },
    Example {
        code: "W348",
        wrong: "alerts: { page: shop-oncall }",
        right: r"owner: team-shop
runbook: https://wiki.example/shop
alerts: { page: shop-oncall }",
    },
    Example {
        code: "W349",
        wrong: r"name: cart
aim: The cart answers.
every: 1m
http: ${vars.shop}/",
        right: r"name: cart
aim: The cart answers.
every: 1m
http: ${vars.shop}/cart",
    },
    Example {
        code: "W350",
        wrong: r"  url: { type: url }
  limit: { type: duration, default: 300ms }",
        right: "  url: { type: url }",
    },
    Example {
        code: "W351",
        wrong: r"vars: { shop: https://shop.example }
http: ${vars.shop}/",
        right: r"vars: { front: https://shop.example }
http: ${vars.front}/?from=${vars.shop}",
    },
    Example {
        code: "W352",
        wrong: r"vars: { path: /cart }
http: ${vars.shop}/",
        right: r"vars: { path: /cart }
http: ${vars.shop}${vars.path}",
    },
    Example {
        code: "W353",
        wrong: r"every: 1m
http: https://shop.example/health",
        right: "use: rest-health",
    },
    Example {
        code: "W354",
        wrong: r"matrix:
  shelf: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
  place: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]",
        right: r"matrix:
  shelf: [1, 2, 3]
  place: [1, 14]",
    },
    Example {
        code: "W355",
        wrong: "    duration: 24h",
        right: "    duration: 1h",
    },
    Example {
        code: "W356",
        wrong: r"    from: 2020-01-01T22:00:00+01:00
    to: 2020-01-02T01:00:00+01:00",
        right: r"    from: 2099-01-01T22:00:00+01:00
    to: 2099-01-02T01:00:00+01:00",
    },
    Example {
        code: "W357",
        wrong: r#"scenarios: ["scenarios/*.yaml", "team-b/*.yaml"]"#,
        right: r#"scenarios: ["scenarios/*.yaml"]"#,
    },
    Example {
        code: "W358",
        wrong: r#"scenarios: ["scenarios/*.yaml"]"#,
        right: r#"scenarios: ["scenarios/*.yaml", "scenarios/*.yml"]"#,
    },
    Example {
        code: "W359",
        wrong: r#"cron: "0 9 1-7 * MON""#,
        right: r#"cron: "0 9 * * MON#1""#,
    },
    Example {
        code: "W360",
        wrong: "expect: { body: { not: { matches: /error/i } } }",
        right: "expect: { body: { not: { matches: '(?i)error' } } }",
    },
    Example {
        code: "W361",
        wrong: "http: ${vars.shop}/#/checkout",
        right: "http: ${vars.shop}/checkout",
    },
    Example {
        code: "W362",
        wrong: "expect: { latency: { gt: 300ms } }",
        right: "expect: { latency: { lt: 300ms } }",
    },
    Example {
        code: "W363",
        wrong: "tls: mail.example:587",
        right: "tls: { address: mail.example:587, starttls: smtp }",
    },
    Example {
        code: "W364",
        wrong: "http: { url: https://shop.example/login, json: { user: probe } }",
        right: "http: { method: POST, url: https://shop.example/login, json: { user: probe } }",
    },
];
