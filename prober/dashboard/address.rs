//! The addresses that more is said of than what they give.

/// Where a token is asked for.
pub(crate) const LOGIN: &str = "/login";
/// Where the status page is.
pub(crate) const STATUS: &str = "/status";
/// Where the badges are.
pub(crate) const BADGES: &str = "/badge/";
/// Where a reload is asked for; it may take longer than other requests.
pub(crate) const RELOAD: &str = "/api/v1/reload";
/// Where a probe is asked for; it may take as long as its own limit.
pub(crate) const PROBE: &str = "/probe";
