//! Posts one message.

use bytes::Bytes;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;

use super::encode;
use crate::answer::{Address, Delivery, json_headers};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values};

struct Slack {
    client: Client,
    /// Whoever knows it may post.
    address: Address,
}

pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    let address = Address::new(values.url("url")?, None, values);
    Ok(vec![Box::new(Slack { client: client.clone(), address })])
}

impl Receiver for Slack {
    fn place(&self) -> &str {
        &self.address.place
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            for notice in notices {
                let body = Bytes::from(encode::body(notice));
                let answer = match self.client.post(&self.address.url, json_headers(), body).await {
                    Ok(answer) if answer.status.is_success() => continue,
                    Ok(answer) => answer,
                    Err(error) => return Delivery::unreached(&error),
                };
                return match answer.status.as_u16() {
                    410 => self.address.gone(&answer),
                    400..=428 | 430..=499 => self.address.never(&answer),
                    _ => self.address.again(&answer, now),
                };
            }
            Delivery::Done
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(self.address.examine(&self.client))
    }
}
