//! The action: one request and its redirects, each a hop.

use std::cell::OnceCell;
use std::pin::pin;
use std::sync::Arc;

use http::Method;
use model::outcome::Failure;
use model::probe::BoxFuture;
use model::time::{Clock as _, SystemClock};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;
use scenario::template::Part;

use super::auth::{AuthPlan, SignIn};
use super::client::{Client, carry_on};
use super::clock;
use super::every;
use super::evidence::HttpEvidence;
use super::facts;
use super::redirect;
use super::request::{Ready, RequestPlan, Version};
use super::trail::Trail;
use super::way::WayPlan;
use crate::net::fault::within;
use crate::net::named;
use crate::net::shared::Net;

/// A step of the kind `http`.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) request: RequestPlan,
    pub(super) client: Client,
    pub(super) way: WayPlan,
    pub(super) auth: Option<AuthPlan>,
    /// How many redirects are followed.
    pub(super) follow: u32,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
    /// Whether every address of the name is asked by itself.
    pub(super) every_address: bool,
}

impl Action<Net> for Http {
    fn target(&self) -> String {
        let at = if self.every_address { " at each address" } else { "" };
        format!("{} {}{at}", self.request.method, self.request.url)
    }

    fn shows(&self, subject: &str) -> Shows {
        match subject {
            "json" | "xml" | "css" | "json_schema" | "regex" | "body" | "size"
                if self.request.method == Method::HEAD =>
            {
                Shows::Nothing("ask with GET, or leave it out: an answer to HEAD has no body")
            }
            "size" => Shows::AtMost(
                self.client.body_bytes_max,
                "write a larger `body_limit` under `http`: a body that is longer is not looked at",
            ),
            "redirects" => {
                Shows::AtMost(self.follow.into(), "write a larger `follow` under `http`, or expect less")
            }
            "http_version" => version(self.client.manner.version),
            "expires_in" if self.follow == 0 && self.is_in_the_clear() => {
                Shows::Nothing("write https:// in the URL: over http there is no certificate")
            }
            _ => Shows::Anything,
        }
    }

    fn is_repeatable(&self) -> bool {
        let has_key = || self.request.headers.iter().any(|(name, _)| name == "idempotency-key");
        self.request.method.is_idempotent() || has_key()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let mut all = self.client.manner.endpoints(&self.request.url, self.way.proxy.as_ref());
        if let Some(AuthPlan::OAuth2(token)) = &self.auth {
            all.extend(self.client.manner.abroad().endpoints(token.url(), None));
        }
        all
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            if self.every_address {
                // Boxed, as all that few steps need: the others would carry it.
                let outcome = Box::pin(every::address(self, net, context)).await;
                // Where to connect stands in the file otherwise.
                return match self.client.manner.connect_to {
                    None => named::hold_outcome(&self.request.url, outcome),
                    Some(_) => outcome,
                };
            }
            self.once(&self.client, net, context).await
        })
    }
}

/// What the server can be heard to speak, where one version is asked for.
const fn version(asked: Version) -> Shows {
    const HELP: &str = "`http_version` under `http` asks for one version: change it, or what is expected";
    match asked {
        Version::Auto => Shows::Anything,
        Version::H1 => Shows::OneOf(&["0.9", "1.0", "1.1"], HELP),
        Version::H2 => Shows::OneOf(&["2"], HELP),
        #[cfg(feature = "http3")]
        Version::H3 => Shows::OneOf(&["3"], HELP),
    }
}

impl Http {
    /// Whether the first request goes over plain http, as far as the file says it.
    fn is_in_the_clear(&self) -> bool {
        let Some(Part::Text(start)) = self.request.url.parts().first() else { return false };
        start.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    }

    /// Does the step once, as `client` sends it.
    pub(super) async fn once(
        &self,
        client: &Client,
        net: &mut Net,
        context: &StepContext<'_>,
    ) -> StepOutcome {
        let mut trail = Trail::new(context.began, net.detail());
        let done = {
            // In its place at once: it is large, and each hand that it went through would copy it.
            let following = pin!(self.follow(client, net, context, &mut trail));
            within(context.deadline, following).await
        };
        let failure = match done {
            Some(done) => done.err(),
            None => Some(trail.late(context.deadline)),
        };
        trail.end();
        self.outcome(trail, failure, context)
    }

