//! Single questions to the servers, for whoever looks at them.

use serde_json::Value;

use super::{Nats, away, within};
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
}
