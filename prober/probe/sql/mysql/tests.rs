//! MySQL's protocol against a real MySQL, a real MariaDB and against servers that only pretend.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::template::{Hole, Part, Secrets, Template};
use scenario::value::{Reading, Selector, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki};
use testkit::servers::MySql;

use crate::sql::KIND;
use crate::trial::{PATIENCE, Trial, compile, judge, run, run_with, shared, template, text, told};

/// Short enough for a test, long enough for a sign-in on a busy machine.
const LIMIT: Duration = Duration::from_millis(1500);

async fn ask_at(dsn: &str, query: &str, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let ours = vec![("dsn", template(dsn)), ("query", text(query))];
    run(&KIND, [ours, keys].concat(), &shared(), limit).await
}

async fn ask(database: &MySql, query: &str) -> Trial {
    ask_at(&database.url("reader"), query, Vec::new(), PATIENCE).await
}

fn cell<'a>(trial: &'a Trial, row: usize, column: &str) -> Reading<'a> {
    trial.outcome.evidence.read("rows", &Selector::Row { row, column: column.into() })
}

/// Everything that needs a real server, in one test each, so that it starts once.
#[tokio::test]
async fn a_real_mariadb() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let own = Own {
        wrong_in_clear: "protocol sql.28000",
        limited: ("set statement max_statement_time = 0.1 for select sleep(30)", "protocol sql.70100"),
    };
    what_both_do(&MySql::start_mariadb(Some(&identity)), &pki, &own).await;
}

#[tokio::test]
async fn a_real_mysql() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let database = MySql::start(Some(&identity));
    a_password_goes_nowhere_in_the_clear(&database).await;
    let long = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1000) \
        select /*+ MAX_EXECUTION_TIME(100) */ count(*) as a from n, n as m, n as o";
    let own = Own { wrong_in_clear: "local local.config", limited: (long, "protocol sql.HY000") };
    what_both_do(&database, &pki, &own).await;
    tls_is_seen_as_it_is(&database, &pki).await;
}

/// In what the two differ.
struct Own {
    /// What a wrong password comes to without TLS.
    wrong_in_clear: &'static str,
    /// A query with a limit of its own, long before the step's time is over, and what it comes to.
    limited: (&'static str, &'static str),
}

async fn what_both_do(database: &MySql, pki: &Pki, own: &Own) {
    database.execute("create table shop.orders(at datetime(3), n int); insert into shop.orders values (utc_timestamp(3), 1)");
    a_scenario_file_says_it_all(database).await;
    values_keep_their_types(database).await;
    phases_and_bounds(database).await;
    nothing_is_written(database).await;
    refusals_are_data(database, own).await;
    passwords_are_checked(database, pki, own).await;
}

