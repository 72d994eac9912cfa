//! Keys of a bucket, read and watched in a way that a login can be held to.
//!
//! The client's own watches ask for a reader without a name; the servers then learn what is to be read from the request's
//! body, and a permission either covers the whole bucket or nothing. With a name the keys stand in the request's subject.

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::{CALL_MAX, Nats, away, within};
use crate::Fault;

/// A change of a key.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) key: String,
    /// `None` if the key is gone.
    pub(super) value: Option<Bytes>,
}

/// Tells of the keys of a bucket that fit a pattern.
pub(super) struct Keys {
    messages: Ordered,
    prefix: String,
}

impl Nats {
    /// The keys that fit the pattern, each with its newest value.
    pub(super) async fn entries(&self, bucket: &str, pattern: &str) -> Result<Vec<(String, Bytes)>, Fault> {
        let (mut keys, mut pending) = self.follow(bucket, pattern, DeliverPolicy::LastPerSubject).await?;
        let mut entries = Vec::new();
        while pending > 0 {
            let next = tokio::time::timeout(CALL_MAX, keys.next()).await;
            let next = next.map_err(|_| Fault::Away("there was no answer in time".to_owned()))?;
            let Changed { key, value } = next?;
            pending -= 1;
            entries.extend(value.map(|value| (key, value)));
        }
        Ok(entries)
    }

    /// Watches the keys that fit the pattern: from now on, or from each one's newest value.
    pub(super) async fn watch_keys(
        &self,
        bucket: &str,
        pattern: &str,
        from: DeliverPolicy,
    ) -> Result<Keys, Fault> {
        self.follow(bucket, pattern, from).await.map(|(keys, _)| keys)
    }

    /// What tells of keys, and how many changes are there already.
    async fn follow(&self, bucket: &str, pattern: &str, from: DeliverPolicy) -> Result<(Keys, u64), Fault> {
        let bucket = self.bucket(bucket).await?;
        let inbox = self.client.new_inbox();
        let config = OrderedConfig {
            name: inbox.rsplit('.').next().map(ToOwned::to_owned),
            deliver_subject: inbox,
            filter_subject: format!("{}{pattern}", bucket.prefix),
            deliver_policy: from,
            ..OrderedConfig::default()
        };
        let consumer = within(bucket.stream.create_consumer(config)).await?;
        let pending = consumer.cached_info().num_pending;
        let messages = within(consumer.messages()).await?;
        Ok((Keys { messages, prefix: bucket.prefix.clone() }, pending))
    }
}

impl Keys {
    /// The next change. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Changed, Fault> {
        let message = self.messages.next().await;
        let message = message.ok_or_else(|| Fault::Away("the watch has ended".to_owned()))?;
        let message = message.map_err(|error| away(&error))?;
        let is_gone = message.headers.as_ref().is_some_and(|headers| headers.get("KV-Operation").is_some());
        let key = message.subject.strip_prefix(&*self.prefix);
        let key = key.ok_or_else(|| Fault::Unreadable(format!("the key `{}`", message.subject)))?.to_owned();
        Ok(Changed { key, value: (!is_gone).then(|| message.payload.clone()) })
    }
}
