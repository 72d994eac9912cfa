//! What is carried from request to request of one run to sign each of them in.

use std::sync::Arc;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use model::outcome::{Failure, FailureClass};
use model::time::{Clock as _, SystemClock};
use scenario::kind::StepContext;
use scenario::template::Template;
use sha2::{Digest as _, Sha256};

use super::super::client::Client;
use super::super::request::Ready;
use super::super::target::Target;
use super::super::trail::{Answer, Trail};
use super::digest::{Asked, Challenge};
use super::{AuthPlan, Login, token};
use crate::net::fault;
use crate::net::shared::Net;
use crate::sigv4::{self, Credentials, hex};

/// How often a server may say in one run that an answer was right and too late.
const RENEWALS_MAX: u8 = 3;

/// How one run signs in.
pub(in crate::http) struct SignIn<'a> {
    way: Way<'a>,
    /// Where what it adds may go.
    home: Arc<Target>,
}

/// What is added to a request.
enum Way<'a> {
    Nothing,
    Header(HeaderValue),
    Digest(Box<Digest>),
    SigV4 { credentials: Credentials, service: &'a str, region: &'a str },
}

/// What an answer wants to see.
enum Challenged {
    /// Nothing, or nothing more than it was shown.
    Not,
    /// The answer to this.
    With(Challenge),
    /// Something that is not known here.
    Unknown,
}

struct Digest {
    user: String,
    password: String,
    /// What was challenged last, and how often it was answered.
    known: Option<(Challenge, u32)>,
    /// A text that is of this run alone.
    seed: String,
    /// How often the server may still say that an answer was too late.
    renewals_left: u8,
}

