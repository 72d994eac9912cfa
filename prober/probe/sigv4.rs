//! AWS Signature Version 4: a request signed in its headers.
//!
//! The rules stand in <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//! Deliberately absent: signed URLs, signatures over a streamed body, the asymmetric variant.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use model::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

/// What stays as it is in a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stays as it is in a path.
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The headers that carry a signature, to be left behind where the request leaves its origin.
pub(crate) static HEADERS: [HeaderName; 4] = [AUTHORIZATION, DATE, CONTENT_SHA256, SECURITY_TOKEN];

/// An access key with its secret, and the token of a temporary one. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) token: Option<String>,
}

/// Why a text is no credentials. Says nothing of what stands in it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// Neither form.
    #[error(
        "the credentials are neither ACCESS:SECRET, ACCESS:SECRET:TOKEN nor a JSON object with the two keys"
    )]
    Shape,
    /// Characters that cannot be sent.
    #[error("the credentials have a blank or control character in them")]
    Blank,
}

impl Credentials {
    /// The credentials in `text`: `ACCESS:SECRET`, `ACCESS:SECRET:TOKEN`, or JSON in the spelling of AWS'
    /// tools (`AccessKeyId`, `SecretAccessKey`, `SessionToken`) or of its files (`aws_access_key_id`, …).
    ///
    /// # Errors
    /// The text is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, CredentialsError> {
        let text = text.trim();
        let parsed = if text.starts_with('{') { Self::of_json(text) } else { Self::of_line(text) };
        let credentials = parsed.ok_or(CredentialsError::Shape)?;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let token = credentials.token.as_deref().unwrap_or_default();
        if plain(&credentials.access_key) && plain(&credentials.secret_key) && plain(token) {
            Ok(credentials)
        } else {
            Err(CredentialsError::Blank)
        }
    }

    fn of_line(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':').map(str::to_owned);
        Self::new(parts.next()?, parts.next()?, parts.next())
    }

    fn of_json(text: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(text).ok()?;
        let text = |names: [&str; 4]| {
            names.iter().find_map(|name| json.get(name)).and_then(Json::as_str).map(str::to_owned)
        };
        let access_key = text(["AccessKeyId", "aws_access_key_id", "access_key_id", "accessKeyId"])?;
        let secret_key =
            text(["SecretAccessKey", "aws_secret_access_key", "secret_access_key", "secretAccessKey"])?;
        let token = text(["SessionToken", "aws_session_token", "session_token", "sessionToken"]);
        Self::new(access_key, secret_key, token.or_else(|| text(["Token", "token", "Token", "token"])))
    }

    fn new(access_key: String, secret_key: String, token: Option<String>) -> Option<Self> {
        let token = token.filter(|token| !token.is_empty());
        (!access_key.is_empty() && !secret_key.is_empty()).then_some(Self { access_key, secret_key, token })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credentials(•••)")
    }
}

/// What a signature is for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Scope<'a> {
    /// Such as `us-east-1`.
    pub(crate) region: &'a str,
    /// Such as `s3`.
    pub(crate) service: &'a str,
    /// When the request is sent; a server takes it for some minutes around.
    pub(crate) at: Timestamp,
}

/// The URL with its query in the order and spelling that is signed, so that both ends read the same.
pub(crate) fn canonical_url(mut url: Url) -> Url {
    if url.query().is_some() {
        let query = canonical_query(&url);
        url.set_query(if query.is_empty() { None } else { Some(&query) });
    }
    url
}

/// Adds the headers of a signature; `headers` must have the `Host` that is sent.
pub(crate) fn sign(
    (method, url, body): (&http::Method, &Url, &[u8]),
    headers: &mut HeaderMap,
    scope: &Scope<'_>,
    credentials: &Credentials,
) {
    let at = scope.at.jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
    let text = |text: &str| HeaderValue::from_str(text).expect("credentials and times are visible ASCII");
    headers.insert(DATE, text(&at));
    if let Some(token) = &credentials.token {
        headers.insert(SECURITY_TOKEN, text(token));
    }
    let body_hash = hex(&Sha256::digest(body));
    let s3 = scope.service == "s3";
    if s3 {
        headers.insert(CONTENT_SHA256, text(&body_hash));
    }
    let (names, lines) = canonical_headers(headers);
    let (path, query) = (canonical_path(url.path(), s3), canonical_query(url));
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body_hash}");
    let day = &at[..8];
    let reach = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{reach}\n{}", hex(&Sha256::digest(&canonical)));
    let first = format!("AWS4{}", credentials.secret_key);
    let key = [day, scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(first.into_bytes(), |key, part| keyed_hash(&key, part.as_bytes()));
    let signature = hex(&keyed_hash(&key, to_sign.as_bytes()));
    let access_key = &credentials.access_key;
    let mut value = text(&format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{reach}, SignedHeaders={names}, Signature={signature}"
    ));
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
}

