//! The signed request for one page of a listing.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use model::outcome::Failure;
use model::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use scenario::template::{Scope, Template};

use crate::http::request::{Ready, TRACEPARENT, user_agent};
use crate::http::target::Target;
use crate::net::fault;
use crate::sigv4::{self, Credentials};

/// The most objects of one page that a server gives.
pub(super) const PAGE_OBJECTS: u32 = 1000;

/// What stays as it is in a path segment or query value.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is listed, with its holes.
#[derive(Debug)]
pub(super) struct ListPlan {
    pub(super) endpoint: Template,
    pub(super) bucket: Template,
    pub(super) prefix: Option<Template>,
    pub(super) region: String,
    pub(super) credentials: Option<Template>,
    pub(super) path_style: bool,
    /// How many objects are listed at most.
    pub(super) objects_max: u32,
}

/// What is listed in this run.
#[derive(Debug)]
pub(super) struct List<'a> {
    plan: &'a ListPlan,
    /// Scheme, host and path of the bucket.
    url: url::Url,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) credentials: Option<Credentials>,
}

impl ListPlan {
    /// What is listed in this run.
    ///
    /// # Errors
    /// A hole cannot be filled, or what filled it cannot stand there.
    pub(super) fn list(&self, scope: &Scope<'_>) -> Result<List<'_>, Failure> {
        let fill = |template: &Template| {
            template
                .render(scope)
                .map(std::borrow::Cow::into_owned)
                .map_err(|error| fault::unresolved(&error))
        };
        let credentials = self.credentials.as_ref().map(fill).transpose()?;
        let credentials = credentials.map(|text| Credentials::parse(&text)).transpose();
        let credentials = credentials.map_err(|error| fault::config(error.to_string()))?;
        let bucket = fill(&self.bucket)?;
        let prefix = self.prefix.as_ref().map(fill).transpose()?.unwrap_or_default();
        let url = bucket_url(&fill(&self.endpoint)?, &bucket, self.path_style).map_err(fault::config)?;
        Ok(List { plan: self, url, bucket, prefix, credentials })
    }
}

impl List<'_> {
    /// The request for the page that `token` names, the first one without; signed as sent `at`.
    ///
    /// # Errors
    /// The URL would be too long.
    pub(super) fn page(
        &self,
        token: Option<&str>,
        scope: &Scope<'_>,
        at: Timestamp,
    ) -> Result<Ready, Failure> {
        let mut query = vec![
            ("encoding-type", "url".to_owned()),
            ("list-type", "2".to_owned()),
            ("max-keys", PAGE_OBJECTS.min(self.plan.objects_max).to_string()),
        ];
        if !self.prefix.is_empty() {
            query.push(("prefix", self.prefix.clone()));
        }
        if let Some(token) = token {
            query.push(("continuation-token", token.to_owned()));
        }
        let pairs: Vec<_> = query
            .into_iter()
            .map(|(key, value)| format!("{key}={}", utf8_percent_encode(&value, UNRESERVED)))
            .collect();
        let mut url = self.url.clone();
        url.set_query(Some(&pairs.join("&")));
        let target =
            Target::of(sigv4::canonical_url(url)).map_err(|error| fault::config(error.to_string()))?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, target.authority());
        headers.insert(USER_AGENT, user_agent(scope.run));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(TRACEPARENT, HeaderValue::from_static(""));
        if let Some(credentials) = &self.credentials {
            let signed = sigv4::Scope { region: &self.plan.region, service: "s3", at };
            sigv4::sign((&Method::GET, &target.url, b""), &mut headers, &signed, credentials);
        }
        Ok(Ready { method: Method::GET, target: Arc::new(target), headers, body: Bytes::new(), traced: true })
    }
}

/// The URL of a bucket at an endpoint.
///
/// # Errors
/// Either cannot be what it is to be, in words for people.
pub(super) fn bucket_url(endpoint: &str, bucket: &str, path_style: bool) -> Result<url::Url, String> {
    let target = Target::parse(endpoint).map_err(|error| format!("the endpoint cannot be asked: {error}"))?;
    let mut url = target.url;
    if url.query().is_some() {
        return Err("the endpoint has a query".to_owned());
    }
    let base = url.path().trim_end_matches('/').to_owned();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if bucket.is_empty() || bucket.len() > 255 || !bucket.bytes().all(fits) || bucket.starts_with('.') {
        return Err("a bucket's name has letters, digits, `.`, `-` and `_`".to_owned());
    }
    if path_style {
        url.set_path(&format!("{base}/{bucket}"));
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default();
    let host = format!("{bucket}.{host}");
    let with_bucket = url.set_host(Some(&host)).is_ok() && matches!(url.host(), Some(url::Host::Domain(_)));
    if !with_bucket {
        return Err(
            "the bucket cannot stand in front of the endpoint's host: use path_style: true".to_owned()
        );
    }
    url.set_path(&format!("{base}/"));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_in_the_path_or_in_the_host() {
        let url = |endpoint, bucket, path_style| bucket_url(endpoint, bucket, path_style).map(String::from);
        assert_eq!(url("https://s3.example", "exports", true).unwrap(), "https://s3.example/exports");
        assert_eq!(url("https://s3.example/base/", "a.b-c", true).unwrap(), "https://s3.example/base/a.b-c");
        assert_eq!(
            url("http://s3.example:9000", "exports", false).unwrap(),
            "http://exports.s3.example:9000/"
        );
        for (endpoint, bucket, path_style, why) in [
            ("s3.example", "a", true, "the endpoint cannot be asked: this URL has no scheme"),
            ("https://s3.example/?a", "a", true, "the endpoint has a query"),
            ("https://s3.example", "", true, "a bucket's name has letters, digits, `.`, `-` and `_`"),
            ("https://s3.example", "../up", true, "a bucket's name has letters, digits, `.`, `-` and `_`"),
            ("https://s3.example", "a/b?c", true, "a bucket's name has letters, digits, `.`, `-` and `_`"),
            (
                "http://127.0.0.1:9000",
                "exports",
                false,
                "the bucket cannot stand in front of the endpoint's host: use path_style: true",
            ),
        ] {
            assert_eq!(url(endpoint, bucket, path_style).unwrap_err(), why);
        }
    }
}
