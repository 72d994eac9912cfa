//! `sql` against PostgreSQL, with a password that nobody may see.

use testkit::servers::Postgres;

use crate::support::{Project, assert_said, event};

/// The password of the role `guarded`.
const SECRET: &str = "let-me-in";
const SECRET_IN_BASE64: &str = "bGV0LW1lLWlu";
const WRONG: &str = "not-the-password";

/// A server with one table that the role may read, an old, an empty and a hidden one.
fn warehouse() -> Postgres {
    let postgres = Postgres::start();
    postgres.execute(
        "create schema mart; create table mart.orders(id int, updated_at timestamptz);
         insert into mart.orders values (1, now() - interval '90 seconds');
         create table mart.old(updated_at timestamptz); insert into mart.old values (now() - interval '3 days');
         create table mart.empty(updated_at timestamptz); create table mart.hidden(id int);
         grant usage on schema mart to guarded; grant select on mart.orders, mart.old, mart.empty to guarded",
    );
    postgres
}

/// A step that signs in with the whole dsn as a secret.
fn sql(query: &str, expect: &str) -> String {
    format!("sql: {{ dsn: \"${{secrets.dsn}}\", query: \"{query}\" }}\ntimeout: 10s\n{expect}")
}

fn last(table: &str) -> String {
    format!("select max(updated_at) as last from mart.{table}")
}

fn project(postgres: &Postgres) -> Project {
    let fresh = |limit: &str| {
        format!("expect: {{ rows: {{ \"[0].last\": {{ newer_than: {limit} }} }}, row_count: 1 }}")
    };
    // The password alone as a secret: the server shows it to a scenario that uses it, and it is masked there too.
    let parts = format!("postgresql://guarded:${{secrets.password}}@{}/postgres", postgres.addr());
    let in_parts = |body: String| body.replace("${secrets.dsn}", &parts);
    let scenarios = [
        ("fresh", sql(&last("orders"), &fresh("1h"))),
        ("stale", sql(&last("old"), &fresh("24h"))),
        ("empty", sql(&last("empty"), &fresh("24h"))),
        (
            "exact",
            sql(
                "select 12345678901234567.89::numeric(20,2) as a, 0.1::numeric as b",
                "expect: { rows: { \"[0].a\": { gt: 12345678901234567 }, \"[0].b\": 0.1 } }",
            ),
        ),
        (
            "rounded",
            sql(
                "select 12345678901234567.89::numeric(20,2) as a",
                "expect: { rows: { \"[0].a\": \"12345678901234567.88\" } }",
            ),
        ),
        ("denied", sql("select * from mart.hidden", "")),
        ("syntax", sql("selekt 1", "")),
        ("writes", sql("delete from mart.orders", "")),
        ("sleeps", sql("select pg_sleep(60)", "").replace("10s", "1s")),
        ("canceled", sql("select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", "")),
        ("parts", in_parts(sql(&last("orders"), ""))),
        (
            "echo",
            in_parts(sql("select 'let-me' || '-in' as leak", "expect: { rows: { \"[0].leak\": nothing } }")),
        ),
        ("wrong", sql("select 1", "").replace("secrets.dsn", "secrets.wrong")),
    ];
    let secrets =
        "secrets: { dsn: { env: DSN }, password: { env: ROLE_PASSWORD }, wrong: { file: keys/wrong } }\n";
    let mut project = Project::with(secrets, &scenarios);
    project.env("DSN", &postgres.url("guarded"));
    project.env("ROLE_PASSWORD", SECRET);
    project.write("keys/wrong", &format!("{}\n", postgres.url("guarded").replace(SECRET, WRONG)));
    project
}

#[test]
fn freshness_from_a_table_and_every_refusal() {
    let postgres = warehouse();
    let (events, ran) = project(&postgres).run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("fresh", "good ok");
    let age = |name: &str| event(&events, name)["prober.freshness.age"].as_f64().unwrap();
    assert!((90.0..200.0).contains(&age("fresh")), "{}", age("fresh"));
    check("stale", "bad stale stale");
    assert!((259_200.0..259_400.0).contains(&age("stale")), "{}", age("stale"));
    check("empty", "bad failed assert.rows");
    check("exact", "good ok");
    check("rounded", "bad failed assert.rows");
    check("denied", "bad failed");
    check("syntax", "bad failed");
    check("writes", "bad failed");
    // Somebody there ended it, long before its time was over.
    check("canceled", "bad failed sql.57014");
    check("sleeps", "bad failed timeout");
    check("parts", "good ok");
    check("echo", "bad failed assert.rows");
    check("wrong", "bad failed");
    assert_eq!(postgres.execute("select count(*) from mart.orders"), "1", "the transaction is read-only");
}

#[test]
fn a_password_shows_nowhere() {
    let postgres = warehouse();
    let project = project(&postgres);
    let mut shown = Vec::new();
    for args in [
        &["run", "--format", "json"][..],
        &["run", "-v"],
        &["run", "--format", "jsonl"],
        &["list", "--format", "json"],
        &["list"],
        &["validate"],
    ] {
        let ran = project.prober(args);
        shown.extend([ran.out, ran.err]);
    }
    project.scenario("soon", &sql("selekt 2", "every: 1s").replace("10s", "900ms"));
    project.scenario(
        "soon-wrong",
        &sql("select 1", "every: 1s").replace("10s", "900ms").replace("secrets.dsn", "secrets.wrong"),
    );
    let serving = project.serve();
    let api = serving.api();
    api.until_events("scenario=soon", 2);
    api.until_events("scenario=soon-wrong", 2);
    for path in [
        "/",
        "/metrics",
        "/api/v1/events?limit=1000",
        "/api/v1/scenarios",
        "/scenarios/soon",
        "/scenarios/soon-wrong",
    ] {
        shown.push(api.get(path));
    }
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    shown.push(err);
    for name in ["soon", "soon-wrong"] {
        let ran = project.prober(&["explain", name]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        shown.extend([ran.out, ran.err]);
    }
    assert!(shown.iter().any(|text| text.contains("•••")), "masked values show as such");
    for text in &shown {
        for secret in [SECRET, WRONG, SECRET_IN_BASE64] {
            assert!(!text.contains(secret), "a secret shows: {}", near(text, secret));
        }
    }
    for folder in ["prober-data/events", "prober-data"] {
        for entry in std::fs::read_dir(project.path(folder)).unwrap() {
            let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
            assert!(
                !bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()),
                "a secret is stored"
            );
        }
    }
}

fn near(text: &str, found: &str) -> String {
    let before = text.split(found).next().unwrap_or_default();
    before.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect()
}
