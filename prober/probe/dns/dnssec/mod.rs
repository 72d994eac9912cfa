//! DNSSEC validation with a reason (RFC 4033–4035, 5155): from a trust anchor down to the answer.
//!
//! The chain is asked of the same server as the question, with checking disabled, so that also a resolver that
//! validates gives what it would not believe itself. Nothing is kept between runs: a monitor that trusts
//! yesterday's keys does not see today's mistake. Signatures are looked at by hickory's codec over ring.
//!
//! | file | holds |
//! | --- | --- |
//! | [`anchor`] | the keys that are trusted without a chain |
//! | [`chain`] | from an anchor down to the zone that signed |
//! | [`answer`] | whether an answer's records, or their absence, are proved |
//! | [`rrset`] | records of one name and type, and their signatures |
//! | [`denial`] | what NSEC and NSEC3 records prove |

pub(super) mod anchor;
mod answer;
mod chain;
mod denial;
mod rrset;

use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use model::outcome::Failure;

use super::question::Question;
use super::server::{Asking, Server};
use anchor::Anchors;
use chain::Chain;

/// What is known of an answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is proved by a chain of signatures from a trust anchor.
    Secure,
    /// It is proved that nothing is signed there.
    Insecure,
    /// It should be proved, and is not.
    Bogus,
}

/// Why an answer is not secure.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is.
    None,
    /// The zone is not signed.
    Unsigned,
    /// The zone is signed, but its parent does not say so.
    MissingDs,
    /// Every DS record, or every signature, uses an algorithm that is not known here.
    UnsupportedAlgorithm,
    /// There is no anchor above the name.
    NoTrustAnchor,
    /// The signature's time is over.
    SignatureExpired,
    /// The signature's time has not begun.
    SignatureNotYetValid,
    /// Records that must be signed are not.
    MissingSignature,
    /// The signature does not belong to these records.
    BogusSignature,
    /// The zone's keys are not those that its parent or an anchor names, or none made the signature.
    NoMatchingKey,
    /// Nothing proves that records are absent.
    MissingProof,
}

impl State {
    /// The words of the subject `dnssec`.
    pub(super) const WORDS: &[&str] = &["secure", "insecure", "bogus"];

    /// The word used in files, events and messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
        }
    }
}

impl Reason {
    /// The words of the subject `dnssec.reason`.
    pub(super) const WORDS: &[&str] = &[
        "none",
        "unsigned",
        "missing_ds",
        "unsupported_algorithm",
        "no_trust_anchor",
        "signature_expired",
        "signature_not_yet_valid",
        "missing_signature",
        "bogus_signature",
        "no_matching_key",
        "missing_proof",
    ];

    /// The word used in files, events and messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unsigned => "unsigned",
            Self::MissingDs => "missing_ds",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::NoTrustAnchor => "no_trust_anchor",
            Self::SignatureExpired => "signature_expired",
            Self::SignatureNotYetValid => "signature_not_yet_valid",
            Self::MissingSignature => "missing_signature",
            Self::BogusSignature => "bogus_signature",
            Self::NoMatchingKey => "no_matching_key",
            Self::MissingProof => "missing_proof",
        }
    }
}

/// What validation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) state: State,
    pub(super) reason: Reason,
    /// The same as a sentence with names, keys and times; empty if the answer is secure.
    pub(super) detail: String,
}

impl Proof {
    const fn secure() -> Self {
        Self { state: State::Secure, reason: Reason::None, detail: String::new() }
    }

    const fn insecure(reason: Reason, detail: String) -> Self {
        Self { state: State::Insecure, reason, detail }
    }

    const fn bogus(reason: Reason, detail: String) -> Self {
        Self { state: State::Bogus, reason, detail }
    }

    /// The weaker of two.
    fn and(self, other: Self) -> Self {
        if other.state as u8 > self.state as u8 { other } else { self }
    }
}

/// Why validation ended early.
#[derive(Debug)]
enum Stop {
    /// It is plain what the answer is.
    Proved(Proof),
    /// The chain could not be asked for.
    Failed(Failure),
}

impl From<Proof> for Stop {
    fn from(proof: Proof) -> Self {
        Self::Proved(proof)
    }
}

/// Validates `message`, the answer to `question`; the chain is asked of `server`. With the time that it took.
///
/// `None` for an answer that says that there is none, such as SERVFAIL.
///
/// # Errors
/// The chain could not be asked for.
pub(super) async fn validate(
    message: &Message,
    question: &Question,
    anchors: &Anchors,
    (server, asking): (&Server, Asking<'_>),
) -> Result<Option<(Proof, Duration)>, Failure> {
    let began = Instant::now();
    if !matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Ok(None);
    }
    let mut chain = Chain::new(anchors, server, asking);
    let proof = match answer::judge(message, question, &mut chain).await {
        Ok(proof) | Err(Stop::Proved(proof)) => proof,
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    Ok(Some((proof, began.elapsed())))
}
