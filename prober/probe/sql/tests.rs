//! The kind `sql` against a real PostgreSQL and against servers that only pretend.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::template::{Hole, Part, Secrets, Template};
use scenario::value::{Reading, Selector, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::Postgres;

use super::KIND;
use super::dsn::{Dsn, DsnError};
use crate::trial::{PATIENCE, Trial, compile, judge, patiently, run, run_with, shared, template, text, told};

/// Short enough for a test, long enough for a sign-in on a busy machine.
const LIMIT: Duration = Duration::from_millis(1500);

async fn ask(postgres: &Postgres, query: &str) -> Trial {
    ask_at(&postgres.url("reader"), query, Vec::new(), PATIENCE).await
}

async fn ask_at(dsn: &str, query: &str, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let ours = vec![("dsn", template(dsn)), ("query", text(query))];
    run(&KIND, [ours, keys].concat(), &shared(), limit).await
}

fn cell<'a>(trial: &'a Trial, row: usize, column: &str) -> Reading<'a> {
    trial.outcome.evidence.read("rows", &Selector::Row { row, column: column.into() })
}

fn one<'a>(value: impl Into<std::borrow::Cow<'a, str>>) -> Reading<'a> {
    Reading::One(Value::Text(value.into()))
}

/// Everything that needs the real server, in one test, so that it starts once.
#[tokio::test]
async fn a_real_server() {
    let postgres = Postgres::start();
    a_scenario_file_says_it_all(&postgres).await;
    values_keep_their_types(&postgres).await;
    phases_are_billed(&postgres).await;
    rows_are_bounded(&postgres).await;
    nothing_is_written(&postgres).await;
    refusals_are_data(&postgres).await;
    passwords_are_checked(&postgres).await;
    a_slow_query_ends_at_the_deadline(&postgres).await;
    a_server_without_tls_is_told_apart(&postgres).await;
    a_server_with_tls_is_verified(&postgres).await;
}

async fn a_scenario_file_says_it_all(postgres: &Postgres) {
    let dsn = postgres.url("reader");
    let fresh = "expect: { rows: { \"[0].last\": { newer_than: 24h } }, row_count: 1 }";
    for (query, expect, expected) in [
        ("select now() as last", fresh, "ok"),
        ("select now() - interval '2 days' as last", fresh, "stale stale stale: rows [0].last is"),
        ("select null::timestamptz as last", fresh, "failed incorrect assert.rows: rows [0].last is null"),
        ("select 1 as other", fresh, "failed incorrect assert.rows: rows [0].last cannot be looked at"),
        (
            "select 1 as last where false",
            fresh,
            "failed incorrect assert.rows: rows [0].last is not in the answer",
        ),
        ("select 41 + 1 as n", "expect: { rows: { \"[0].n\": { gte: 42 } } }", "ok"),
        ("select avg(n) as n from generate_series(1, 4) n", "expect: { rows: { \"[0].n\": 2.5 } }", "ok"),
    ] {
        let told = told(&judge(&format!("sql: {{ dsn: \"{dsn}\", query: \"{query}\" }}\n{expect}")).await);
        assert!(told.starts_with(expected), "{query}\n{told}");
    }
}

async fn values_keep_their_types(postgres: &Postgres) {
    let query = "select 1::int2 as a, 2::int4 as b, 3::int8 as c, 1.5::float8 as d, 12.50::numeric as e, \
        7::numeric as f, 'text'::text as g, true as h, null::text as i, \
        '2026-01-31 12:00:00+01'::timestamptz as j, '2026-01-31'::date as k, '1 hour'::interval as l, \
        array[1,2,null] as m, '{\"a\":1}'::jsonb as n, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as o, \
        '\\x0102'::bytea as p, '192.0.2.1'::inet as q, 'x'::varchar(3) as \"Mixed\", -0.001::numeric as r";
    let trial = ask(postgres, query).await;
    let int = |value| Reading::One(Value::Int(value));
    for (column, expected) in [
        ("a", int(1)),
        ("b", int(2)),
        ("c", int(3)),
        ("d", Reading::One(Value::Float(1.5))),
        ("e", Reading::One(Value::Float(12.5))),
        ("f", int(7)),
        ("g", one("text")),
        ("h", Reading::One(Value::Bool(true))),
        ("i", Reading::One(Value::Null)),
        ("j", Reading::One(Value::Time("2026-01-31T11:00:00Z".parse().unwrap()))),
        ("k", Reading::One(Value::Time("2026-01-31T00:00:00Z".parse().unwrap()))),
        ("l", Reading::One(Value::Duration(Duration::from_hours(1)))),
        ("m", Reading::One(Value::List(vec![Value::Int(1), Value::Int(2), Value::Null]))),
        ("n", one("{\"a\": 1}")),
        ("o", one("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ("p", one("\\x0102")),
        ("mixed", one("x")),
        ("r", Reading::One(Value::Float(-0.001))),
    ] {
        assert_eq!(cell(&trial, 0, column), expected, "{column}");
    }
    assert!(matches!(cell(&trial, 0, "q"), Reading::Unreadable(why) if why.contains("type inet")));
    assert!(matches!(cell(&trial, 0, "zz"), Reading::Unreadable(why) if why.contains("no column `zz`")));
    assert_eq!(cell(&trial, 1, "a"), Reading::Absent);
    assert_eq!(trial.value("row_count"), Value::Int(1));
    let none = ask(postgres, "select 1 as a where false").await;
    assert_eq!(cell(&none, 0, "a"), Reading::Absent);
    assert_eq!(none.value("row_count"), Value::Int(0));
}

async fn phases_are_billed(postgres: &Postgres) {
    let trial = ask(postgres, "select pg_sleep(1.5)::text as slept").await;
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait]);
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait, Phase::Receive]);
    assert!(trial.outcome.hops[1].reused);
    assert!(trial.phase(1, Phase::Wait) >= Duration::from_millis(1450), "{:?}", trial.outcome.hops);
    assert!(trial.phase(0, Phase::Wait) < Duration::from_millis(1450), "{:?}", trial.outcome.hops);
    assert_eq!(trial.attribute("db.system.name"), "postgresql");
    assert_eq!(trial.attribute("db.namespace"), "postgres");
    assert_eq!(trial.outcome.attributes.int("db.response.returned_rows"), Some(1));
}