/// As long as the server has not seen the password, a proof of it is not enough.
async fn a_password_goes_nowhere_in_the_clear(database: &MySql) {
    let url = database.url("guarded");
    let trial = ask_at(&url, "select 1 as a", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
    assert!(trial.message().contains("?ssl-mode=required"), "{}", trial.message());
    let insecure = vec![("insecure", text("the test has not got the root yet"))];
    let trial = ask_at(&format!("{url}?ssl-mode=required"), "select 1 as a", insecure, PATIENCE).await;
    assert_eq!(cell(&trial, 0, "a"), Reading::One(Value::Int(1)), "{}", trial.message());
    assert_eq!(trial.attribute("prober.tls.insecure"), "the test has not got the root yet");
    // Now it has.
    let trial = ask_at(&url, "select 1 as a", Vec::new(), PATIENCE).await;
    assert_eq!(cell(&trial, 0, "a"), Reading::One(Value::Int(1)), "{}", trial.message());
}

async fn tls_is_seen_as_it_is(database: &MySql, pki: &Pki) {
    let (root, addr) = (pki.root_file(), database.addr());
    let step = format!("tls: {{ address: \"{addr}\", starttls: mysql, ca: \"{}\" }}", root.display());
    for (expect, expected) in [
        ("expect: { chain: trusted, protocol: TLS1.3 }", "ok"),
        ("expect: { chain: trusted, protocol: TLS1.2 }", "failed"),
    ] {
        let told = told(&judge(&format!("{step}\n{expect}")).await);
        assert!(told.starts_with(expected), "{told}");
    }
}

async fn a_scenario_file_says_it_all(database: &MySql) {
    let fresh = "expect: { rows: { \"[0].last\": { newer_than: 1h } }, row_count: 1 }";
    for (query, expect, expected) in [
        ("select max(at) as last from orders", fresh, "ok"),
        ("select now() as last", fresh, "ok"),
        ("select now() - interval 2 day as last", fresh, "stale stale stale: rows [0].last is"),
        ("select now() + interval 1 hour as last", fresh, "future_dated stale"),
        ("select null as last", fresh, "failed incorrect assert.rows: rows [0].last is null"),
        ("select 1 as other", fresh, "failed incorrect assert.rows: rows [0].last cannot be looked at"),
        ("select unix_timestamp() as last", fresh, "ok"),
        ("select sum(n) + 41 as n from orders", "expect: { rows: { \"[0].n\": { gte: 42 } } }", "ok"),
    ] {
        let dsn = database.url("reader");
        let told = told(&judge(&format!("sql: {{ dsn: \"{dsn}\", query: \"{query}\" }}\n{expect}")).await);
        assert!(told.starts_with(expected), "{query}\n{told}");
    }
}

async fn values_keep_their_types(database: &MySql) {
    let query = "select 1 as a, -2.50 as b, cast(3 as decimal(5,0)) as c, 1.5e0 as d, 'text' as e, null as f, \
        timestamp '2026-01-31 12:00:00.250' as g, date '2026-01-31' as h, true as i, x'0001' as j, '{\"a\":1}' as k";
    let trial = ask(database, query).await;
    let at = |text: &str| Reading::One(Value::Time(text.parse().unwrap()));
    for (column, expected) in [
        ("a", Reading::One(Value::Int(1))),
        ("b", Reading::One(Value::Float(-2.5))),
        ("c", Reading::One(Value::Int(3))),
        ("d", Reading::One(Value::Float(1.5))),
        ("e", Reading::One(Value::Text("text".into()))),
        ("f", Reading::One(Value::Null)),
        ("g", at("2026-01-31T12:00:00.25Z")),
        ("h", at("2026-01-31T00:00:00Z")),
        ("i", Reading::One(Value::Int(1))),
        ("k", Reading::One(Value::Text("{\"a\":1}".into()))),
    ] {
        assert_eq!(cell(&trial, 0, column), expected, "{column}");
    }
    assert!(matches!(cell(&trial, 0, "j"), Reading::Unreadable(why) if why.contains("hex(")));
    assert!(matches!(cell(&trial, 0, "zz"), Reading::Unreadable(why) if why.contains("no column `zz`")));
    assert_eq!(trial.attribute("db.system.name"), "mysql");
}

async fn phases_and_bounds(database: &MySql) {
    let trial = ask(database, "select sleep(0.2) as slept").await;
    assert_eq!(trial.phases(0)[..2], [Phase::Connect, Phase::Wait]);
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait, Phase::Receive]);
    assert!(trial.phase(1, Phase::Wait) >= Duration::from_millis(150), "{:?}", trial.outcome.hops);
    let many =
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 500) select i from n";
    let trial = ask(database, many).await;
    assert_eq!(cell(&trial, 99, "i"), Reading::One(Value::Int(100)));
    assert!(matches!(trial.read("row_count"), Reading::AtLeast(101, why) if why.contains("100 rows")));
    let trial = ask(database, "select repeat('x', 5000000) as a").await;
    assert_eq!(trial.failure(), "protocol sql.too_large");
    let slow = Duration::from_millis(700);
    let trial = ask_at(&database.url("reader"), "select sleep(30) as a", Vec::new(), slow).await;
    // A sleep that the server ends would come back with 1.
    assert_eq!(trial.failure(), "timeout timeout");
    trial.ended_in_time();
}

