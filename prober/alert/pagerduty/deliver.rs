//! Posts one event; 202 means that PagerDuty has queued it.

use bytes::Bytes;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;

use super::encode;
use crate::answer::{Address, Delivery, json_headers};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values, url};

/// Where events are posted if nothing else is said.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// The characters of an integration's key.
const KEY_CHARS: usize = 32;

struct PagerDuty {
    client: Client,
    address: Address,
    routing_key: String,
}

pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    let routing_key = values.need("routing_key")?.trim().to_owned();
    let url = url("url", values.first("url").unwrap_or(URL))?;
    let address = Address::new(url, [routing_key.clone()], values);
    Ok(vec![Box::new(PagerDuty { client: client.clone(), address, routing_key })])
}

impl Receiver for PagerDuty {
    fn place(&self) -> &str {
        &self.address.place
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            for notice in notices {
                let body = Bytes::from(encode::body(notice, &self.routing_key));
                let delivery = match self.client.post(&self.address.url, json_headers(), body).await {
                    Ok(answer) if answer.status.is_success() => continue,
                    Ok(answer) if answer.status.as_u16() == 429 || !answer.status.is_client_error() => {
                        self.address.again(&answer, now)
                    }
                    Ok(answer) => self.address.never(&answer),
                    Err(error) => Delivery::unreached(&error),
                };
                return delivery;
            }
            Delivery::Done
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            let seen = self.address.examine(&self.client).await?;
            match self.routing_key.chars().count() {
                KEY_CHARS => Ok(seen),
                found => {
                    Err(format!("{seen}, but the routing key has {found} characters and not {KEY_CHARS}"))
                }
            }
        })
    }
}
