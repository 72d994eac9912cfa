//! The action of a `grpc` step: one call.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Method};
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::template::{Scope, Template};

use super::answer::Health;
use super::message::{self, SERVICE_MAX};
use crate::http::client::{Client, carry_on};
use crate::http::facts;
use crate::http::given;
use crate::http::request::{Ready, TRACEPARENT, user_agent};
use crate::http::target::Target;
use crate::http::trail::Trail;
use crate::http::way::WayPlan;
use crate::net::fault::{self, unusable, within};
use crate::net::reach::Reach;
use crate::net::shared::Net;

/// The full name of the protocol's service, and its method.
const SERVICE: &str = "grpc.health.v1.Health";
const METHOD: &str = "Check";

/// The header that tells the server how long the answer is waited for.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A `grpc` step, ready to be run.
#[derive(Debug)]
pub(super) struct Grpc {
    pub(super) reach: Reach,
    /// The service that is asked about; the server as a whole if `None`.
    pub(super) service: Option<Template>,
    /// Whether in TLS.
    pub(super) secure: bool,
    pub(super) metadata: Vec<(HeaderName, Template)>,
    pub(super) client: Client,
    pub(super) way: WayPlan,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
}

impl Action<Net> for Grpc {
    fn target(&self) -> String {
        match &self.service {
            Some(service) => format!("{service} at {}", self.reach),
            None => self.reach.to_string(),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let mut trail = Trail::new(context.began, net.detail());
            let done = within(context.deadline, self.call(net, context, &mut trail)).await;
            let late = || Err(trail.late(context.deadline));
            let done = done.unwrap_or_else(late).map_err(|failure| self.reach.hold(failure));
            trail.end();
            let mut attributes = facts::attributes(&trail);
            attributes.set("rpc.system", "grpc");
            attributes.set("rpc.service", SERVICE);
            attributes.set("rpc.method", METHOD);
            if let Some(why) = &self.insecure {
                attributes.set("prober.tls.insecure", why.clone());
            }
            if let (Ok(health), Some(hop)) = (&done, trail.hops.last_mut()) {
                health.describe(&mut attributes);
                hop.status = Some(health.code().to_owned().into());
            }
            let (failure, evidence): (_, Box<dyn Evidence>) = match done {
                Ok(health) => (None, Box::new(health)),
                Err(failure) => (Some(failure), Box::new(Nothing)),
            };
            StepOutcome { hops: trail.hops, attributes, failure, evidence }
        })
    }
}

impl Grpc {
    async fn call(
        &self,
        net: &mut Net,
        context: &StepContext<'_>,
        trail: &mut Trail,
    ) -> Result<Health, Failure> {
        let client = self.way.client(&self.client, net, context.scope)?;
        let ready = self.ready(context)?;
        trail.begin(&ready);
        let connection = client.ask(net, context.scope.run, &ready, trail).await.map_err(in_grpc)?;
        if net.more_to_come() {
            carry_on(net, connection, &ready, trail).await;
        }
        Health::of(trail.answer.as_ref().expect("an exchange that did not fail left its answer"))
    }

    fn ready(&self, context: &StepContext<'_>) -> Result<Ready, Failure> {
        let scope = context.scope;
        let address = self.reach.resolve(scope, self.client.manner.family)?;
        let scheme = if self.secure { "https" } else { "http" };
        let target = Target::parse(&format!("{scheme}://{address}/{SERVICE}/{METHOD}"))
            .map_err(|error| fault::config(error.to_string()))?;
        let body = message::request(&self.service(scope)?);
        let mut headers = HeaderMap::with_capacity(self.metadata.len() + 6);
        headers.insert(HOST, self.authority(&target));
        headers.insert(USER_AGENT, user_agent(scope.run));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(TIMEOUT, timeout(context.deadline));
        headers.insert(TRACEPARENT, HeaderValue::from_static(""));
        let given = given::filled(&self.metadata, scope)?;
        let traced = !given.contains_key(TRACEPARENT);
        // What the author gives takes the place of a default of the same name.
        headers.extend(given);
        Ok(Ready { method: Method::POST, target: Arc::new(target), headers, body, traced })
    }

    fn service(&self, scope: &Scope<'_>) -> Result<String, Failure> {
        let Some(template) = &self.service else { return Ok(String::new()) };
        let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
        if text.len() > SERVICE_MAX {
            return Err(unusable(template, "the name of the service is longer than 1024 bytes"));
        }
        Ok(text.into_owned())
    }

    /// What the call says it is for: the given name with the port, or the address.
    fn authority(&self, target: &Target) -> HeaderValue {
        let Some(name) = &self.client.manner.name else { return target.authority() };
        HeaderValue::try_from(format!("{name}:{}", target.address.port))
            .unwrap_or_else(|_| target.authority())
    }
}

/// The time left, in milliseconds; at most eight digits may be said.
fn timeout(deadline: Instant) -> HeaderValue {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 99_999_999);
    HeaderValue::try_from(format!("{left}m")).expect("digits and a letter may stand in a header")
}

/// A failure of HTTP below the call.
fn in_grpc(failure: Failure) -> Failure {
    if failure.class == FailureClass::Protocol && failure.error_type.starts_with("http.") {
        let message = format!("the call failed below gRPC: {}", failure.message);
        return Failure::new(FailureClass::Protocol, "grpc.protocol", message);
    }
    failure
}
