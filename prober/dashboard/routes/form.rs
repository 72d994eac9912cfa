//! What a form sent: small, and read once.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use percent_encoding::percent_decode_str;

/// The most that a form may send, in bytes.
const BYTES_MAX: usize = 16 * 1_024;

/// The fields of a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A field's text; empty if it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn of(text: &str) -> Self {
        let word = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (word(name), word(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).take(32).map(pair).collect())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = (StatusCode, &'static str);

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let bytes = to_bytes(request.into_body(), BYTES_MAX).await;
        let bytes = bytes.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "the form is too long\n"))?;
        Ok(Self::of(&String::from_utf8_lossy(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let form = Form::of("a=1+2&b=%3Cb%3E&a=3&c&=x");
        assert_eq!((form.text("a"), form.text("b"), form.text("c"), form.text("d")), ("1 2", "<b>", "", ""));
    }
}
