//! Bodies that are sent, beside curl, and bodies that come packed.

use std::process::Command;

use async_compression::tokio::bufread as pack;
use scenario::fields::Fields;
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use tokio::io::AsyncReadExt as _;

use super::*;

fn record(entries: Vec<(&'static str, Bound)>) -> Spanned<Bound> {
    let entries = entries.into_iter().map(|(key, value)| (key, Spanned::new(value, Span::default())));
    Spanned::new(Bound::Record(Fields::new(Span::default(), entries.collect())), Span::default())
}

fn post(url: String, rest: Vec<(&'static str, Bound)>) -> Keys {
    [get(url), vec![("method", text("POST"))], rest].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_files_are_sent_as_curl_sends_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan \"1\".bin");
    std::fs::write(&path, b"\x00\xff\r\n--x").unwrap();
    let path = path.to_str().unwrap();
    let server = Server::start();
    server.on("*", Reply::ok(""));
    let parts = vec![
        record(vec![("name", text("title")), ("value", template("a & b"))]),
        record(vec![("name", text("scan")), ("file", template(path)), ("content_type", text("image/png"))]),
        record(vec![("name", text("raw")), ("file", template(path)), ("filename", text("x.bin"))]),
    ];
    let trial = trial::run(
        &KIND,
        post(server.url("/"), vec![("multipart", Bound::List(parts))]),
        &trial::shared(),
        trial::PATIENCE,
    )
    .await;
    assert_eq!(trial.outcome.failure, None);
    let escaped = path.replace('"', "\\\"");
    let form = [
        "title=a & b".to_owned(),
        format!("scan=@\"{escaped}\";type=image/png"),
        format!("raw=@\"{escaped}\";filename=x.bin;type=application/octet-stream"),
    ];
    let mut curl = Command::new("curl");
    curl.arg("--silent");
    for part in &form {
        curl.args(["--form", part]);
    }
    let sent = curl.arg(server.url("/")).status().expect("curl is there: apt-get install curl");
    assert!(sent.success());
    let same: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            let kind = seen.header("content-type").unwrap();
            let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
            String::from_utf8_lossy(&seen.body).replace(boundary, "BOUNDARY")
        })
        .collect();
    assert_eq!(same[0], same[1]);

    for (rest, kind) in [
        (vec![("file", template(path))], "application/octet-stream"),
        (vec![("file", template(path)), ("content_type", template("image/png"))], "image/png"),
    ] {
        trial::run(&KIND, post(server.url("/file"), rest), &trial::shared(), trial::PATIENCE).await;
        let seen = server.seen().pop().unwrap();
        assert_eq!(&seen.body[..], b"\x00\xff\r\n--x");
        assert_eq!(seen.header("content-type"), Some(kind));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_is_our_fault_and_never_holds() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    std::fs::File::create(&large).unwrap().set_len((16 << 20) + 1).unwrap();
    let folder = folder.path().to_str().unwrap();
    for path in ["/nowhere/at/all", "/dev/zero", "/proc/self/environ", folder, large.to_str().unwrap()] {
        let part = record(vec![("name", text("a")), ("file", template(path))]);
        for rest in [("file", template(path)), ("multipart", Bound::List(vec![part]))] {
            let trial =
                trial::run(&KIND, post(server.url("/"), vec![rest]), &trial::shared(), trial::PATIENCE).await;
            assert_eq!(trial.failure(), "local local.config", "{path}");
        }
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_part_has_one_content_and_a_request_one_body() {
    let url = || get("https://shop.example/");
    let both = record(vec![("name", text("a")), ("value", template("b")), ("file", template("c"))]);
    let lines =
        record(vec![("name", text("a")), ("value", template("b")), ("content_type", text("a\r\nb: c"))]);
    for (rest, mistake) in [
        (vec![("multipart", Bound::List(vec![both]))], "E175: the part `a` needs either `value` or `file`"),
        (
            vec![("multipart", Bound::List(vec![lines]))],
            "E209: the content type has a line break or control character in it",
        ),
        (
            vec![("body", template("a")), ("content_type", template("a\r\nb"))],
            "E209: the content type has a line break or control character in it",
        ),
        (vec![("body", template("a")), ("file", template("b"))], "E175: `body` and `file` are both the body"),
    ] {
        assert_eq!(trial::compile(&KIND, [url(), rest].concat()).err(), Some(vec![mistake.to_owned()]));
    }
}

/// `text` packed as `coding` says.
async fn packed(coding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => pack::GzipEncoder::new(text).read_to_end(&mut out).await,
        "br" => {
            pack::BrotliEncoder::with_quality(text, async_compression::Level::Fastest)
                .read_to_end(&mut out)
                .await
        }
        "zstd" => pack::ZstdEncoder::new(text).read_to_end(&mut out).await,
        "zlib" => pack::ZlibEncoder::new(text).read_to_end(&mut out).await,
        _ => pack::DeflateEncoder::new(text).read_to_end(&mut out).await,
    }
    .unwrap();
    out
}

#[tokio::test]
async fn a_packed_body_is_looked_at_unpacked() {
    let server = Server::start();
    let text = format!("{{\"status\":\"UP\",\"text\":\"{}\"}}", "hello ".repeat(500));
    for (coding, header) in [
        ("gzip", "gzip"),
        ("gzip", "x-gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("zlib", "deflate"),
        ("deflate", "deflate"),
    ] {
        let bytes = packed(coding, text.as_bytes()).await;
        let wire = bytes.len();
        server.on("/", Reply::ok(bytes).header("content-encoding", header));
        let trial = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None, "{coding}");
        assert_eq!(trial.value("body"), Value::Text(text.as_str().into()), "{coding}");
        assert_eq!(trial.value("size"), Value::Int(i64::try_from(text.len()).unwrap()));
        let size = |key| trial.outcome.attributes.int(key).map(|size| usize::try_from(size).unwrap());
        assert_eq!(size("http.response.body.size"), Some(wire), "{coding}");
        assert_eq!(size("prober.http.body.decoded_size"), Some(text.len()), "{coding}");
    }
    let twice = packed("br", &packed("gzip", text.as_bytes()).await).await;
    server.on("/", Reply::ok(twice).header("content-encoding", "gzip, br"));
    let trial = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.value("body"), Value::Text(text.as_str().into()));
    assert_eq!(trial.attribute("prober.http.body.encoding"), "gzip, br");
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip, br, zstd, deflate"));
    let plain = [get(server.url("/")), vec![("compression", Bound::Bool(false))]].concat();
    let trial = trial::run(&KIND, plain, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(
        trial.value("body"),
        Value::Text(text.as_str().into()),
        "one that comes is unpacked all the same"
    );
    assert_eq!(server.seen().pop().unwrap().header("accept-encoding"), None);
}

/// An answer with this status line's rest and head, and this body as one chunk.
fn in_one_chunk(head: &str, body: &[u8]) -> Fault {
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{:x}\r\n", body.len());
    Fault::Raw([head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat())
}

#[tokio::test]
async fn what_was_packed_for_the_transfer_is_unpacked_too() {
    let text = format!("{{\"text\":\"{}\"}}", "hello ".repeat(500));
    let gzip = packed("gzip", text.as_bytes()).await;
    let twice = packed("gzip", &packed("br", text.as_bytes()).await).await;
    let zeros = packed("gzip", &vec![b'0'; 5 << 20]).await;
    // Without chunks the body ends with the connection.
    let bare = [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"[..], &gzip].concat();
    for (fault, expected) in [
        (in_one_chunk("Transfer-Encoding: gzip, chunked", &gzip), Ok("gzip")),
        (in_one_chunk("Transfer-Encoding: X-GZip;q=1\r\nTransfer-Encoding: chunked", &gzip), Ok("gzip")),
        (in_one_chunk("Content-Encoding: br\r\nTransfer-Encoding: gzip, chunked", &twice), Ok("br, gzip")),
        (Fault::Raw(bare), Ok("gzip")),
        (in_one_chunk("Transfer-Encoding: gzip, chunked", b"not gzip"), Err("protocol http.encoding")),
        (in_one_chunk("Transfer-Encoding: gzip, chunked", &zeros), Err("protocol http.decompression_bomb")),
        (
            in_one_chunk("Transfer-Encoding: compress, chunked", &gzip),
            Err("`compress`, which is not known here"),
        ),
        (in_one_chunk("Transfer-Encoding: chunked", text.as_bytes()), Ok("")),
    ] {
        let hostile = Hostile::start(fault.clone());
        let keys = get(format!("http://{}/", hostile.addr()));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        match (expected, trial.read("body")) {
            (Ok(coding), body) => {
                assert_eq!(trial.outcome.failure, None, "{fault:?}");
                assert_eq!(body, Reading::One(Value::Text(text.as_str().into())), "{fault:?}");
                let told = trial.outcome.attributes.text("prober.http.body.encoding");
                assert_eq!(told.unwrap_or_default(), coding);
            }
            (Err(why), Reading::Unreadable(told)) => assert!(told.contains(why), "{told}"),
            (Err(why), _) => assert_eq!(trial.failure(), why),
        }
    }
}

#[tokio::test]
async fn what_unpacks_to_too_much_is_cut_or_an_attack() {
    let server = Server::start();
    let zeros = vec![b'0'; 5 << 20];
    // Numbers that repeat little: longer than the limit, and no attack.
    let numbers: Vec<u8> =
        (0..600_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    for coding in ["gzip", "br", "zstd", "zlib"] {
        let header = if coding == "zlib" { "deflate" } else { coding };
        server.on("/bomb", Reply::ok(packed(coding, &zeros).await).header("content-encoding", header));
        let trial = trial::run(&KIND, get(server.url("/bomb")), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.failure(), "protocol http.decompression_bomb", "{coding}");
        assert!(trial.message().contains("would unpack to more than 4 MiB"), "{}", trial.message());
        assert!(!trial.outcome.hops[0].phases.is_empty());
    }
    let twice = packed("gzip", &packed("gzip", &zeros).await).await;
    server.on("/twice", Reply::ok(twice).header("content-encoding", "gzip, gzip"));
    let trial = trial::run(&KIND, get(server.url("/twice")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.failure(), "protocol http.decompression_bomb");

    server.on("/long", Reply::ok(packed("gzip", &numbers).await).header("content-encoding", "gzip"));
    let mut keys = get(server.url("/long"));
    keys.push(("body_limit", Bound::Size(512 << 10)));
    let trial = trial::run(&KIND, keys.clone(), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let why = |trial: &trial::Trial| match trial.read("body") {
        Reading::Unreadable(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(&trial).contains("truncated"), "{}", why(&trial));

    for (body, header, failure, trouble) in [
        (b"this is not gzip".to_vec(), "gzip", Some("http.encoding"), None),
        (packed("gzip", &zeros).await[..2000].to_vec(), "gzip", Some("http.encoding"), None),
        (b"\x28\xb5\x2f\xfd\xff".to_vec(), "zstd", Some("http.encoding"), None),
        (b"abc".to_vec(), "compress", None, Some("`compress`, which is not known here")),
        (b"abc".to_vec(), "gzip, gzip, gzip, gzip", None, Some("packed more than 3 times")),
        (Vec::new(), "gzip", None, None),
        (b"abc".to_vec(), "identity", None, None),
    ] {
        server.on("/odd", Reply::ok(body).header("content-encoding", header));
        let trial = trial::run(&KIND, get(server.url("/odd")), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure.as_ref().map(|failure| &*failure.error_type), failure, "{header}");
        if let Some(trouble) = trouble {
            assert!(why(&trial).contains(trouble), "{}", why(&trial));
        }
    }
    for header in ["identity", "none"] {
        server.on("/plain", Reply::ok("abc").header("content-encoding", header));
        let trial = trial::run(&KIND, get(server.url("/plain")), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.value("body"), Value::Text("abc".into()), "{header}");
    }
}

#[tokio::test]
async fn a_truncated_body_is_said_to_be_and_never_called_bad_json() {
    let server = Server::start();
    server.on("/", Reply::json(&format!("[{}1]", "1,".repeat(2000))));
    let url = server.url("/");
    let outcome = trial::judge(&format!(
        "http: {{ url: \"{url}\", body_limit: 1KiB }}\nexpect: {{ json: {{ \"$[0]\": 1 }} }}"
    ))
    .await;
    let told = trial::told(&outcome);
    assert!(told.contains("truncated") && !told.contains("not JSON"), "{told}");
}

#[tokio::test]
async fn the_body_of_a_followed_redirect_is_not_needed() {
    let server = Server::start();
    server.on("/", Reply::ok("here"));
    server.on("/moved", Reply::redirect(302, "/").header("content-encoding", "gzip").body("not gzip"));
    let url = server.url("/moved");
    let told =
        async |keys: &str| trial::told(&trial::judge(&format!("http: {{ url: \"{url}\"{keys} }}")).await);
    assert_eq!(told(", follow: 3").await, "ok");
    let unfollowed = told(", follow: 0").await;
    assert!(unfollowed.starts_with("failed protocol http.encoding"), "{unfollowed}");
}

#[tokio::test]
async fn no_body_is_told_where_one_is_usual() {
    let server = Server::start();
    server.on("/", Reply::ok(""));
    let url = server.url("/");
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", Some("0")), ("GET", None)] {
        for version in ["1.1", "2"] {
            let step = format!("http: {{ url: \"{url}\", method: {method}, http_version: \"{version}\" }}");
            assert_eq!(trial::told(&trial::judge(&step).await), "ok");
            let seen = server.seen().pop().unwrap();
            assert_eq!(seen.version == http::Version::HTTP_2, version == "2");
            assert_eq!(seen.header("content-length"), length, "{method} over {version}");
        }
    }
}

#[tokio::test]
async fn caches_on_the_way_are_evidence() {
    let server = Server::start();
    let reply = Reply::ok("")
        .header("age", "17")
        .header("x-cache", "HIT")
        .header("cache-status", "edge; hit")
        .header("cache-status", "origin; fwd=miss");
    server.on("/", reply);
    let trial = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    let list = |key: &str| match trial.outcome.attributes.get(key) {
        Some(model::attribute::AttributeValue::List(texts)) => texts.clone(),
        other => panic!("{key}: {other:?}"),
    };
    assert_eq!(list("http.response.header.age"), ["17"]);
    assert_eq!(list("http.response.header.x-cache"), ["HIT"]);
    assert_eq!(list("http.response.header.cache-status"), ["edge; hit", "origin; fwd=miss"]);
}

#[tokio::test]
async fn an_xml_body_is_looked_at_by_paths() {
    let server = Server::start();
    let feed = "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><updated>2026-01-02T03:04:05Z</updated>\
                <entry id=\"e1\"><title>One &amp; only</title></entry><entry id=\"e2\"><title>Two</title></entry></feed>";
    server.on("/feed", Reply::ok(feed));
    server.on("/html", Reply::ok("<html><p>unclosed<br></html>"));
    server.on("/long", Reply::ok(format!("<a>{}</a>", "x".repeat(2 << 20))));
    let url = |path| server.url(path);
    for (step, told) in [
        (
            format!(
                "http: {}\nexpect: {{ xml: {{ \"/feed/entry[1]/title\": One & only, /feed/entry/@id: {{ starts_with: e }} }} }}",
                url("/feed")
            ),
            "ok",
        ),
        (
            format!(
                "http: {}\nexpect: {{ xml: {{ /feed/entry: {{ len: 2 }}, /feed/updated: {{ len: 1 }}, \"/feed/updated[1]\": {{ len: 20 }}, /feed/none: {{ exists: false }} }} }}",
                url("/feed")
            ),
            "ok",
        ),
        (
            format!("http: {}\nexpect: {{ xml: {{ /feed/updated: {{ newer_than: 1h }} }} }}", url("/feed")),
            "stale",
        ),
        (
            format!("http: {}\nexpect: {{ xml: {{ /feed/none: x }} }}", url("/feed")),
            "failed incorrect assert.xml: xml /feed/none has no match",
        ),
        (
            format!("http: {}\nexpect: {{ xml: {{ /html: x }} }}", url("/html")),
            "failed incorrect assert.xml: xml /html cannot be looked at: the body is not well-formed XML",
        ),
        (
            format!("http: {}\nexpect: {{ xml: {{ /a: x }} }}", url("/long")),
            "failed incorrect assert.xml: xml /a cannot be looked at: the body is longer",
        ),
    ] {
        let outcome = trial::judge(&step).await;
        assert!(trial::told(&outcome).starts_with(told), "{step}: {}", trial::told(&outcome));
    }
}

#[tokio::test]
async fn times_are_found_in_any_text_and_clocks_compared() {
    let server = Server::start();
    server.on("/", Reply::ok("<p>built 2026-01-31T12:00:00Z, again 2026-02-01</p>"));
    let look =
        async |path: &str| trial::run(&KIND, get(server.url(path)), &trial::shared(), trial::PATIENCE).await;
    let trial = look("/").await;
    let find = |pattern: &str| {
        let pattern = scenario::pattern::compile(pattern, Span::default()).unwrap();
        let selector = scenario::value::Selector::Pattern(Box::new(pattern));
        trial.outcome.evidence.read("regex", &selector)
    };
    let text = |text: &'static str| Reading::One(Value::Text(text.into()));
    assert_eq!(find(r"built (\S+Z)"), text("2026-01-31T12:00:00Z"));
    assert_eq!(find(r"\d{4}-\d\d-\d\d"), text("2026-01-31"));
    assert_eq!(find("nothing"), Reading::Absent);
    // The test server runs on this machine's clock.
    assert_eq!(trial.value("clock_offset"), Value::Duration(Duration::ZERO));
    let ahead = SystemClock.now().plus(Duration::from_hours(1));
    let date = ahead.jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    server.on("/ahead", Reply::ok("").header("date", &date));
    server.on("/cached", Reply::ok("").header("date", &date).header("age", "7"));
    let trial = look("/ahead").await;
    let Value::Duration(offset) = trial.value("clock_offset") else { panic!("a duration") };
    assert!((3590..3600).contains(&offset.as_secs()), "{offset:?}");
    let Some(model::attribute::AttributeValue::Float(signed)) =
        trial.outcome.attributes.get("prober.http.clock_offset")
    else {
        panic!("a number")
    };
    assert!(*signed > 3590.0, "{signed}");
    assert_eq!(look("/cached").await.read("clock_offset"), Reading::Absent);
}
