//! What a stream says, as assertions see it.

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, cut};
use model::step::SHOWN_MAX;
use model::time::Timestamp;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};
use serde_json::Value as Json;

/// JetStream's code for "no message found".
const NO_MESSAGE: i64 = 10_037;

/// A stream, and its last message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// When the last message was stored.
    pub(super) last: Option<Timestamp>,
    /// Its number.
    pub(super) sequence: Option<i64>,
    /// Its subject, where one was asked for.
    pub(super) subject: Option<String>,
    pub(super) count: i64,
    pub(super) bytes: i64,
}

impl State {
    /// Notes what `STREAM.MSG.GET` answered.
    ///
    /// # Errors
    /// JetStream refused, or the answer is none.
    pub(super) fn note_message(&mut self, answer: &Json) -> Result<(), Failure> {
        if let Some(error) = answer.get("error") {
            if error["err_code"].as_i64() == Some(NO_MESSAGE) {
                return Ok(());
            }
            return Err(refused(error));
        }
        let message = &answer["message"];
        self.last = Some(time(&message["time"]).ok_or_else(|| wrong("the time of the last message"))?);
        self.sequence = Some(message["seq"].as_i64().ok_or_else(|| wrong("the number of the last message"))?);
        self.subject = message["subject"].as_str().map(|subject| cut(subject.to_owned(), SHOWN_MAX));
        Ok(())
    }

    /// Notes what `STREAM.INFO` answered; the counts are those of a subject if one `is_filtered`.
    ///
    /// # Errors
    /// JetStream refused, or the answer is none.
    pub(super) fn note_info(&mut self, answer: &Json, is_filtered: bool) -> Result<(), Failure> {
        if let Some(error) = answer.get("error") {
            return Err(refused(error));
        }
        let state = &answer["state"];
        let count = state["messages"].as_i64().ok_or_else(|| wrong("the number of messages"))?;
        self.bytes = state["bytes"].as_i64().unwrap_or(0);
        if is_filtered {
            let counts = state["subjects"].as_object().into_iter().flat_map(|all| all.values());
            self.count = counts.filter_map(Json::as_i64).sum();
            return Ok(());
        }
        self.count = count;
        if count > 0 {
            self.last = Some(time(&state["last_ts"]).ok_or_else(|| wrong("the time of the last message"))?);
        }
        // An emptied stream goes on counting.
        self.sequence = state["last_seq"].as_i64().filter(|sequence| *sequence > 0);
        Ok(())
    }

    /// Says it in attributes.
    pub(super) fn describe(&self, attributes: &mut Attributes) {
        attributes.set("prober.jetstream.count", self.count);
        if let Some(sequence) = self.sequence {
            attributes.set("prober.jetstream.sequence", sequence);
        }
        if let Some(last) = self.last {
            attributes.set("prober.jetstream.last", last.to_string());
        }
    }
}

/// RFC 3339, as Go writes it.
fn time(text: &Json) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}

fn wrong(what: &str) -> Failure {
    let message = format!("JetStream's answer does not say {what}");
    Failure::new(FailureClass::Protocol, "jetstream.protocol", message)
}

fn refused(error: &Json) -> Failure {
    let code = error["code"].as_i64().filter(|code| (100..=599).contains(code)).unwrap_or(500);
    let said = cut(error["description"].as_str().unwrap_or_default().to_owned(), 200);
    let message = format!("JetStream refused: {said} ({code})");
    Failure::new(FailureClass::Protocol, format!("jetstream.{code}"), message)
}

impl Evidence for State {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        let one = |value: Option<Value<'a>>| value.map_or(Reading::Absent, Reading::One);
        match subject {
            "last" => one(self.last.map(Value::Time)),
            "sequence" => one(self.sequence.map(Value::Int)),
            "count" => one(Some(Value::Int(self.count))),
            "message_subject" => one(self.subject.as_deref().map(|text| Value::Text(text.into()))),
            "size" => one(Some(Value::Int(self.bytes))),
            _ => Reading::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_of_the_api() {
        let mut state = State::default();
        let message = json!({ "message": { "subject": "a.b", "seq": 7, "time": "2026-01-31T12:00:00.5Z", "data": "aGk=" } });
        state.note_message(&message).unwrap();
        let info = json!({ "state": { "messages": 9, "bytes": 90, "subjects": { "a.b": 2, "a.c": 1 } } });
        state.note_info(&info, true).unwrap();
        let last: Timestamp = "2026-01-31T12:00:00.5Z".parse().unwrap();
        let subject = Some("a.b".to_owned());
        assert_eq!(state, State { last: Some(last), sequence: Some(7), subject, count: 3, bytes: 90 });
        // An empty stream has the zero of Go as its last time.
        let mut state = State::default();
        let empty = json!({ "state": { "messages": 0, "bytes": 0, "last_seq": 0, "last_ts": "0001-01-01T00:00:00Z" } });
        state.note_info(&empty, false).unwrap();
        assert_eq!(state, State::default());
        let none = json!({ "error": { "code": 404, "err_code": 10037, "description": "no message found" } });
        state.note_message(&none).unwrap();
        assert_eq!(state, State::default());
    }

    #[test]
    fn refusals_and_nonsense() {
        let missing =
            json!({ "error": { "code": 404, "err_code": 10059, "description": "stream not found" } });
        let check = |answer: &Json| State::default().note_info(answer, false).unwrap_err();
        assert_eq!(check(&missing).error_type, "jetstream.404");
        assert_eq!(check(&missing).message, "JetStream refused: stream not found (404)");
        for nonsense in
            [json!({}), json!({ "state": 5 }), json!({ "state": { "messages": 1, "last_ts": "soon" } })]
        {
            assert_eq!(check(&nonsense).error_type, "jetstream.protocol", "{nonsense}");
        }
        assert_eq!(check(&json!({ "error": { "code": 123_456 } })).error_type, "jetstream.500");
    }
}
