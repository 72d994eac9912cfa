//! Posts one message; only 2xx is success, and 410 wants no more.

use bytes::Bytes;
use http::HeaderValue;
use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;

use super::encode;
use super::sign::{Secrets, message_id};
use crate::answer::{Address, Delivery, json_headers};
use crate::notice::Notice;
use crate::{BuildError, Receiver, Values};

struct Webhook {
    client: Client,
    address: Address,
    secrets: Secrets,
}

pub(super) fn build(values: &Values, client: &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError> {
    let url = values.url("url")?;
    let malformed = |why| BuildError::Malformed { key: "secret", why };
    let secrets =
        values.first("secret").map(Secrets::read).transpose().map_err(malformed)?.unwrap_or_default();
    let hidden = values.first("secret").unwrap_or_default().split_whitespace().map(str::to_owned);
    let address = Address::new(url, hidden, values);
    Ok(vec![Box::new(Webhook { client: client.clone(), address, secrets })])
}

impl Webhook {
    async fn send(&self, notice: &Notice, now: Timestamp) -> Delivery {
        let body = encode::body(notice);
        let (id, seconds) = (message_id(&notice.key()), now.as_millis().div_euclid(1_000));
        let mut headers = json_headers();
        let mut add = |name: &'static str, text: &str| {
            headers.insert(name, HeaderValue::from_str(text).expect("digits and base64 are visible ASCII"));
        };
        add("webhook-id", &id);
        add("webhook-timestamp", &seconds.to_string());
        if let Some(signature) = self.secrets.signature(&id, seconds, &body) {
            add("webhook-signature", &signature);
        }
        match self.client.post(&self.address.url, headers, Bytes::from(body)).await {
            Ok(answer) if answer.status.is_success() => Delivery::Done,
            Ok(answer) if answer.status.as_u16() == 410 => self.address.gone(&answer),
            Ok(answer) => self.address.again(&answer, now),
            Err(error) => Delivery::unreached(&error),
        }
    }
}

impl Receiver for Webhook {
    fn place(&self) -> &str {
        &self.address.place
    }

    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            for notice in notices {
                match self.send(notice, now).await {
                    Delivery::Done => {}
                    other => return other,
                }
            }
            Delivery::Done
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(self.address.examine(&self.client))
    }
}