async fn nothing_is_written(database: &MySql) {
    for query in [
        "insert into orders values (now(), 7)",
        "drop table orders",
        "create table other(n int)",
        "truncate orders",
    ] {
        let trial = ask(database, query).await;
        assert_eq!(trial.failure(), "protocol sql.25006", "{query}");
    }
    // One statement is all that a query can have.
    assert_eq!(ask(database, "commit; drop table orders").await.failure(), "protocol sql.42000");
    assert_eq!(database.execute("select count(*) from shop.orders"), "1");
    let trial = ask(database, "load data local infile '/etc/hostname' into table orders").await;
    assert!(trial.outcome.failure.is_some());
}

async fn refusals_are_data(database: &MySql, own: &Own) {
    for (query, failure) in [
        ("selekt 1", "protocol sql.42000"),
        ("select * from nothing", "protocol sql.42S02"),
        ("select * from mysql.user", "protocol sql.42000"),
        own.limited,
    ] {
        let trial = ask(database, query).await;
        assert_eq!(trial.failure(), failure, "{query}: {}", trial.message());
    }
    let dsn = database.url("reader").replace("/shop", "/nowhere");
    let trial = ask_at(&dsn, "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol sql.42000");
}

async fn passwords_are_checked(database: &MySql, pki: &Pki, own: &Own) {
    let secret = Template::new([Part::Hole(Hole::Secret("dsn".into()), Vec::new())]);
    let ca = ("ca", text(pki.root_file().to_str().unwrap()));
    let keys = vec![("dsn", Bound::Template(secret)), ("query", text("select 1 as a")), ca.clone()];
    let action = compile(&KIND, keys).unwrap();
    let url = database.url("guarded");
    let wrong = url.replace("let-me-in", "let-me-out");
    for (dsn, failure) in [
        (url.clone(), ""),
        (format!("{url}?ssl-mode=REQUIRED"), ""),
        (wrong.clone(), own.wrong_in_clear),
        (format!("{wrong}?sslmode=require"), "protocol sql.28000"),
    ] {
        let mut secrets = Secrets::default();
        secrets.set("dsn", dsn.as_str());
        let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
        let found = trial.outcome.failure.as_ref().map(|_| trial.failure()).unwrap_or_default();
        assert_eq!(found, failure);
        let shown =
            format!("{:?} {:?} {:?}", trial.outcome.hops, trial.outcome.attributes, trial.outcome.failure);
        assert!(!shown.contains("let-me-"), "{shown}");
        if dsn.contains("ssl") {
            assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
        }
    }
    let secure = format!("{}?ssl-mode=required", database.url("reader"));
    let trial = ask_at(&secure, "select 1 as a", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.untrusted");
}

/// A server for one connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(stream);
    });
    (addr, thread)
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&[length[0], length[1], length[2], number][..], body].concat()
}

fn greeting() -> Vec<u8> {
    let mut body = b"\x0a8.0.36\0\x01\x00\x00\x0012345678\0\xff\xf7\x2d\x02\x00\xff\xdf\x15".to_vec();
    body.extend([0; 10]);
    body.extend(b"abcdefghijkl\0caching_sha2_password\0");
    packet(0, &body)
}

/// Says each of these, and reads something before the next one.
fn says(packets: Vec<Vec<u8>>) -> impl FnOnce(TcpStream) + Send + 'static {
    move |mut stream| {
        for packet in packets {
            if stream.write_all(&packet).is_err() || stream.read(&mut [0; 4096]).unwrap_or(0) == 0 {
                return;
            }
        }
        drop(stream.read(&mut [0; 4096]));
    }
}

