//! Posts to one member of a cluster; each has a receiver of its own.

use bytes::Bytes;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;
use url::Url;

use super::encode;
use crate::answer::{Address, Delivery, EXAMINE_MAX, json_headers};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values, url};

struct Member {
    client: Client,
    address: Address,
}

/// One receiver for each address.
pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    values.need("url")?;
    let member = |text: &str| {
        let mut url = url("url", text)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(Box::new(Member { client: client.clone(), address: Address::new(url, None, values) })
            as Box<dyn Receiver>)
    };
    values.all("url").map(member).collect()
}

impl Member {
    /// The address of `path`, below the prefix that the member may have.
    fn at(&self, path: &str) -> Url {
        let mut url = self.address.url.clone();
        url.set_path(&format!("{}{path}", self.address.url.path().trim_end_matches('/')));
        url
    }
}

impl Receiver for Member {
    fn place(&self) -> &str {
        &self.address.place
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
                Ok(answer) if matches!(answer.status.as_u16(), 400 | 422) => self.address.never(&answer),
                Ok(answer) => self.address.again(&answer, now),
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
                timeout: EXAMINE_MAX,
            };
            match self.client.send(&url, request).await {
                Ok(answer) if answer.status.is_success() => Ok(format!("{} is ready", self.address.place)),
                Ok(answer) => Err(self.address.said(&answer)),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}
