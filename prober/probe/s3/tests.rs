//! The kind `s3` against moto, which checks signatures, and against peers that break the rules.

use std::time::Duration;

use scenario::fields::Bound;
use scenario::template::{Hole, Part, Secrets, Template};
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::servers::{Moto, Stored};

use super::KIND;
use crate::trial::{PATIENCE, Trial, compile, run_with, shared, template, text};

type Keys = Vec<(&'static str, Bound)>;

fn keys(endpoint: &str, bucket: &str) -> Keys {
    vec![("endpoint", template(endpoint)), ("bucket", template(bucket))]
}

/// The keys, with credentials from the secret `reader`.
fn signed(mut keys: Keys) -> Keys {
    let hole = Part::Hole(Hole::Secret("reader".into()), Vec::new());
    keys.push(("credentials", Bound::Template(Template::new([hole]))));
    keys
}

async fn run(keys: Keys, reader: &str, limit: Duration) -> Trial {
    let mut secrets = Secrets::default();
    secrets.set("reader", reader);
    let action = compile(&KIND, keys).unwrap_or_else(|mistakes| panic!("the keys are right: {mistakes:?}"));
    run_with(&*action, &shared(), &secrets, limit).await
}

fn stored(key: &str, bytes: u64, age: u64) -> Stored {
    Stored { key: key.to_owned(), bytes, age }
}

#[tokio::test]
async fn a_listing_is_signed_paged_and_added_up() {
    let mut objects = vec![
        stored("orders/old.csv", 10, 90_000),
        stored("orders/new file+ü&=.csv", 32, 60),
        stored("other/newest.csv", 5, 1),
    ];
    objects.extend((0..2100).map(|number| stored(&format!("many/{number:04}"), 1, 3600)));
    let moto = Moto::start(&objects);
    let endpoint = format!("http://{}", moto.addr());
    let reader = moto.credentials("reader");

    let mut orders = signed(keys(&endpoint, "exports"));
    orders.push(("prefix", template("orders/")));
    let trial = run(orders, reader, PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.value("objects"), Value::Int(2));
    assert_eq!(trial.value("size"), Value::Int(42));
    assert_eq!(trial.value("newest_key"), Value::Text("orders/new file+ü&=.csv".into()));
    assert_eq!(trial.value("newest_size"), Value::Int(32));
    let (Value::Time(newest), Value::Time(oldest)) = (trial.value("newest"), trial.value("oldest")) else {
        panic!("times are times");
    };
    let apart = newest.since(oldest);
    assert!(apart.abs_diff(Duration::from_mins(1499)) < Duration::from_secs(2), "{apart:?}");
    assert_eq!(trial.attribute("aws.s3.bucket"), "exports");
    assert_eq!(trial.attribute("aws.s3.prefix"), "orders/");
    assert!(!trial.attribute("url.full").contains("orders"), "{}", trial.attribute("url.full"));

    let mut many = signed(keys(&endpoint, "exports"));
    many.push(("prefix", template("many/")));
    let trial = run(many.clone(), reader, PATIENCE).await;
    assert_eq!(trial.value("objects"), Value::Int(2100));
    assert_eq!(trial.outcome.hops.len(), 3, "a page of 1000 each");
    assert!(trial.outcome.hops.iter().all(|hop| hop.status.as_deref() == Some("200")));

    many.push(("objects_max", Bound::Int(1500)));
    let trial = run(many, reader, PATIENCE).await;
    assert_eq!(trial.outcome.hops.len(), 2);
    let Reading::Unreadable(why) = trial.read("newest") else { panic!("the newest is not known") };
    assert!(why.contains("goes on after 1500 objects"), "{why}");

    let mut none = signed(keys(&endpoint, "exports"));
    none.push(("prefix", template("nothing/")));
    let trial = run(none, reader, PATIENCE).await;
    assert_eq!(trial.value("objects"), Value::Int(0));
    assert_eq!(trial.read("newest"), Reading::Absent);

    for (bucket, user, status, code) in [
        ("exports", format!("{reader}x"), "403", "SignatureDoesNotMatch"),
        ("exports", moto.credentials("nobody").to_owned(), "403", "AccessDenied"),
        ("exports", "AKIANOBODY:secret".to_owned(), "403", "InvalidAccessKeyId"),
        ("missing", reader.to_owned(), "404", "NoSuchBucket"),
    ] {
        let trial = run(signed(keys(&endpoint, bucket)), &user, PATIENCE).await;
        assert_eq!(trial.failure(), format!("protocol {status}"), "{}", trial.message());
        assert!(trial.message().contains(code), "{}", trial.message());
        assert_eq!(trial.attribute("aws.error_code"), code);
        assert!(!trial.outcome.hops[0].phases.is_empty());
    }
}

#[tokio::test]
async fn what_is_sent_is_one_signed_request_a_page() {
    let server = Server::start();
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    server.on("/exports", Reply::ok(page));
    let mut given = signed(keys(&server.url(""), "exports"));
    given.push(("prefix", template("a b/")));
    given.push(("region", text("eu-central-1")));
    let trial = run(given, "AK:very-secret:session-token", PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let seen = &server.seen()[0];
    assert_eq!(seen.query.as_deref(), Some("encoding-type=url&list-type=2&max-keys=1000&prefix=a%20b%2F"));
    let authorization = seen.header("authorization").unwrap();
    assert!(authorization.contains("/eu-central-1/s3/aws4_request"), "{authorization}");
    assert!(
        authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token"),
        "{authorization}"
    );
    assert_eq!(seen.header("x-amz-security-token"), Some("session-token"));
    assert!(seen.header("traceparent").is_some());
    let plain = run(keys(&server.url(""), "exports"), "", PATIENCE).await;
    assert_eq!(plain.outcome.failure, None);
    assert_eq!(server.seen()[1].header("authorization"), None, "without credentials nothing is signed");
}

#[tokio::test]
async fn answers_that_are_no_listing_say_what_they_are() {
    let server = Server::start();
    let same = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
                </ListBucketResult>";
    server.on("/html", Reply::ok("<html><body>Hi</body></html>"));
    server.on("/json", Reply::json("{}"));
    server.on("/late", Reply::ok("<Error><Code>InternalError</Code><Message>Try again.</Message></Error>"));
    server.on("/cut", Reply::ok("<ListBucketResult><Contents><Key>a"));
    server.on("/broken", Reply::ok("<ListBucketResult>").broken());
    server.on("/same", Reply::ok(same));
    server.on("/huge", Reply::status(200).endless(" ".repeat(64 << 10)));
    server.on("/moved", Reply::status(301).header("x-amz-bucket-region", "eu-west-1"));
    server.on("/sorry", Reply::status(503).body("<html>busy</html>"));
    for (bucket, failure, said) in [
        ("html", "protocol s3.protocol", "`html` and not `ListBucketResult`"),
        ("late", "protocol s3.protocol", "`Error` and not `ListBucketResult` (InternalError: Try again.)"),
        ("json", "protocol s3.protocol", "not XML"),
        ("cut", "protocol s3.protocol", "it ends inside of the element `Key`"),
        ("broken", "protocol http.truncated", "before the end of its answer"),
        ("same", "protocol s3.protocol", "from a page to the same page"),
        ("huge", "protocol s3.protocol", "longer than 8 MiB"),
        ("moved", "protocol 301", "the bucket's region is eu-west-1"),
        ("sorry", "protocol 503", "was answered with 503"),
        ("nowhere", "protocol 404", "was answered with 404"),
    ] {
        let trial = run(keys(&server.url(""), bucket), "", PATIENCE).await;
        assert_eq!(trial.failure(), failure, "{bucket}: {}", trial.message());
        assert!(trial.message().contains(said), "{bucket}: {}", trial.message());
        assert!(!trial.outcome.hops[0].phases.is_empty(), "{bucket}");
    }
}

#[tokio::test]
async fn a_listing_of_other_objects_says_nothing_of_those_with_the_prefix() {
    let server = Server::start();
    server.on(
        "/exports",
        Reply::ok(
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%2Fb+c</Key><Size>1</Size>\
             <LastModified>2026-01-02T03:04:05Z</LastModified></Contents></ListBucketResult>",
        ),
    );
    for (prefix, said) in [("a/b c", ""), ("orders/", "it has `a/b c`, which does not begin with the prefix")]
    {
        let mut given = keys(&server.url(""), "exports");
        given.push(("prefix", template(prefix)));
        let trial = run(given, "", PATIENCE).await;
        let message = trial.outcome.failure.as_ref().map(|failure| failure.message.clone());
        assert!(
            message.is_some() != said.is_empty() && message.unwrap_or_default().contains(said),
            "{prefix}"
        );
    }
}

#[tokio::test]
async fn pages_without_objects_end_too() {
    let server = Server::start();
    server.on_request("/endless", |seen| {
        let token = format!("t{}", seen.query.as_deref().unwrap_or_default().len());
        Reply::ok(format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{token}{}\
             </NextContinuationToken></ListBucketResult>",
            "x".repeat(seen.query.as_deref().unwrap_or_default().len() % 7)
        ))
    });
    let mut given = keys(&server.url(""), "endless");
    given.push(("objects_max", Bound::Int(3000)));
    let trial = run(given, "", PATIENCE).await;
    assert!(server.requests() <= 4, "{} pages", server.requests());
    assert!(trial.outcome.failure.is_some() || matches!(trial.read("objects"), Reading::AtLeast(..)));
}

#[tokio::test]
async fn objects_are_counted_over_all_pages_up_to_the_limit() {
    let server = Server::start();
    server.on_request("*", |seen| {
        let second = seen.query.as_deref().unwrap_or_default().contains("continuation-token");
        let object = "<Contents><Key>a</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>7</Size></Contents>";
        let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
        let last: usize = seen.path.trim_start_matches("/last-").parse().unwrap();
        let (count, end) = if second { (last, "<IsTruncated>false</IsTruncated>") } else { (30, more) };
        // A page may say how many keys it has; what is listed counts.
        Reply::ok(format!(
            "<ListBucketResult><KeyCount>1000</KeyCount>{}{end}</ListBucketResult>",
            object.repeat(count)
        ))
    });
    for (last, expected) in [(0, Some(30)), (1, Some(31)), (19, Some(49)), (20, Some(50)), (21, None)] {
        let bucket = keys(&server.url(""), &format!("last-{last}"));
        let trial = run([bucket, vec![("objects_max", Bound::Int(50))]].concat(), "", PATIENCE).await;
        match expected {
            Some(count) => {
                assert_eq!(trial.value("objects"), Value::Int(count), "{last}");
                assert_eq!(trial.value("size"), Value::Int(count * 7), "{last}");
            }
            None => assert!(matches!(trial.read("objects"), Reading::AtLeast(50.., _)), "{last}"),
        }
    }
}

#[tokio::test]
async fn a_listing_that_is_cut_says_what_was_read_of_it() {
    let server = Server::start();
    server.on_request("*", |seen| {
        // Every page leads to one with a longer token.
        let token = seen.query.as_deref().unwrap_or_default().len();
        let first = !seen.query.as_deref().unwrap_or_default().contains("continuation-token");
        let object = "<Contents><Key>a</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>7</Size></Contents>";
        let count = match seen.path.as_str() {
            "/full" => 60,
            "/one" if first => 1,
            _ => 0,
        };
        Reply::ok(format!(
            "<ListBucketResult>{}<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>\
             </ListBucketResult>",
            object.repeat(count),
            "x".repeat(token + 1),
        ))
    });
    for (bucket, said) in [
        ("full", "goes on after 50 objects, which is its `objects_max`;"),
        (
            "one",
            "goes on after 2 pages with one object on them, which are the most pages for `objects_max: 50`;",
        ),
        (
            "empty",
            "goes on after 2 pages with 0 objects on them, which are the most pages for `objects_max: 50`;",
        ),
    ] {
        let given = [keys(&server.url(""), bucket), vec![("objects_max", Bound::Int(50))]].concat();
        let trial = run(given, "", PATIENCE).await;
        let Reading::Unreadable(why) = trial.read("newest") else {
            panic!("{bucket}: the newest is not known")
        };
        assert!(why.contains(said), "{why}");
        let seen = if bucket == "full" { 60 } else { i64::from(bucket == "one") };
        assert!(matches!(trial.read("objects"), Reading::AtLeast(least, _) if least == seen), "{bucket}");
    }
}

#[tokio::test]
async fn a_deadline_and_a_dead_peer_keep_their_phases() {
    let limit = Duration::from_millis(400);
    for (fault, failure) in [(Fault::HalfOpen, "timeout timeout"), (Fault::Garbage, "protocol http.protocol")]
    {
        let hostile = Hostile::start(fault);
        let limit = if failure.starts_with("timeout") { limit } else { PATIENCE };
        let trial = run(keys(&format!("http://{}", hostile.addr()), "exports"), "", limit).await;
        trial.ended_in_time();
        assert_eq!(trial.failure(), failure);
        assert!(!trial.outcome.hops[0].phases.is_empty());
    }
    let port = testkit::wait::free_port();
    let trial = run(keys(&format!("http://127.0.0.1:{port}"), "exports"), "", PATIENCE).await;
    assert_eq!(trial.failure(), "connect connect.refused");
}

#[tokio::test]
async fn credentials_that_are_none_are_our_fault_and_stay_secret() {
    let server = Server::start();
    for reader in ["only-one-part", "AK:with blank inside"] {
        let trial = run(signed(keys(&server.url(""), "exports")), reader, PATIENCE).await;
        assert_eq!(trial.failure(), "local local.config");
        assert!(!trial.message().contains("only-one") && !trial.message().contains("blank inside"));
    }
    let missing = compile(&KIND, signed(keys(&server.url(""), "exports"))).unwrap();
    let trial = run_with(&*missing, &shared(), &Secrets::default(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.secret");
    assert_eq!(server.requests(), 0);
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let good = || keys("https://s3.example", "exports");
    let with = |key, value| {
        let mut keys = good();
        keys.push((key, value));
        keys
    };
    for (keys, mistake) in [
        (keys("s3.example", "exports"), "E182: the endpoint cannot be asked: this URL has no scheme"),
        (keys("https://s3.example", "a b"), "E182: a bucket's name has letters, digits, `.`, `-` and `_`"),
        (with("credentials", template("AK:secret")), "E180: the credentials stand in the file"),
        (with("region", text("Frankfurt")), "E181: `Frankfurt` is not a region"),
        (with("insecure", text("true")), "E177: `insecure` needs the reason why that is right"),
    ] {
        assert_eq!(compile(&KIND, keys).err(), Some(vec![mistake.to_owned()]));
    }
}
