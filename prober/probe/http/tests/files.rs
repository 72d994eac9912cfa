//! What is wrong with a step is said when its file is compiled.

use scenario::template::{Hole, Part, Template};

use super::super::file::short;
use super::*;

fn mistakes(keys: Keys) -> Vec<String> {
    trial::compile(&KIND, keys).err().unwrap_or_default()
}

#[test]
fn the_short_form_has_a_url_and_perhaps_a_method() {
    for (text, parts) in [
        ("https://a/", vec![("url", "https://a/")]),
        ("HEAD https://a/", vec![("method", "HEAD"), ("url", "https://a/")]),
        ("  DELETE   https://a/ ", vec![("method", "DELETE"), ("url", "https://a/")]),
        ("http://a b/", vec![("url", "http://a b/")]),
        ("", vec![("url", "")]),
    ] {
        let split: Vec<_> = short(text).into_iter().map(|(key, range)| (key, &text[range])).collect();
        assert_eq!(split, parts, "{text:?}");
    }
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let url = || ("url", template("https://shop.example/"));
    for (keys, mistake) in [
        (get("shop.example"), "E171: this URL has no scheme"),
        (get("ftp://shop.example/"), "E171: the scheme `ftp` cannot be asked over HTTP"),
        (get("http://shop example/"), "E171: this URL has a blank in it"),
        (get("http://shop.example:99999/"), "E171: this URL has a port that is not a number from 1 to 65535"),
        (get("http://me:pass@shop.example/"), "E171: this URL has a user name or password in it"),
        (vec![url(), ("method", text("get it"))], "E172: `get it` is not a method"),
        (vec![url(), ("method", text("post"))], "E172: `post` is not a method"),
        (
            vec![url(), ("headers", map(&[("Bad Name", "x")]))],
            "E173: `Bad Name` cannot be the name of a header",
        ),
        (
            vec![url(), ("headers", map(&[("Content-Length", "7")]))],
            "E173: the header content-length belongs to the connection and cannot be set",
        ),
        (
            vec![url(), ("headers", map(&[("X", "a\r\nY: b")]))],
            "E209: the value of header x has a line break or control character in it",
        ),
        (
            vec![url(), ("body", template("a")), ("form", map(&[]))],
            "E175: `form` and `body` are both the body",
        ),
        (
            vec![("url", template("http://127.0.0.1/")), ("ip", Bound::Choice("6"))],
            "E179: 127.0.0.1 is not an address of the family that `ip` asks for",
        ),
        (vec![url(), ("body_limit", Bound::Size(1 << 40))], "E176: a body is read up to 64MiB at most"),
        (vec![url(), ("host", text("http://a"))], "E178: `http://a` is not a host name or an IP address"),
    ] {
        assert_eq!(mistakes(keys), [mistake]);
    }
    let insecure = trial::compile(&KIND, vec![url(), ("insecure", text("true"))]);
    assert_eq!(insecure.err(), Some(vec!["E177: `insecure` needs the reason why that is right".to_owned()]));
}

#[test]
fn a_url_with_holes_is_checked_as_far_as_it_is_known() {
    let with = |start: &str| {
        let hole = Part::Hole(Hole::Capture("id".into()), Vec::new());
        vec![("url", Bound::Template(Template::new([Part::Text(start.into()), hole])))]
    };
    assert_eq!(mistakes(with("shop.example/")), ["E171: this URL has no scheme"]);
    assert_eq!(mistakes(with("ws://shop.example/")), ["E171: the scheme `ws` cannot be asked over HTTP"]);
    assert_eq!(mistakes(with("https://shop.example/")), Vec::<String>::new());
}

#[tokio::test]
async fn what_fills_a_hole_is_judged_by_whose_it_is() {
    let capture = |name: &str| {
        Bound::Template(Template::new([
            Part::Text("http://127.0.0.1/".into()),
            Part::Hole(Hole::Capture(name.into()), Vec::new()),
        ]))
    };
    let secret = Bound::Template(Template::new([Part::Hole(Hole::Secret("url".into()), Vec::new())]));
    for (url, failure) in [(capture("id"), "local local.capture"), (secret, "local local.secret")] {
        let trial = trial::run(&KIND, vec![("url", url)], &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.failure(), failure);
        assert!(trial.outcome.hops.is_empty());
    }
}
