//! Posts one message.

use bytes::Bytes;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;
use url::Url;

use super::encode;
use crate::answer::{Delivery, examine, json_headers, said};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values};

struct Slack {
    client: Client,
    /// Whoever knows it may post.
    url: Url,
    place: String,
}

pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    let url = values.url("url")?;
    let place = post::place(&url);
    Ok(vec![Box::new(Slack { client: client.clone(), url, place })])
}

impl Receiver for Slack {
    fn place(&self) -> &str {
        &self.place
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            for notice in notices {
                let body = Bytes::from(encode::body(notice));
                let answer = match self.client.post(&self.url, json_headers(), body).await {
                    Ok(answer) if answer.status.is_success() => continue,
                    Ok(answer) => answer,
                    Err(error) => return Delivery::unreached(&error),
                };
                return match answer.status.as_u16() {
                    410 => Delivery::Gone { why: said(&self.url, &answer) },
                    429 => Delivery::again(&self.url, &answer, now),
                    400..=499 => Delivery::never(&self.url, &answer),
                    _ => Delivery::again(&self.url, &answer, now),
                };
            }
            Delivery::Done
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(examine(&self.client, &self.url, "/"))
    }
}
