//! The action: the pages of one listing, each a hop.

use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::time::{Clock as _, SystemClock};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;

use super::listing::{Listing, Next, error_of};
use super::request::{List, ListPlan, PAGE_OBJECTS};
use crate::http::client::{Client, carry_on};
use crate::http::facts;
use crate::http::trail::Trail;
use crate::net::fault::within;
use crate::net::named;
use crate::net::shared::Net;

/// The largest page: a thousand keys of 1 KiB, each byte of it written as three, and what stands around them.
pub(super) const PAGE_BYTES_MAX: u64 = 8 << 20;

/// A step of the kind `s3`.
#[derive(Debug)]
pub(super) struct S3 {
    pub(super) plan: ListPlan,
    pub(super) client: Client,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
}

impl Action<Net> for S3 {
    fn target(&self) -> String {
        let prefix = self.plan.prefix.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {}/{prefix}", self.plan.endpoint, self.plan.bucket)
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.client.manner.endpoints(&self.plan.endpoint, None)
    }

    fn shows(&self, subject: &str) -> Shows {
        match subject {
            "objects" => Shows::AtMost(
                self.plan.objects_max.into(),
                "write a larger `objects_max` under `s3`: a listing that is longer is not looked at",
            ),
            _ => Shows::Anything,
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let mut trail = Trail::new(context.began, net.detail());
            let mut listing = Listing::default();
            let list = match self.plan.list(context.scope) {
                Ok(list) => list,
                Err(failure) => return self.outcome(trail, listing, Some(failure), None),
            };
            if let Some(credentials) = &list.credentials {
                net.hide("credentials", &credentials.secret_key);
                net.hide("credentials", credentials.token.as_deref().unwrap_or_default());
            }
            let pages = self.pages(&list, (net, context), &mut trail, &mut listing);
            let failure = match within(context.deadline, pages).await {
                Some(done) => done.err(),
                None => Some(trail.late(context.deadline)),
            };
            self.outcome(trail, listing, failure, Some(&list))
        })
    }
}

impl S3 {
    /// Asks for page after page; the last hop is left in `trail`, to be ended by the caller.
    async fn pages(
        &self,
        list: &List<'_>,
        (net, context): (&mut Net, &StepContext<'_>),
        trail: &mut Trail,
        listing: &mut Listing,
    ) -> Result<(), Failure> {
        let objects_max = u64::from(self.plan.objects_max);
        let mut token: Option<String> = None;
        // A server may give fewer objects a page than it is asked for, but not pages without end.
        let pages_max = self.plan.objects_max.div_ceil(PAGE_OBJECTS) + 1;
        for left in (0..pages_max).rev() {
            let ready = list.page(token.as_deref(), context.scope, SystemClock.now())?;
            trail.begin(&ready);
            let asked = self.client.ask(net, context.scope.run, &ready, trail).await;
            let connection = asked.map_err(|failure| named::hold(&self.plan.endpoint, failure))?;
            let answer = trail.answer.as_ref().expect("an exchange that did not fail left its answer");
            if !answer.status.is_success() {
                return Err(refused(trail, list));
            }
            if answer.body.cut_at().is_some() {
                return Err(super::listing::wrong("a page is longer than 8 MiB"));
            }
            let next = listing.add(&answer.body.bytes(), &list.prefix)?;
            if matches!(next, Next::Page(_)) || net.more_to_come() {
                carry_on(net, connection, &ready, trail).await;
            }
            let Next::Page(next) = next else {
                if listing.objects > objects_max {
                    listing.cut = Some(too_many(objects_max));
                }
                return Ok(());
            };
            if listing.objects >= objects_max {
                listing.cut = Some(too_many(objects_max));
                return Ok(());
            }
            if left == 0 {
                listing.cut = Some(too_many_pages(pages_max, listing.objects, objects_max));
                return Ok(());
            }
            if token.as_ref() == Some(&next) {
                return Err(super::listing::wrong("it leads from a page to the same page"));
            }
            token = Some(next);
            trail.end();
        }
        Ok(())
    }

    fn outcome(
        &self,
        mut trail: Trail,
        listing: Listing,
        failure: Option<Failure>,
        list: Option<&List<'_>>,
    ) -> StepOutcome {
        trail.end();
        let mut attributes = facts::attributes(&trail);
        if let Some(list) = list {
            attributes.set("aws.s3.bucket", list.bucket.clone());
            attributes.set("aws.s3.prefix", list.prefix.clone());
        }
        if let Some(answer) = &trail.answer
            && let Some((code, _)) = error_of(&answer.body.bytes())
        {
            attributes.set("aws.error_code", code);
        }
        if let Some(why) = &self.insecure {
            attributes.set("prober.tls.insecure", why.clone());
        }
        let evidence: Box<dyn Evidence> = if failure.is_none() {
            attributes.set("prober.s3.objects", i64::try_from(listing.objects).unwrap_or(i64::MAX));
            attributes.set("prober.s3.bytes", i64::try_from(listing.bytes).unwrap_or(i64::MAX));
            Box::new(listing)
        } else {
            Box::new(Nothing)
        };
        StepOutcome { hops: trail.hops, attributes, failure, evidence }
    }
}

/// The failure of an answer that is an error: the status, and what the server says of it.
fn refused(trail: &Trail, list: &List<'_>) -> Failure {
    let answer = trail.answer.as_ref().expect("the caller has seen the answer");
    let status = answer.status.as_str().to_owned();
    let said = match error_of(&answer.body.bytes()) {
        Some((code, message)) => format!(" {}", super::listing::shown(&code, &message)),
        None => String::new(),
    };
    let region = answer.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let elsewhere = match region.filter(|_| answer.status.is_redirection()) {
        Some(region) => format!(" (the bucket's region is {})", model::outcome::cut(region.to_owned(), 40)),
        None => String::new(),
    };
    let message = format!("listing the bucket {} was answered with {status}{said}{elsewhere}", list.bucket);
    Failure::new(FailureClass::Protocol, status, message)
}

fn too_many(objects_max: u64) -> String {
    format!(
        "the listing goes on after {objects_max} objects, which is its `objects_max`; the newest may be further on"
    )
}

fn too_many_pages(pages: u32, objects: u64, objects_max: u64) -> String {
    let objects = if objects == 1 { "one object".to_owned() } else { format!("{objects} objects") };
    format!(
        "the listing goes on after {pages} pages with {objects} on them, which are the most pages for `objects_max: {objects_max}`; the newest may be further on"
    )
}
