//! A URL with `ws://` or `wss://`: to all below it, that of the HTTP request that opens the WebSocket.

use crate::http::target::{Target, UrlError};

/// Why a text is no URL of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WsUrlError {
    /// Another scheme, or none.
    #[error("the URL of a WebSocket begins with ws:// or wss://")]
    Scheme,
    /// Something is wrong behind the scheme.
    #[error("{0}")]
    Rest(UrlError),
    /// `#…` is never sent (RFC 6455, section 3).
    #[error("the URL of a WebSocket has no part behind a #")]
    Fragment,
}

/// Where the request that opens the WebSocket goes.
///
/// # Errors
/// It is no URL of a WebSocket.
pub(super) fn parse(text: &str) -> Result<Target, WsUrlError> {
    let (scheme, rest) = text.split_once("://").ok_or(WsUrlError::Scheme)?;
    let http = match scheme.to_ascii_lowercase().as_str() {
        "ws" => "http",
        "wss" => "https",
        _ => return Err(WsUrlError::Scheme),
    };
    if rest.contains('#') {
        return Err(WsUrlError::Fragment);
    }
    Target::parse(&format!("{http}://{rest}")).map_err(WsUrlError::Rest)
}

/// The URL for people, with its own scheme.
pub(super) fn shown(target: &Target) -> String {
    target.shown.replacen("http", "ws", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, wanted) in [
            ("ws://live.test/prices?x=1", Ok("live.test:80 ws://live.test/prices?x=")),
            ("WSS://live.test", Ok("live.test:443 wss://live.test/")),
            ("https://live.test", Err(WsUrlError::Scheme)),
            ("live.test", Err(WsUrlError::Scheme)),
            ("ws://live.test/#top", Err(WsUrlError::Fragment)),
            ("ws://me:secret@live.test/", Err(WsUrlError::Rest(UrlError::UserInfo))),
        ] {
            let parsed = parse(text).map(|target| format!("{} {}", target.address, shown(&target)));
            match (parsed, wanted) {
                (Ok(parsed), Ok(wanted)) => assert!(parsed.starts_with(wanted), "{parsed}"),
                (parsed, wanted) => assert_eq!(parsed, wanted.map(str::to_owned), "{text}"),
            }
        }
    }
}
