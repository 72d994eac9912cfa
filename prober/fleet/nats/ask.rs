//! Single questions to the servers, for whoever looks at them.

use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;

use super::{Nats, STREAM, away, within};
use crate::Fault;

impl Nats {
    /// What the servers answer to an empty message on `subject`, which must be JSON.
    ///
    /// # Errors
    /// The servers are away, do not answer this login, or answer something else.
    pub async fn ask(&self, subject: &str) -> Result<Value, Fault> {
        let answer = within(self.client.request(subject.to_owned(), bytes::Bytes::new())).await?;
        serde_json::from_slice(&answer.payload).map_err(|error| away(&error))
    }

    /// This clock minus that of the servers, and how wrong that may be, both in milliseconds.
    ///
    /// # Errors
    /// The servers are away, or do not tell their time.
    pub async fn clock_offset(&self) -> Result<(i64, u64), Fault> {
        let before = SystemClock.now();
        let answer = self.ask(&format!("$JS.API.STREAM.INFO.{STREAM}")).await?;
        let round = SystemClock.now().since(before);
        let at = answer["ts"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let at = at.ok_or_else(|| Fault::Unreadable("the servers' time".to_owned()))?;
        let error = u64::try_from(round.as_millis() / 2).unwrap_or(u64::MAX);
        Ok((before.plus(round / 2).as_millis() - at.as_millis(), error.max(1)))
    }
}