async fn rows_are_bounded(postgres: &Postgres) {
    let limit = vec![("rows_limit", Bound::Int(3))];
    let dsn = postgres.url("reader");
    let trial = ask_at(&dsn, "select n from generate_series(1, 1000000) n", limit, PATIENCE).await;
    assert_eq!(cell(&trial, 2, "n"), Reading::One(Value::Int(3)));
    assert!(matches!(cell(&trial, 3, "n"), Reading::Unreadable(why) if why.contains("`rows_limit` is 3")));
    assert!(matches!(trial.read("row_count"), Reading::AtLeast(4, why) if why.contains("more than 3 rows")));
    let wide = ask(postgres, "select repeat('x', 100000) as wide").await;
    assert!(matches!(cell(&wide, 0, "wide"), Reading::Unreadable(why) if why.contains("longer than 65536")));
    let huge = ask(postgres, "select repeat('x', 50000000) as huge").await;
    assert_eq!(huge.failure(), "protocol sql.too_large");
    assert_eq!(huge.outcome.hops.len(), 2);
}

async fn nothing_is_written(postgres: &Postgres) {
    postgres.execute("create table kept (n int); grant all on kept to reader");
    let trial = ask(postgres, "insert into kept values (1)").await;
    assert_eq!(trial.failure(), "protocol sql.25006");
    for query in ["select 1; drop table kept", "commit; insert into kept values (1)"] {
        let trial = ask(postgres, query).await;
        assert_eq!(trial.failure(), "protocol sql.42601", "{query}");
    }
    assert_eq!(postgres.execute("select count(*) from kept").trim(), "0");
    // Each session said goodbye and is gone.
    let gone =
        || postgres.execute("select count(*) from pg_stat_activity where usename = 'reader'").trim() == "0";
    testkit::wait::until("all sessions to end", PATIENCE, gone).await;
}

async fn refusals_are_data(postgres: &Postgres) {
    let trial = ask(postgres, "select * from nowhere").await;
    assert_eq!(trial.failure(), "protocol sql.42P01");
    assert_eq!(
        trial.message(),
        format!("{}/postgres: relation \"nowhere\" does not exist (SQLSTATE 42P01)", postgres.addr())
    );
    assert_eq!(trial.outcome.hops[1].status.as_deref(), Some("42P01"));
    let absent = postgres.url("reader").replace("/postgres", "/absent");
    let trial = ask_at(&absent, "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol sql.3D000");
    assert_eq!(trial.outcome.hops.len(), 1);
}

