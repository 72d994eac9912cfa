//! Where a step connects: an address that is parsed when the file is compiled if it is known by then.

use std::borrow::Cow;
use std::fmt;

use model::attribute::Attributes;
use model::outcome::Failure;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::kind::{Endpoint, StepOutcome};
use scenario::source::Spanned;
use scenario::template::{Scope, Template};

use crate::net::address::HostPort;
use crate::net::fault;
use crate::net::named;
use crate::net::resolve::Family;

/// Where to connect.
#[derive(Debug)]
pub(crate) enum Reach {
    /// A constant.
    Now(HostPort),
    /// An address with holes, and the port if it has none.
    Later(Template, Option<u16>),
}

impl Reach {
    /// The address in `given`, with a port of its own unless there is a `port_default`; `None` if the report says
    /// what is wrong, with `example` as what to type.
    pub(crate) fn new(
        given: Spanned<Template>,
        port_default: Option<u16>,
        example: &str,
        report: &mut Report,
    ) -> Option<Self> {
        let Some(text) = given.value.constant() else { return Some(Self::Later(given.value, port_default)) };
        match HostPort::parse(text, port_default) {
            Ok(parsed) => Some(Self::Now(parsed)),
            Err(error) => {
                let help = format!("write a host and a port, like {example}");
                report.push(Diagnostic::error("E134", given.span, error.to_string()).help(help));
                None
            }
        }
    }

    /// The address, as far as the file says it.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        match self {
            Self::Now(address) => vec![address.endpoint()],
            Self::Later(..) => Vec::new(),
        }
    }

    /// The address in this run.
    ///
    /// # Errors
    /// A name has no value, or what it is filled with is no address, or none of this family.
    pub(crate) fn resolve(&self, scope: &Scope<'_>, family: Family) -> Result<Cow<'_, HostPort>, Failure> {
        match self {
            Self::Now(address) => Ok(Cow::Borrowed(address)),
            Self::Later(template, port_default) => {
                let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
                let parsed = HostPort::parse(&text, *port_default)
                    .map_err(|error| fault::unusable(template, &error.to_string()))?;
                named::check_family(template, &parsed.host, family)?;
                Ok(Cow::Owned(parsed))
            }
        }
    }

    /// `failure`, held against the target if it is a denial and a captured value named the host.
    pub(crate) fn hold(&self, failure: Failure) -> Failure {
        match self {
            Self::Now(_) => failure,
            Self::Later(template, _) => named::hold(template, failure),
        }
    }

    /// The same for what a step came to.
    pub(crate) fn hold_outcome(&self, outcome: StepOutcome) -> StepOutcome {
        match self {
            Self::Now(_) => outcome,
            Self::Later(template, _) => named::hold_outcome(template, outcome),
        }
    }
}

/// As the author wrote it.
impl fmt::Display for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(address) => write!(out, "{address}"),
            Self::Later(template, _) => write!(out, "{template}"),
        }
    }
}

/// What every step that talks to `address` over `transport` says of it.
pub(crate) fn facts(address: &HostPort, transport: &'static str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.set("server.address", address.host.to_string());
    attributes.set("server.port", i64::from(address.port));
    attributes.set("network.transport", transport);
    attributes
}
