//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The bytes that a secret may have.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets that a body is signed with; cannot be printed.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Reads secrets with white space between them: a new one beside the old one while receivers change over.
    ///
    /// # Errors
    /// What a secret should look like.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let secrets: Option<Vec<_>> = text.split_whitespace().map(secret).collect();
        let secrets = secrets.filter(|secrets| !secrets.is_empty()).map(Self);
        secrets.ok_or_else(|| {
            "is not `whsec_` and base64 of 24 to 64 bytes (or several of them, with spaces)".to_owned()
        })
    }

    /// The value of the header `webhook-signature`; `None` without secrets.
    pub(super) fn signature(&self, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
        let one = |secret: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("keys of any length are taken");
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        let all: Vec<_> = self.0.iter().map(one).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

fn secret(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

/// The id of a message: the same for the same change, whenever it is sent.
pub(super) fn message_id(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    format!("msg_{}", URL_SAFE_NO_PAD.encode(&hash[..16]))
}
