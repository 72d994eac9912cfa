//! Posts to one member of a cluster; each has a receiver of its own.

use bytes::Bytes;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;
use url::Url;

use super::encode;
use crate::answer::{self, Delivery, json_headers};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values, url};

struct Member {
    client: Client,
    url: Url,
    place: String,
}

/// One receiver for each address.
pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    values.need("url")?;
    let member = |text: &str| {
        let mut url = url("url", text)?;
        url.set_query(None);
        url.set_fragment(None);
        let place = post::place(&url);
        Ok(Box::new(Member { client: client.clone(), url, place }) as Box<dyn Receiver>)
    };
    values.all("url").map(member).collect()
}

impl Member {
    /// The address of `path`, below the prefix that the member may have.
    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }
}

impl Receiver for Member {
    fn place(&self) -> &str {
        &self.place
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let body = match encode::body(notices, now) {
                Ok(body) => body,
                Err(why) => return Delivery::Reject { why },
            };
            let url = self.at("/api/v2/alerts");
            match self.client.post(&url, json_headers(), Bytes::from(body)).await {
                Ok(answer) if answer.status.is_success() => Delivery::Done,
                // 400 and 422 are about the alerts; anything else may be a proxy, or the wrong address for now.
                Ok(answer) if matches!(answer.status.as_u16(), 400 | 422) => Delivery::never(&url, &answer),
                Ok(answer) => Delivery::again(&url, &answer, now),
                Err(error) => Delivery::unreached(&error),
            }
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            let url = self.at("/-/ready");
            let request = post::Request {
                method: http::Method::GET,
                headers: http::HeaderMap::new(),
                body: Bytes::new(),
                timeout: answer::EXAMINE_MAX,
            };
            match self.client.send(&url, request).await {
                Ok(answer) if answer.status.is_success() => Ok(format!("{} is ready", self.place)),
                Ok(answer) => Err(answer::said(&url, &answer)),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}