    /// Signs in, asks, and follows redirects; the last hop is left in `trail`, to be ended by the caller.
    async fn follow(
        &self,
        client: &Client,
        net: &mut Net,
        context: &StepContext<'_>,
        trail: &mut Trail,
    ) -> Result<(), Failure> {
        let client = self.way.client(client, net, context.scope)?;
        let mut ready = self.request.ready(context.scope).await?;
        if client.manner.connect_to.is_none() && client.manner.proxy.is_none() {
            named::check_family(&self.request.url, &ready.target.address.host, client.manner.family)?;
        }
        let mut sign_in =
            SignIn::new(self.auth.as_ref(), &ready.target, &client, (net, context, trail)).await?;
        loop {
            sign_in.add(&mut ready)?;
            trail.begin(&ready);
            let asked = client.ask(net, context.scope.run, &ready, trail).await;
            let redirected = trail.redirects > 0;
            let connection = asked.or_else(|failure| {
                let is_redirects = redirected && !trail.is_at_proxy();
                match failure {
                    failure if self.is_of_no_use(&failure, (&ready, &sign_in), trail) => Ok(None),
                    failure if is_redirects => Err(redirect::led_to(failure)),
                    failure => Err(self.hold(failure, trail)),
                }
            })?;
            let answer = trail.answer.as_ref().expect("an exchange that did not fail left its answer");
            let challenged = sign_in.again(&ready, answer)?;
            let to = match self.follow {
                0 => None,
                _ if challenged => None,
                _ => redirect::destination(answer.status, &answer.headers, &ready.target)?,
            };
            let status = answer.status;
            if challenged || to.is_some() || net.more_to_come() {
                carry_on(net, connection, &ready, trail).await;
            }
            if let Some(to) = to {
                if trail.redirects == self.follow as usize {
                    return Err(redirect::too_many(self.follow, &to.target));
                }
                if let Some((_, password)) = &to.login {
                    net.hide("redirect", password);
                }
                trail.redirects += 1;
                ready = Arc::new(self.request.redirected(&ready, status, to)?);
            } else if !challenged {
                return Ok(());
            }
            trail.end();
        }
    }

    /// Whether only the body of a redirect that is followed, or of a challenge that is answered, could not be unpacked:
    /// nobody reads it.
    fn is_of_no_use(
        &self,
        failure: &Failure,
        (ready, sign_in): (&Ready, &SignIn<'_>),
        trail: &Trail,
    ) -> bool {
        let packed = failure.error_type == "http.encoding" || failure.error_type == "http.decompression_bomb";
        let Some(answer) = trail.answer.as_ref().filter(|_| packed) else { return false };
        let to = || redirect::destination(answer.status, &answer.headers, &ready.target);
        sign_in.is_challenged(ready, answer) || self.follow > 0 && !matches!(to(), Ok(None))
    }

    /// The failure of the first hop, held against the target if it is a denial of a place that an answer named.
    fn hold(&self, failure: Failure, trail: &Trail) -> Failure {
        let place = match &self.way.proxy {
            Some(proxy) if trail.is_at_proxy() => Some(proxy),
            // Where to connect stands in the file then, whatever the URL says.
            _ if self.client.manner.connect_to.is_some() => None,
            _ => Some(&self.request.url),
        };
        match place {
            Some(place) => named::hold(place, failure),
            None => failure,
        }
    }

    /// What is asked in this run, for people, as far as it is known.
    pub(super) fn target_of(&self, context: &StepContext<'_>) -> String {
        let url = self.request.url.render(context.scope).ok();
        let shown = url.and_then(|url| super::target::Target::parse(&url).ok()).map(|target| target.shown);
        format!("{} {}", self.request.method, shown.unwrap_or_else(|| self.request.url.to_string().into()))
    }

    fn outcome(&self, mut trail: Trail, failure: Option<Failure>, context: &StepContext<'_>) -> StepOutcome {
        let mut attributes = facts::attributes(&trail);
        if let Some(why) = &self.insecure {
            attributes.set("prober.tls.insecure", why.clone());
        }
        let evidence: Box<dyn Evidence> = match (trail.answer.take(), trail.asked.take()) {
            (Some(answer), Some((_, target))) if failure.is_none() => {
                let run = context.scope.run;
                let leaf = trail.tls.as_ref().and_then(|tls| tls.leaf.as_ref());
                // Good enough for days: the time at the run's start.
                let certificate = leaf.map(|leaf| (leaf.not_after, run.started_at));
                let client_unasked = trail.tls.as_ref().is_some_and(|tls| tls.client_unasked);
                let redirects = trail.redirects;
                let moments =
                    trail.hops.last().and_then(|hop| clock::moments(hop, context.began, SystemClock.now()));
                let clock = moments.and_then(|(asked, at)| clock::offset(&answer.headers, asked, at));
                if let Some(offset) = clock {
                    attributes.set("prober.http.clock_offset", offset.seconds());
                }
                Box::new(HttpEvidence {
                    answer,
                    target,
                    redirects,
                    certificate,
                    client_unasked,
                    clock,
                    json: OnceCell::new(),
                    xml: OnceCell::new(),
                    page: OnceCell::new(),
                })
            }
            _ => Box::new(Nothing),
        };
        StepOutcome { hops: trail.hops, attributes, failure, evidence }
    }
}