impl<'a> SignIn<'a> {
    /// Signs in as `plan` says; fetches a token if there must be one.
    ///
    /// # Errors
    /// A hole cannot be filled, or there is no token to be had.
    pub(in crate::http) async fn new(
        plan: Option<&'a AuthPlan>,
        home: &Arc<Target>,
        client: &Client,
        (net, context, trail): (&mut Net, &StepContext<'_>, &mut Trail),
    ) -> Result<Self, Failure> {
        let fill = |template: &Template| {
            template
                .render(context.scope)
                .map(std::borrow::Cow::into_owned)
                .map_err(|error| fault::unresolved(&error))
        };
        let way = match plan {
            None => Way::Nothing,
            Some(AuthPlan::Basic(Login { user, password })) => {
                Way::Header(token::basic(&fill(user)?, &fill(password)?))
            }
            Some(AuthPlan::Bearer(token)) => {
                let what = "the token cannot stand in a header";
                Way::Header(bearer(&fill(token)?).ok_or_else(|| fault::unusable(token, what))?)
            }
            Some(AuthPlan::OAuth2(plan)) => {
                let token = Box::pin(plan.fetch(net, client, context, trail)).await?;
                let cannot = || fault::config("the token cannot stand in a header");
                Way::Header(bearer(&token).ok_or_else(cannot)?)
            }
            Some(AuthPlan::Digest(Login { user, password })) => {
                let (user, password) = (fill(user)?, fill(password)?);
                let seed = format!("{}:{:?}:{password}", context.scope.run.id, context.began);
                Way::Digest(Box::new(Digest {
                    user,
                    password,
                    known: None,
                    seed,
                    renewals_left: RENEWALS_MAX,
                }))
            }
            Some(AuthPlan::SigV4(plan)) => {
                let credentials = Credentials::parse(&fill(&plan.credentials)?);
                let credentials = credentials.map_err(|error| fault::config(error.to_string()))?;
                net.hide("credentials", &credentials.secret_key);
                net.hide("credentials", credentials.token.as_deref().unwrap_or_default());
                Way::SigV4 { credentials, service: &plan.service, region: &plan.region }
            }
        };
        Ok(Self { way, home: Arc::clone(home) })
    }

    /// Adds to `ready` what the server wants to see, if it goes to where the step went first.
    ///
    /// # Errors
    /// The header cannot be sent.
    pub(in crate::http) fn add(&mut self, ready: &mut Arc<Ready>) -> Result<(), Failure> {
        if matches!(self.way, Way::Nothing) || !self.home.same_origin(&ready.target) {
            return Ok(());
        }
        let ready = Arc::make_mut(ready);
        match &mut self.way {
            Way::Nothing => {}
            Way::Header(value) => {
                ready.headers.insert(AUTHORIZATION, value.clone());
            }
            Way::Digest(digest) => {
                if let Some(value) = digest.value(ready)? {
                    ready.headers.insert(AUTHORIZATION, value);
                }
            }
            Way::SigV4 { credentials, service, region } => {
                let url = sigv4::canonical_url(ready.target.url.clone());
                let target = Target::of(url).map_err(|error| fault::config(error.to_string()))?;
                ready.target = Arc::new(target);
                let scope = sigv4::Scope { region, service, at: SystemClock.now() };
                let request = (&ready.method, &ready.target.url, &ready.body[..]);
                sigv4::sign(request, &mut ready.headers, &scope, credentials);
            }
        }
        Ok(())
    }

    /// Whether the same request is to be sent again, now that the server has said what it wants to see.
    ///
    /// # Errors
    /// Class `protocol`, `auth.challenge`: the server wants something that is not known here.
    pub(in crate::http) fn again(&mut self, ready: &Ready, answer: &Answer) -> Result<bool, Failure> {
        let challenge = self.challenge(ready, answer);
        let Way::Digest(digest) = &mut self.way else { return Ok(false) };
        match (digest.known.is_some(), challenge) {
            (false, Challenged::With(challenge)) => digest.known = Some((challenge, 0)),
            (true, Challenged::With(challenge)) => {
                digest.known = Some((challenge, 0));
                digest.renewals_left -= 1;
            }
            (_, Challenged::Not) => return Ok(false),
            (_, Challenged::Unknown) => {
                let message = "the server answered 401 without a Digest challenge of MD5, SHA-256 or SHA-512-256 that can be answered";
                return Err(Failure::new(FailureClass::Protocol, "auth.challenge", message));
            }
        }
        Ok(true)
    }

    /// Whether `answer` is only a challenge, which is answered and whose body nobody reads.
    pub(in crate::http) fn is_challenged(&self, ready: &Ready, answer: &Answer) -> bool {
        matches!(self.challenge(ready, answer), Challenged::With(_))
    }

    fn challenge(&self, ready: &Ready, answer: &Answer) -> Challenged {
        let Way::Digest(digest) = &self.way else { return Challenged::Not };
        if answer.status != StatusCode::UNAUTHORIZED || !self.home.same_origin(&ready.target) {
            return Challenged::Not;
        }
        let values = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        match (&digest.known, Challenge::find(values)) {
            (None, Some(challenge)) => Challenged::With(challenge),
            (None, None) => Challenged::Unknown,
            // The answer was right and too late: once more, but not for ever.
            (Some((_, 1..)), Some(challenge)) if challenge.stale && digest.renewals_left > 0 => {
                Challenged::With(challenge)
            }
            _ => Challenged::Not,
        }
    }
}

impl Digest {
    fn value(&mut self, ready: &Ready) -> Result<Option<HeaderValue>, Failure> {
        let Some((challenge, count)) = &mut self.known else { return Ok(None) };
        *count += 1;
        let uri = ready.target.path.to_string();
        let cnonce = hex(&Sha256::digest(format!("{}:{count}:{uri}", self.seed))[..16]);
        let asked = Asked {
            method: ready.method.as_str(),
            uri: &uri,
            body: &ready.body,
            user: &self.user,
            password: &self.password,
            count: *count,
            cnonce: &cnonce,
        };
        let value = HeaderValue::try_from(challenge.answer(&asked));
        let mut value = value.map_err(|_| fault::config("the user's name cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// The header for `token`; `None` if it has a control character in it.
fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    value.set_sensitive(true);
    Some(value)
}