async fn passwords_are_checked(postgres: &Postgres) {
    let good = postgres.url("guarded");
    let trial = ask_at(&good, "select current_user::text as me", Vec::new(), PATIENCE).await;
    assert_eq!(cell(&trial, 0, "me"), one("guarded"));
    let wrong = good.replace(":let-me-in", ":hunter2hunter2");
    let trial = ask_at(&wrong, "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol sql.28P01");
    assert!(!format!("{:?}", trial.outcome.failure).contains("hunter2"));
    assert!(!format!("{:?} {:?}", trial.outcome.hops, trial.outcome.attributes).contains("hunter2"));
    let none = good.replace(":let-me-in", "");
    let trial = ask_at(&none, "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
    let hole = Template::new([Part::Hole(Hole::Secret("dsn".into()), Vec::new())]);
    let keys = vec![("dsn", Bound::Template(hole)), ("query", text("select 1 as n"))];
    let action = compile(&KIND, keys).unwrap();
    assert_eq!(action.target(), "${secrets.dsn}");
    let mut secrets = Secrets::default();
    secrets.set("dsn", good);
    let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
    assert_eq!(cell(&trial, 0, "n"), Reading::One(Value::Int(1)));
    secrets.set("dsn", "postgresql://guarded:s3cret@[oops");
    let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
    assert!(!trial.message().contains("s3cret"), "{}", trial.message());
}

async fn a_slow_query_ends_at_the_deadline(postgres: &Postgres) {
    let ask = async |limit| ask_at(&postgres.url("reader"), "select pg_sleep(60)", Vec::new(), limit).await;
    let trial = patiently(|trial| trial.outcome.hops.len() == 2, ask).await;
    assert_eq!(trial.failure(), "timeout timeout");
    let end = format!("still waiting for the answer after {:?}", trial.limit);
    assert!(trial.message().ends_with(&end), "{}", trial.message());
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait]);
    trial.ended_in_time();
    // The server does not go on with it.
    let sleeping = "select count(*) from pg_stat_activity where usename = 'reader' and state = 'active'";
    testkit::wait::until("the query to end", PATIENCE, || postgres.execute(sleeping).trim() == "0").await;
}

async fn a_server_without_tls_is_told_apart(postgres: &Postgres) {
    let dsn = format!("{}?sslmode=verify-full", postgres.url("reader"));
    let trial = ask_at(&dsn, "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.handshake");
    assert!(trial.message().contains("does not offer TLS"), "{}", trial.message());
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls]);
}

async fn a_server_with_tls_is_verified(postgres: &Postgres) {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    for (name, file) in [("server.crt", &identity.cert_file), ("server.key", &identity.key_file)] {
        // The server writes its own file, so that owner and mode are what it demands.
        let pem = std::fs::read_to_string(file).unwrap();
        postgres.execute(&format!(
            "copy (select unnest(string_to_array($${pem}$$, e'\\n'))) to program 'umask 077; cat > {name}'"
        ));
    }
    postgres.execute("alter system set ssl = on");
    postgres.execute("select pg_reload_conf()");
    testkit::wait::until("TLS to be on", PATIENCE, || postgres.execute("show ssl").trim() == "on").await;
    let dsn = format!("{}?sslmode=require", postgres.url("guarded"));
    let query = "select version::text, ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let ca = || vec![("ca", text(pki.root_file().to_str().unwrap()))];
    let trial = ask_at(&dsn, query, ca(), PATIENCE).await;
    assert_eq!(cell(&trial, 0, "version"), one("TLSv1.3"), "{:?}", trial.outcome.failure);
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Wait]);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    let other = dsn.replace("127.0.0.1", "localhost");
    let trial = ask_at(&other, query, ca(), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.name_mismatch");
    let trial = ask_at(&dsn, query, Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.untrusted");
}

#[tokio::test]
async fn pretenders_end_in_time() {
    for (fault, expected) in [
        (Fault::HalfOpen, "timeout timeout"),
        (Fault::CloseOnAccept, "connect connect.reset"),
        (Fault::ResetOnAccept, "connect connect.reset"),
    ] {
        let target = Hostile::start(fault.clone());
        let dsn = format!("postgresql://reader@{}/shop", target.addr());
        let limit = if expected.starts_with("timeout") { LIMIT } else { PATIENCE };
        let trial = ask_at(&dsn, "select 1", Vec::new(), limit).await;
        assert_eq!(trial.failure(), expected, "{fault:?}: {}", trial.message());
        // A reset may arrive before the connection is seen to stand.
        assert!(trial.phases(0).starts_with(&[Phase::Connect]), "{fault:?}");
        trial.ended_in_time();
    }
}

/// A server that reads a first message and then sends `bytes`, again and again if `forever`.
fn pretender(bytes: Vec<u8>, forever: bool) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 1024];
        let _asked = stream.read(&mut buffer).unwrap();
        // The other end hangs up when it has had enough.
        while stream.write_all(&bytes).is_ok() && forever {}
        let _end = stream.read(&mut buffer);
    });
    (addr, thread)
}

