//! How TLS usually begins at a port: a step that begins otherwise there is hardly meant.
//!
//! Only ports at which one way is usual everywhere (IANA's registry; RFC 8314 for mail).

use scenario::diagnostic::{Diagnostic, Report};
use scenario::source::Span;

use super::starttls::Protocol;

/// How TLS begins on a connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// There is none.
    Never,
    /// With the first byte.
    AtOnce,
    /// After what the protocol says first.
    After(Protocol),
}

impl Begin {
    /// What is usual at `port`; `None` if nothing is.
    const fn usual(port: u16) -> Option<Self> {
        Some(match port {
            80 => Self::Never,
            443 | 465 | 636 | 853 | 990 | 993 | 995 | 5223 => Self::AtOnce,
            25 | 587 => Self::After(Protocol::Smtp),
            110 => Self::After(Protocol::Pop3),
            143 => Self::After(Protocol::Imap),
            389 => Self::After(Protocol::Ldap),
            3306 => Self::After(Protocol::Mysql),
            5222 => Self::After(Protocol::Xmpp),
            5432 => Self::After(Protocol::Postgres),
            _ => return None,
        })
    }

    /// Warns if a step that begins so at `port` finds another way there as a rule; `help` says what to type for that.
    pub(crate) fn check(self, port: u16, at: Span, report: &mut Report, help: impl FnOnce(Self) -> String) {
        let Some(usual) = Self::usual(port) else { return };
        let how = match (self, usual) {
            // Who wants no TLS where there may be some after a word is free to.
            (Self::Never, Self::After(_)) => return,
            (begun, usual) if begun == usual => return,
            (_, Self::Never) => "there is no TLS".to_owned(),
            (_, Self::AtOnce) => "TLS begins with the first byte".to_owned(),
            (_, Self::After(protocol)) => format!("TLS begins after the words of {}", protocol.word()),
        };
        let problem = Diagnostic::warning("W363", at, format!("at port {port} {how}, as a rule"));
        report.push(problem.help(help(usual)));
    }
}

/// Warns of a URL whose scheme is not the usual one at its port; `schemes` are the one without TLS and the one with it.
pub(crate) fn check_scheme(
    (secure, port): (bool, u16),
    at: Span,
    [plain, secured]: [&str; 2],
    report: &mut Report,
) {
    let begin = if secure { Begin::AtOnce } else { Begin::Never };
    begin.check(port, at, report, |usual| match usual {
        Begin::Never => format!("write {plain}://"),
        Begin::AtOnce => format!("write {secured}://"),
        Begin::After(_) => "write the port that is meant".to_owned(),
    });
}
