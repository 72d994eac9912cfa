//! Signing in: what is added to a request so that the server knows who asks.
//!
//! | module | holds |
//! | --- | --- |
//! | [`file`] | the keys under `auth`, and how they become a plan |
//! | [`digest`] | Digest: the answer to a server's challenge |
//! | [`token`] | OAuth 2: a token is fetched first |
//! | [`sign_in`] | what is carried from request to request of one run |

mod digest;
pub(crate) mod file;
mod sign_in;
mod token;

pub(super) use sign_in::SignIn;
pub(super) use token::basic;

use scenario::template::Template;

/// How a step signs in, with its holes.
#[derive(Debug)]
pub(super) enum AuthPlan {
    /// User and password in every request (RFC 7617).
    Basic(Login),
    /// A token that is known (RFC 6750).
    Bearer(Template),
    /// The answer to a challenge (RFC 7616).
    Digest(Login),
    /// A token that is fetched with the client's own credentials (RFC 6749, section 4.4).
    OAuth2(Box<TokenPlan>),
    /// A signature over the request.
    SigV4(SigV4Plan),
}

/// Who signs in.
#[derive(Debug)]
pub(super) struct Login {
    user: Template,
    password: Template,
}

/// Where a token comes from.
#[derive(Debug)]
pub(super) struct TokenPlan {
    url: Template,
    client_id: Template,
    client_secret: Template,
    scope: Option<Template>,
    audience: Option<Template>,
    /// Whether the client's credentials stand in the form and not in a header.
    in_body: bool,
}

impl TokenPlan {
    /// Where the token is asked for.
    pub(super) const fn url(&self) -> &Template {
        &self.url
    }
}

/// What is signed for.
#[derive(Debug)]
pub(super) struct SigV4Plan {
    service: String,
    region: String,
    credentials: Template,
}
