//! What can be wrong with a served chain, in order of weight.
//!
//! Each defect is looked for by itself, so a chain may have several. The weightiest one names the failure; the
//! rule is the order of the table here and does not change from run to run:
//!
//! | what is wrong | `error.type` |
//! | --- | --- |
//! | it cannot be read | `tls.untrusted` |
//! | it was revoked | `tls.revoked` |
//! | nobody who is trusted vouches for it | `tls.untrusted` |
//! | it is not valid today | `tls.expired`, `tls.not_yet_valid` |
//! | it is for another name | `tls.name_mismatch` |
//! | it could be forged | `tls.weak` |
//! | a stapled answer is promised and missing | `tls.staple` |
//! | the certificates come in the wrong order | `tls.chain_order` |

/// One way in which a chain can be wrong; less is worse.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Defect {
    /// The server's certificate cannot be read, or contradicts itself.
    Malformed,
    /// The authority has taken the certificate, or one of its issuers, back.
    Revoked,
    /// The certificate vouches for itself, and is not trusted.
    SelfSigned,
    /// The certificate's issuer was neither served nor is trusted.
    MissingIntermediate,
    /// The chain ends at an authority that is not trusted.
    Untrusted,
    /// A certificate was not signed by the one that it names as its issuer.
    BadSignature,
    /// The certificate is for something else than servers.
    WrongPurpose,
    /// The chain breaks a limit that an authority has set: on names, on its length, on who may issue.
    ConstraintViolated,
    /// The server's certificate is that of an authority.
    CaAsLeaf,
    /// The server's certificate has ended.
    Expired,
    /// A certificate between the server's and the authority's has ended.
    IntermediateExpired,
    /// The authority's own certificate has ended.
    RootExpired,
    /// The server's certificate has not begun.
    NotYetValid,
    /// A certificate between the server's and the authority's has not begun.
    IntermediateNotYetValid,
    /// The certificate is for other names.
    NameMismatch,
    /// A certificate is signed with MD5 or SHA-1.
    WeakSignature,
    /// A key is too short: RSA below 2048 bits, elliptic curves below 256.
    WeakKey,
    /// The certificate promises a stapled OCSP answer, and none came.
    StapleMissing,
    /// A certificate does not follow the one that it issued.
    WrongOrder,
}

/// The words of the subject `defects`, the worst first.
pub(super) const WORDS: &[&str] = &[
    "malformed",
    "revoked",
    "self_signed",
    "missing_intermediate",
    "untrusted",
    "bad_signature",
    "wrong_purpose",
    "constraint_violated",
    "ca_as_leaf",
    "expired",
    "intermediate_expired",
    "root_expired",
    "not_yet_valid",
    "intermediate_not_yet_valid",
    "name_mismatch",
    "weak_signature",
    "weak_key",
    "staple_missing",
    "wrong_order",
];

/// The word of a chain without a defect that would stop a client.
pub(super) const TRUSTED: &str = "trusted";

/// The words of the subject `chain`.
pub(super) const CHAIN_WORDS: &[&str] = &[
    TRUSTED,
    "expired",
    "not_yet_valid",
    "self_signed",
    "missing_intermediate",
    "untrusted",
    "malformed",
    "revoked",
    "weak",
];

impl Defect {
    /// Every defect, the worst first.
    const ALL: [Self; 19] = [
        Self::Malformed,
        Self::Revoked,
        Self::SelfSigned,
        Self::MissingIntermediate,
        Self::Untrusted,
        Self::BadSignature,
        Self::WrongPurpose,
        Self::ConstraintViolated,
        Self::CaAsLeaf,
        Self::Expired,
        Self::IntermediateExpired,
        Self::RootExpired,
        Self::NotYetValid,
        Self::IntermediateNotYetValid,
        Self::NameMismatch,
        Self::WeakSignature,
        Self::WeakKey,
        Self::StapleMissing,
        Self::WrongOrder,
    ];

    /// The word in `defects`.
    pub(super) fn word(self) -> &'static str {
        WORDS[self as usize]
    }

    /// The word in `chain`; `None` for what is another subject's, or stops no client.
    pub(super) fn chain_word(self) -> Option<&'static str> {
        Some(match self {
            Self::NameMismatch | Self::StapleMissing | Self::WrongOrder => return None,
            Self::BadSignature | Self::WrongPurpose | Self::ConstraintViolated | Self::CaAsLeaf => {
                "untrusted"
            }
            Self::Expired | Self::IntermediateExpired | Self::RootExpired => "expired",
            Self::NotYetValid | Self::IntermediateNotYetValid => "not_yet_valid",
            Self::WeakSignature | Self::WeakKey => "weak",
            Self::Malformed
            | Self::Revoked
            | Self::SelfSigned
            | Self::MissingIntermediate
            | Self::Untrusted => self.word(),
        })
    }

    /// The failure's `error.type` if this is the worst defect.
    pub(super) const fn error_type(self) -> &'static str {
        match self {
            Self::Revoked => "tls.revoked",
            Self::Malformed
            | Self::SelfSigned
            | Self::MissingIntermediate
            | Self::Untrusted
            | Self::BadSignature
            | Self::WrongPurpose
            | Self::ConstraintViolated
            | Self::CaAsLeaf => "tls.untrusted",
            Self::Expired | Self::IntermediateExpired | Self::RootExpired => "tls.expired",
            Self::NotYetValid | Self::IntermediateNotYetValid => "tls.not_yet_valid",
            Self::NameMismatch => "tls.name_mismatch",
            Self::WeakSignature | Self::WeakKey => "tls.weak",
            Self::StapleMissing => "tls.staple",
            Self::WrongOrder => "tls.chain_order",
        }
    }

    /// The worst defect that `shown`, a value of `defects` as people see it, names.
    pub(super) fn worst_in(shown: &str) -> Option<Self> {
        let named = |defect: &Self| {
            let mut words = shown.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
            words.any(|word| word == defect.word())
        };
        Self::ALL.into_iter().find(named)
    }

    /// The worst defect behind a word of `chain`.
    pub(super) fn behind(chain_word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.chain_word() == Some(chain_word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree() {
        for (number, defect) in Defect::ALL.into_iter().enumerate() {
            assert_eq!(defect as usize, number);
            assert!(defect.chain_word().is_none_or(|word| CHAIN_WORDS.contains(&word)), "{defect:?}");
            let behind = defect.chain_word().and_then(Defect::behind);
            assert!(behind.is_none_or(|behind| behind.error_type() == defect.error_type()), "{defect:?}");
        }
        assert_eq!(WORDS.len(), Defect::ALL.len());
        for word in CHAIN_WORDS.iter().filter(|word| **word != TRUSTED) {
            assert!(Defect::behind(word).is_some(), "{word}");
        }
    }

    #[test]
    fn the_worst_of_several_names_the_failure() {
        for (shown, error_type) in [
            ("[expired, name_mismatch]", Some("tls.expired")),
            ("[wrong_order, revoked]", Some("tls.revoked")),
            ("intermediate_expired", Some("tls.expired")),
            ("[]", None),
            ("nothing", None),
        ] {
            assert_eq!(Defect::worst_in(shown).map(Defect::error_type), error_type, "{shown}");
        }
    }
}
