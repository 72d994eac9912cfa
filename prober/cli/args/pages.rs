//! The words of `serve` about its pages.

use std::path::PathBuf;

use clap::Args;

/// Who may see the pages, and how they are encrypted.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PageArgs {
    /// A proxy in front has the certificate and says who asks; only it may be able to connect
    #[arg(long, help_heading = "Pages")]
    pub(crate) behind_proxy: bool,
    /// The certificate chain for the pages, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Pages")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Pages")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A file with the token of those who may look
    #[arg(long, value_name = "FILE", help_heading = "Pages")]
    pub(crate) viewer_token_file: Option<PathBuf>,
    /// A file with the token of those who may look, acknowledge and reload
    #[arg(long, value_name = "FILE", help_heading = "Pages")]
    pub(crate) operator_token_file: Option<PathBuf>,
    /// The header in which the proxy names the person, such as X-Forwarded-User
    #[arg(long, value_name = "NAME", requires = "behind_proxy", help_heading = "Pages")]
    pub(crate) user_header: Option<String>,
    /// A person of that header who may act, not only look; may be repeated
    #[arg(long = "operator", value_name = "NAME", requires = "user_header", help_heading = "Pages")]
    pub(crate) operators: Vec<String>,
    /// Show a status page and badges of scenarios with `public: true` to everybody, at /status
    #[arg(long, help_heading = "Pages")]
    pub(crate) public_status: bool,
    /// A host name that the pages answer to, beside loopback's; may be repeated
    #[arg(long = "host", value_name = "NAME", help_heading = "Pages")]
    pub(crate) hosts: Vec<String>,
}