#[tokio::test]
async fn nonsense_is_the_targets_failure() {
    // A message that claims two gigabytes, one whose length is impossible, and another protocol.
    for bytes in [
        b"R\x7f\xff\xff\xffxxxx".to_vec(),
        b"R\0\0\0\x01xxxx".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"R\0\0\0\x08\xff\xff\xff\xff".to_vec(),
    ] {
        let shown = format!("{bytes:?}");
        let (addr, thread) = pretender(bytes, false);
        let dsn = format!("postgresql://reader@{addr}/shop");
        let trial = ask_at(&dsn, "select 1", Vec::new(), LIMIT).await;
        let failure = trial.failure();
        assert!(["protocol sql.protocol", "timeout timeout"].contains(&&*failure), "{shown}: {failure}");
        trial.ended_in_time();
        drop(trial);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn endless_chatter_ends_at_the_limit() {
    // A notice, for ever: the server never gets to the sign-in.
    let notice = b"N\0\0\0\x0eSINFO\0M!\0\0".to_vec();
    let (addr, thread) = pretender(notice.repeat(1000), true);
    let dsn = format!("postgresql://reader@{addr}/shop");
    let trial = ask_at(&dsn, "select 1", Vec::new(), PATIENCE).await;
    let failure = trial.failure();
    assert!(failure.starts_with("protocol sql."), "{failure}: {}", trial.message());
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let trial =
        ask_at(&format!("host=127.0.0.1 port={} user=u", addr.port()), "select 1", Vec::new(), PATIENCE)
            .await;
    assert_eq!(trial.failure(), "connect connect.refused");
}

#[tokio::test]
async fn tls_is_verified() {
    let pki = Pki::new();
    for (flaw, expected) in
        [(Flaw::Expired, "tls tls.expired"), (Flaw::WrongName, "tls tls.name_mismatch"), (Flaw::None, "")]
    {
        let identity = pki.identity(&["localhost"], flaw);
        let (addr, thread) = tls_pretender(identity.server_config(&Speech::default()));
        let dsn = format!("postgresql://reader@localhost:{}/shop?sslmode=require", addr.port());
        let ca = vec![("ca", text(pki.root_file().to_str().unwrap()))];
        let trial = ask_at(&dsn, "select 1", ca, PATIENCE).await;
        if flaw == Flaw::None {
            // The handshake is through; the pretender knows no more.
            assert_eq!(trial.phases(0), [Phase::Dns, Phase::Connect, Phase::Tls, Phase::Wait]);
            assert_eq!(trial.failure(), "connect connect.reset");
        } else {
            assert_eq!(trial.failure(), expected);
        }
        drop(trial);
        thread.join().unwrap();
    }
}

/// Agrees to TLS as PostgreSQL does, does the handshake, reads the sign-in, and hangs up.
fn tls_pretender(config: std::sync::Arc<rustls::ServerConfig>) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"S").unwrap();
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        // A client that does not like the certificate ends the handshake here.
        if tls.complete_io(&mut stream).is_ok() {
            let _sign_in = rustls::Stream::new(&mut tls, &mut stream).read(&mut [0; 1024]);
        }
    });
    (addr, thread)
}

#[test]
fn a_dsn_is_a_url_or_a_list() {
    for (text, shown, tls) in [
        ("postgresql://u:p@db.test/shop", "db.test:5432/shop", false),
        ("postgres://u@db.test:6432/shop?sslmode=require", "db.test:6432/shop", true),
        ("host=db.test user=u password='a b' dbname=shop sslmode=verify-full", "db.test:5432/shop", true),
        ("host=db.test hostaddr=192.0.2.1 user=u sslmode=allow", "192.0.2.1:5432/u", false),
        ("postgresql://u@[2001:db8::1]/shop", "[2001:db8::1]:5432/shop", false),
    ] {
        let dsn = Dsn::parse(text).unwrap();
        assert_eq!((dsn.to_string().as_str(), dsn.tls), (shown, tls), "{text}");
        assert_eq!(format!("{dsn:?}"), format!("Dsn({shown})"));
    }
    for (text, error) in [
        ("redis://u@db.test/shop", DsnError::Syntax),
        ("postgresql://u@db.test/shop?sslrootcert=x", DsnError::Syntax),
        ("postgresql://db.test/shop", DsnError::NoUser),
        ("user=u dbname=shop", DsnError::NoHost),
        ("postgresql://u@a.test,b.test/shop", DsnError::ManyHosts),
        ("host=/var/run/postgresql user=u", DsnError::BadHost),
        ("host=db.test user=u sslmode=require sslnegotiation=direct", DsnError::DirectTls),
        ("host=db.test user=u channel_binding=require", DsnError::ChannelBinding),
    ] {
        assert_eq!(Dsn::parse(text).map(|dsn| dsn.to_string()), Err(error), "{text}");
    }
}

#[test]
fn mistakes_in_the_file() {
    let keys = vec![("dsn", template("postgresql://u:hunter2@a.test,b.test/x")), ("query", text(" "))];
    let mistakes = compile(&KIND, keys).err().unwrap_or_default();
    assert_eq!(
        mistakes,
        ["E104: the query is empty", "E133: the dsn names several hosts; a step talks to one"]
    );
}
