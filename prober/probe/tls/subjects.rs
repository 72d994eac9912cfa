//! What assertions of a `tls` step may look at.

use scenario::form::{Extent, Form};
use scenario::kind::{Shape, Subject, Wants};
use scenario::value::SubjectType;

use super::{chain, defect, hello, ocsp};

/// The versions that a handshake may come to, the oldest first.
pub(super) const VERSIONS: &[&str] = &["TLS1.2", "TLS1.3"];
/// The subject that needs connections of its own.
pub(super) const ACCEPTS: &str = "accepts";
/// The subject that needs a list of revoked certificates.
pub(super) const CRL: &str = "crl";

macro_rules! subject {
    ($name:expr, $kind:expr, $doc:literal, $example:literal) => {
        Subject::new($name, Shape::One($kind), $doc, $example)
    };
}

/// The table.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!(
        "chain",
        SubjectType::Choice(defect::CHAIN_WORDS),
        "Whether the served chain leads to a trusted authority today, or the worst of what is wrong with it.",
        "trusted"
    ),
    subject!(
        "hostname",
        SubjectType::Choice(&["match", "mismatch"]),
        "Whether the certificate is for the name that was asked for.",
        "match"
    ),
    subject!(
        "defects",
        SubjectType::Words(defect::WORDS),
        "Everything that is wrong with the served chain, the worst first: `chain` and `hostname` stop \
         clients, and a few more are no good either.",
        "{ len: 0 }"
    ),
    subject!(
        "protocol",
        SubjectType::Ordered(VERSIONS),
        "The protocol version that was agreed on.",
        "{ gte: TLS1.2 }"
    ),
    subject!(
        ACCEPTS,
        SubjectType::Words(hello::WORDS),
        "The protocol versions that the server accepts; only if this is asked for, each is tried by a hello in \
         a connection of its own, which the server may log as broken off.",
        "{ not_contains: [SSL3.0, TLS1.0, TLS1.1] }"
    ),
    subject!("cipher", SubjectType::Text, "The cipher suite's name.", "{ contains: GCM }"),
    subject!("alpn", SubjectType::Text, "The application protocol that the server chose.", "h2"),
    subject!(
        "expires_in",
        SubjectType::Duration,
        "How long the server's own certificate is still valid; zero once it has expired.",
        "{ gte: 21d }"
    )
    .wanting(Wants::AtLeast),
    subject!(
        "chain_expires_in",
        SubjectType::Duration,
        "How long all served certificates are still valid, those too that no client needs.",
        "{ gte: 21d }"
    )
    .wanting(Wants::AtLeast),
    subject!(
        "path_expires_in",
        SubjectType::Duration,
        "How long the path to the trusted authority is still valid, the authority's own certificate included \
         if the store has its date; there is none for a chain that is not trusted.",
        "{ gte: 21d }"
    )
    .wanting(Wants::AtLeast),
    subject!("issuer", SubjectType::Text, "Who issued the server's certificate.", "{ contains: \"R11\" }"),
    subject!(
        "subject",
        SubjectType::Text,
        "Whom the server's certificate was issued to.",
        "{ contains: shop }"
    ),
    subject!(
        "sans",
        SubjectType::Texts,
        "The names and addresses that the certificate is for.",
        "{ contains: shop.example }"
    ),
    subject!("chain_length", SubjectType::Int, "How many certificates were served.", "{ gte: 2 }"),
    subject!("key_type", SubjectType::Text, "The certificate's key: RSA 2048, EC 256, Ed25519.", "EC 256"),
    subject!(
        "signature",
        SubjectType::Text,
        "The algorithm of the certificate's signature.",
        "{ not_contains: sha1 }"
    ),
    subject!(
        "self_signed",
        SubjectType::Bool,
        "Whether the certificate names itself as its issuer.",
        "false"
    ),
    subject!("serial", SubjectType::Text, "The certificate's serial number in hexadecimal.", "\"03A1F0\""),
    subject!(
        "ocsp",
        SubjectType::Choice(ocsp::WORDS),
        "What the stapled OCSP answer says; `unchecked` if its signature could not be checked, `invalid` if \
         it is wrong, `expired` if the answer is too old.",
        "good"
    ),
    subject!(
        "ocsp_age",
        SubjectType::Duration,
        "How old the stapled OCSP answer is; there is none without one.",
        "{ lte: 7d }"
    )
    .wanting(Wants::AtMost),
    subject!(
        "ocsp_expires_in",
        SubjectType::Duration,
        "How long the stapled OCSP answer may still be used; zero once that is over.",
        "{ gte: 12h }"
    )
    .wanting(Wants::AtLeast),
    subject!(
        CRL,
        SubjectType::Choice(chain::CRL_WORDS),
        "What the list of revoked certificates in `crl` says; `unknown` for a chain that is not trusted.",
        "good"
    ),
    subject!(
        "scts",
        SubjectType::Int,
        "How many signed timestamps of transparency logs are embedded in the certificate.",
        "{ gte: 2 }"
    ),
];