#[tokio::test]
async fn servers_that_only_pretend() {
    let ok = |number| packet(number, &[0, 0, 0, 2, 0, 0, 0]);
    let signed_in = |more: Vec<Vec<u8>>| {
        let settings = (0..4).map(|_| ok(1));
        [greeting(), ok(2)].into_iter().chain(settings).chain(more).collect::<Vec<_>>()
    };
    for (packets, failure) in [
        (vec![b"SSH-2.0-x\r\n".to_vec()], "protocol sql.protocol"),
        (vec![packet(0, b"\xff\x10\x04Too many connections")], "protocol sql.HY000"),
        (vec![packet(0, b"\x09old")], "protocol sql.protocol"),
        (vec![packet(3, b"\x0a")], "protocol sql.protocol"),
        (vec![greeting(), packet(2, b"\x01\x04")], "local local.config"),
        (vec![greeting(), packet(2, b"\xfemysql_clear_password\0")], "local local.config"),
        (vec![greeting(), packet(2, b"\xfedialog\0x")], "local local.config"),
        (vec![greeting(), packet(2, b"\x42")], "protocol sql.protocol"),
        (signed_in(vec![packet(1, b"\xfb/etc/passwd")]), "protocol sql.protocol"),
        (signed_in(vec![packet(1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff")]), "protocol sql.protocol"),
        (signed_in(vec![[packet(1, b"\x01"), packet(2, b"\x01")].concat()]), "protocol sql.protocol"),
        (signed_in(vec![vec![0xff, 0xff, 0xff, 1]]), "protocol sql.too_large"),
    ] {
        let (addr, thread) = server(says(packets.clone()));
        let dsn = format!("mysql://probe:secret-word@{addr}/shop");
        let keys = vec![("dsn", template(dsn)), ("query", text("select 1"))];
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        assert_eq!(trial.failure(), failure, "{packets:?}: {}", trial.message());
        assert!(!trial.message().contains("secret-word"));
        drop(trial);
        thread.join().unwrap();
    }
    // A sign-in without end, and one that asks for the password in the clear.
    let (addr, thread) = server(|mut stream| {
        stream.write_all(&greeting()).unwrap();
        let mut heard = Vec::new();
        for number in (0..=u8::MAX).cycle().skip(2) {
            if stream.write_all(&packet(number, b"\x01\x03")).is_err() {
                break;
            }
        }
        drop(stream.read_to_end(&mut heard));
        assert!(!heard.windows(11).any(|part| part == b"secret-word"));
    });
    let trial =
        ask_at(&format!("mysql://probe:secret-word@{addr}/shop"), "select 1", Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol sql.protocol");
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let target = Hostile::start(Fault::HalfOpen);
    let trial = ask_at(&format!("mysql://probe@{}/", target.addr()), "select 1", Vec::new(), LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait]);
    trial.ended_in_time();
    let (addr, thread) = server(says(vec![greeting()]));
    let trial = ask_at(&format!("mysql://probe@{addr}/"), "select 1", Vec::new(), LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    trial.ended_in_time();
    drop(trial);
    thread.join().unwrap();
}

#[test]
fn mistakes_in_the_file() {
    for (dsn, mistake) in [
        ("mysql://db.test/shop", "E133: the dsn names no user"),
        ("mysql://me@/shop", "E133: the dsn names no host"),
        ("mysql://me@db.test:99999/shop", "E133: the dsn's port is not a number from 1 to 65535"),
        (
            "mysql://me@db.test/shop?compress=true",
            "E133: the dsn has a setting that is not known; for TLS write ?ssl-mode=required",
        ),
    ] {
        let keys = vec![("dsn", template(dsn)), ("query", text("select 1"))];
        assert_eq!(compile(&KIND, keys).err().unwrap_or_default(), [mistake], "{dsn}");
    }
    for key in ["ca", "insecure"] {
        let dsn = template("mysql://me@db.test/shop");
        let keys = vec![("dsn", dsn), ("query", text("select 1")), (key, text("because"))];
        let mistake = format!("E135: `{key}` says something about TLS, and the dsn wants none");
        assert_eq!(compile(&KIND, keys).err().unwrap_or_default(), [mistake]);
    }
}