/// The names and lines of the headers that are signed: those that say what is asked and how.
fn canonical_headers(headers: &HeaderMap) -> (String, String) {
    let signed =
        |name: &HeaderName| *name == HOST || *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let mut names: Vec<_> = headers.keys().filter(|name| signed(name)).map(HeaderName::as_str).collect();
    names.sort_unstable();
    let mut lines = String::new();
    for name in &names {
        let values = headers.get_all(*name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let values: Vec<_> =
            values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        writeln!(lines, "{name}:{}", values.join(",")).expect("a String takes every text");
    }
    (names.join(";"), lines)
}

/// S3 signs the path as it is meant; every other service takes several slashes for one, and encodes what is sent once
/// more. The URL has resolved `.` and `..`.
fn canonical_path(path: &str, s3: bool) -> String {
    if s3 {
        let bytes: Vec<u8> = percent_decode_str(path).collect();
        percent_encode(&bytes, IN_PATH).to_string()
    } else {
        let mut last = ' ';
        let single = |letter: &char| !(std::mem::replace(&mut last, *letter) == '/' && *letter == '/');
        let path: String = path.chars().filter(single).collect();
        utf8_percent_encode(&path, IN_PATH).to_string()
    }
}

fn canonical_query(url: &Url) -> String {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let pairs = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes());
    let mut pairs: Vec<_> = pairs.map(|(key, value)| (encode(&key), encode(&value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("&")
}

fn keyed_hash(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a String takes every text");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of AWS' published test suite.
    fn example() -> Credentials {
        Credentials::parse("AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap()
    }

    /// The `Authorization` of a request as in AWS' published test suite.
    fn authorization(method: &str, path: &str, extra: &[(&'static str, &str)], body: &str) -> String {
        let url = Url::parse(&format!("https://example.amazonaws.com{path}")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("example.amazonaws.com"));
        for (name, value) in extra {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let at = "2015-08-30T12:36:00Z".parse().unwrap();
        let scope = Scope { region: "us-east-1", service: "service", at };
        let method = method.parse().unwrap();
        sign((&method, &url, body.as_bytes()), &mut headers, &scope, &example());
        headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn the_published_requests_have_the_published_signatures() {
        let plain = "host;x-amz-date";
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let mine = [("my-header1", "value4"), ("my-header1", "value1")];
        for (name, method, path, extra, body, names, signature) in [
            (
                "get-vanilla",
                "GET",
                "/",
                &[][..],
                "",
                plain,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                &[],
                "",
                plain,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "get-vanilla-empty-query-key",
                "GET",
                "/?Param1=value1",
                &[],
                "",
                plain,
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/?Param2=value2&Param1=value1",
                &[],
                "",
                plain,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-vanilla-query-unreserved",
                "GET",
                "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                &[],
                "",
                plain,
                "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "/",
                &form,
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(method, path, extra, body), expected, "{name}");
        }
        // A header that nobody needs to sign does not change the signature.
        assert_eq!(authorization("GET", "/", &mine, ""), authorization("GET", "/", &[], ""));
    }

    #[test]
    fn the_published_paths_are_signed_as_what_they_mean() {
        for (path, same) in [
            ("//", "/"),                       // get-slash
            ("//example//", "/example/"),      // get-slashes
            ("/example/..", "/"),              // get-relative
            ("/example1/example2/../..", "/"), // get-relative-relative
            ("/./", "/"),                      // get-slash-dot-slash
            ("/./example", "/example"),        // get-slash-pointless-dot
        ] {
            assert_eq!(authorization("GET", path, &[], ""), authorization("GET", same, &[], ""), "{path}");
        }
    }

    #[test]
    fn blanks_are_sent_as_they_are_signed() {
        let url = |text: &str| canonical_url(Url::parse(text).unwrap()).to_string();
        assert_eq!(url("https://a/?b=c+d&a=%2f"), "https://a/?a=%2F&b=c%20d");
        assert_eq!(url("https://a/?"), "https://a/");
        assert_eq!(canonical_path("/a%20b/%c3%bc", true), "/a%20b/%C3%BC");
        assert_eq!(canonical_path("/a%20b", false), "/a%2520b");
        assert_eq!(canonical_path("//a///b/", false), "/a/b/");
        assert_eq!(canonical_path("//a///b/", true), "//a///b/");
    }

    #[test]
    fn credentials_have_two_spellings() {
        let both = |text: &str| {
            Credentials::parse(text).map(|found| (found.access_key, found.secret_key, found.token))
        };
        let (access, secret) = ("AK".to_owned(), "S/+=".to_owned());
        assert_eq!(both("AK:S/+=\n"), Ok((access.clone(), secret.clone(), None)));
        assert_eq!(both("AK:S/+=:T:x"), Ok((access.clone(), secret.clone(), Some("T:x".into()))));
        for json in [
            r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"S/+=","SessionToken":"T"}"#,
            r#"{"aws_access_key_id":"AK","aws_secret_access_key":"S/+=","aws_session_token":"T"}"#,
        ] {
            assert_eq!(both(json), Ok((access.clone(), secret.clone(), Some("T".into()))));
        }
        for (text, error) in [
            ("", CredentialsError::Shape),
            ("AK", CredentialsError::Shape),
            ("AK:", CredentialsError::Shape),
            (":S", CredentialsError::Shape),
            ("{\"AccessKeyId\":\"AK\"}", CredentialsError::Shape),
            ("{", CredentialsError::Shape),
            ("AK:a\nb", CredentialsError::Blank),
            ("AK:ü", CredentialsError::Blank),
        ] {
            assert_eq!(both(text), Err(error), "{text}");
        }
        assert!(!format!("{:?}", example()).contains("AKID"));
    }
}