/// Whether a certificate's number or key is ever shown like this.
pub(super) fn form(subject: &str, value: &str, extent: Extent) -> Form {
    match subject {
        "serial" => serial(value),
        "key_type" if extent == Extent::Whole => key_type(value),
        _ => Form::Fits,
    }
}

/// Hexadecimal digits, in capitals and with nothing between them.
fn serial(value: &str) -> Form {
    let written = value.to_ascii_uppercase().replace("0X", "").replace([':', ' ', '-'], "");
    let is_number = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_number {
        true if written == value => Form::Fits,
        true => Form::Written(format!("\"{written}\"")),
        false => Form::Never("it is shown in hexadecimal digits, in capitals: \"03A1F0\"".into()),
    }
}

/// `RSA 2048`, `EC 256`, `Ed25519`; other algorithms have names of their own.
fn key_type(value: &str) -> Form {
    let upper = value.to_ascii_uppercase().replace(['-', '_', ' '], "");
    let size = |start: &str| {
        let size = upper.strip_prefix(start)?;
        size.bytes().all(|byte| byte.is_ascii_digit()).then(|| size.to_owned())
    };
    let (name, size) = match (size("RSA"), size("ECDSAP").or_else(|| size("ECDSA")).or_else(|| size("EC"))) {
        (Some(size), _) => ("RSA", size),
        (_, Some(size)) => ("EC", size),
        _ if upper == "ED25519" && value != "Ed25519" => return Form::Written("Ed25519".to_owned()),
        _ => return Form::Fits,
    };
    if size.is_empty() {
        return Form::Never(format!("the size belongs to it: write {{ starts_with: {name} }}").into());
    }
    let written = format!("{name} {size}");
    if written == value { Form::Fits } else { Form::Written(written) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_numbers_have_one_form() {
        let check = |subject: &str, value: &str, expected: &str| {
            let found = match form(subject, value, Extent::Whole) {
                Form::Fits => String::new(),
                Form::Written(text) => text,
                Form::Never(help) => help.into_owned(),
            };
            assert_eq!(found, expected, "{subject} {value}");
        };
        for (given, written) in [
            ("RSA 2048", ""),
            ("EC 256", ""),
            ("Ed25519", ""),
            ("dsaEncryption", ""),
            ("rsa2048", "RSA 2048"),
            ("RSA-4096", "RSA 4096"),
            ("ECDSA P-256", "EC 256"),
            ("ec-384", "EC 384"),
            ("ed25519", "Ed25519"),
            ("RSA", "the size belongs to it: write { starts_with: RSA }"),
        ] {
            check("key_type", given, written);
        }
        assert_eq!(form("key_type", "RSA", Extent::Part), Form::Fits);
        check("serial", "03A1F0", "");
        check("serial", "03:a1:f0", "\"03A1F0\"");
        check("serial", "number", "it is shown in hexadecimal digits, in capitals: \"03A1F0\"");
        check("issuer", "rsa", "");
    }
}
