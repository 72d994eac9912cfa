//! What a failure or a broken assertion of a step stands for: a reason, a class and a type.

use std::borrow::Cow;

use model::outcome::{Failure, FailureClass, Reason, cut};
use model::step::SHOWN_MAX;
use scenario::assertion::{Assertion, Checked};
use scenario::plan::StepPlan;
use scenario::template::Captured;

use crate::net::fault;
use crate::net::policy::POLICY;
use crate::net::shared::Net;

/// The reason that a failure of an action stands for.
pub(super) fn reason_of(failure: &Failure) -> Reason {
    match (failure.class, &*failure.error_type) {
        (FailureClass::Local, fault::CONFIG | fault::SECRET | POLICY) => Reason::ConfigFault,
        (FailureClass::Local, _) => Reason::ProberFault,
        _ => Reason::Failed,
    }
}

/// The `error.type` of the reasons that are about a value's time.
pub(super) const fn of_time(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Stale | Reason::Stalled | Reason::Backwards | Reason::FutureDated => Some(reason.as_str()),
        _ => None,
    }
}

/// The failure that a broken `expect` stands for.
pub(super) fn broken(step: &StepPlan<Net>, assertion: &Assertion, checked: &Checked) -> Failure {
    let (class, error_type) = if let Some(error_type) = of_time(checked.reason) {
        (FailureClass::Stale, Cow::Borrowed(error_type))
    } else {
        let special = (step.kind.classify)(assertion.subject(), &checked.actual, assertion.is_implied());
        special.unwrap_or_else(|| {
            (FailureClass::Incorrect, Cow::Owned(format!("assert.{}", assertion.subject())))
        })
    };
    Failure::new(class, error_type, checked.message.clone())
}

/// A captured value as people may see it.
pub(super) fn shown(name: &str, captured: &Captured) -> String {
    if captured.secret {
        return format!("•••({name})");
    }
    let text = captured.value.as_str().map_or_else(|| captured.value.to_string(), str::to_owned);
    cut(text, SHOWN_MAX)
}
