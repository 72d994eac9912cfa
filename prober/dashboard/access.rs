//! Who may look and who may act.
//!
//! Without tokens and without a proxy that names people the pages are for whoever is on this machine, who may act too.
//! Otherwise a request says who it is by a bearer token, by a session that was begun with a token, or by a header of the
//! proxy in front. Deliberately absent: passwords, and lists of people.

use std::fmt::{self, Write as _};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

/// What somebody may do.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, acknowledge, judge alerts, reload.
    Operator,
}

impl Role {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// How requests say who they are; empty for pages on loopback.
#[derive(Clone, Default)]
pub struct Access {
    /// Whoever has it may look.
    pub viewer_token: Option<String>,
    /// Whoever has it may act.
    pub operator_token: Option<String>,
    /// The header in which the proxy in front names the person: `X-Forwarded-User`.
    pub user_header: Option<String>,
    /// Those of them who may act.
    pub operators: Vec<String>,
}

impl Access {
    /// Whether everybody who can connect may do everything.
    pub const fn is_open(&self) -> bool {
        self.viewer_token.is_none() && self.operator_token.is_none() && self.user_header.is_none()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |token: &Option<String>| if token.is_some() { "given" } else { "none" };
        out.debug_struct("Access")
            .field("viewer_token", &given(&self.viewer_token))
            .field("operator_token", &given(&self.operator_token))
            .field("user_header", &self.user_header)
            .field("operators", &self.operators)
            .finish()
    }
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// The name of the cookie of a session.
pub(crate) const SESSION: &str = "prober_session";
/// The longest name that a proxy may give, in bytes.
const NAME_MAX: usize = 128;

/// Recognises requests; its salt is of this process only, so that sessions and forms end with it.
pub(crate) struct Door {
    access: Access,
    salt: [u8; 32],
}

impl fmt::Debug for Door {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Door").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Door {
    pub(crate) fn new(access: Access) -> Self {
        let mut salt = [0; 32];
        SystemRandom::new().fill(&mut salt).expect("the system gives random bytes");
        Self { access, salt }
    }

    /// Who the request is from; `None` if it does not say, or says wrong.
    pub(crate) fn who(&self, headers: &HeaderMap) -> Option<Who> {
        if self.access.is_open() {
            return Some(Who { name: "local".to_owned(), role: Role::Operator });
        }
        if let Some(token) = bearer(headers) {
            return self.by_token(token);
        }
        if let Some(session) = cookie(headers) {
            let known = |role: Role| same(session, &self.session(role));
            let role =
                [Role::Operator, Role::Viewer].into_iter().find(|role| self.has(*role) && known(*role));
            return role.map(|role| Who { name: role.as_str().to_owned(), role });
        }
        let header = self.access.user_header.as_deref()?;
        let mut given = headers.get_all(header).iter();
        let (Some(name), None) = (given.next(), given.next()) else { return None };
        let name =
            name.to_str().ok().map(str::trim).filter(|name| !name.is_empty() && name.len() <= NAME_MAX)?;
        let role = if self.access.operators.iter().any(|known| known == name) {
            Role::Operator
        } else {
            Role::Viewer
        };
        Some(Who { name: name.to_owned(), role })
    }

    /// Whom a token stands for.
    pub(crate) fn by_token(&self, given: &str) -> Option<Who> {
        let fits = |known: &Option<String>| known.as_deref().is_some_and(|known| same(given, known));
        let role = match (fits(&self.access.operator_token), fits(&self.access.viewer_token)) {
            (true, _) => Role::Operator,
            (false, true) => Role::Viewer,
            (false, false) => return None,
        };
        Some(Who { name: role.as_str().to_owned(), role })
    }

    /// Whether one can say who one is with a token.
    pub(crate) const fn takes_tokens(&self) -> bool {
        self.access.viewer_token.is_some() || self.access.operator_token.is_some()
    }

    const fn has(&self, role: Role) -> bool {
        match role {
            Role::Viewer => self.access.viewer_token.is_some(),
            Role::Operator => self.access.operator_token.is_some(),
        }
    }

    /// What the cookie of a session says: nothing that the token could be found from.
    pub(crate) fn session(&self, role: Role) -> String {
        let token = match role {
            Role::Viewer => &self.access.viewer_token,
            Role::Operator => &self.access.operator_token,
        };
        self.sealed(&["session", role.as_str(), token.as_deref().unwrap_or_default()])
    }

    /// What a form of `who` must bring back: a page elsewhere cannot know it.
    pub(crate) fn form_token(&self, who: &Who) -> String {
        self.sealed(&["form", who.role.as_str(), &who.name])
    }

    /// Whether a change may be made: by an operator, from a page of ours or from a program.
    pub(crate) fn may_change(
        &self,
        who: &Who,
        headers: &HeaderMap,
        form_token: Option<&str>,
    ) -> Result<(), (&'static str, &'static str)> {
        if who.role < Role::Operator {
            return Err(("a viewer changes nothing", "ask an operator"));
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let site = text("sec-fetch-site");
        if headers.contains_key(ORIGIN) && !matches!(site, "same-origin" | "none")
            || matches!(site, "cross-site" | "same-site")
        {
            return Err(("the request comes from another site", "use the page itself"));
        }
        match form_token {
            Some(token) if same(token, &self.form_token(who)) => Ok(()),
            // No page elsewhere can send this header without asking first, and we never agree.
            None if text("x-prober") == "1" => Ok(()),
            _ => Err(("the form is not from this page", "load the page again")),
        }
    }

    fn sealed(&self, parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut text = String::with_capacity(64);
        for byte in hash.finalize() {
            write!(text, "{byte:02x}").expect("a String takes every character");
        }
        text
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(SESSION)?.strip_prefix('='))
}

/// Whether two secrets are the same; how long that takes says nothing of how much of them is.
fn same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| Sha256::digest(text.as_bytes()));
    one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn door() -> Door {
        Door::new(Access {
            viewer_token: Some("look".to_owned()),
            operator_token: Some("act".to_owned()),
            user_header: Some("x-forwarded-user".to_owned()),
            operators: vec!["ada".to_owned()],
        })
    }

    #[test]
    fn a_request_is_recognised_by_token_session_or_proxy() {
        let door = door();
        let session = format!("a=b; {SESSION}={}", door.session(Role::Viewer));
        let forged = format!("{SESSION}={}", "0".repeat(64));
        for (pairs, expected) in [
            (&[][..], None),
            (&[("authorization", "Bearer act")], Some(("operator", Role::Operator))),
            (&[("authorization", "bearer look")], Some(("viewer", Role::Viewer))),
            (&[("authorization", "Bearer actt")], None),
            (&[("authorization", "Bearer ")], None),
            (&[("authorization", "Basic act")], None),
            (&[("authorization", "Bearer no"), ("x-forwarded-user", "ada")], None),
            (&[("cookie", session.as_str())], Some(("viewer", Role::Viewer))),
            (&[("cookie", forged.as_str())], None),
            (&[("x-forwarded-user", "ada")], Some(("ada", Role::Operator))),
            (&[("x-forwarded-user", "bob")], Some(("bob", Role::Viewer))),
            (&[("x-forwarded-user", " ")], None),
            (&[("x-forwarded-user", "bob"), ("x-forwarded-user", "ada")], None),
        ] {
            let found = door.who(&headers(pairs));
            let found = found.as_ref().map(|who| (who.name.as_str(), who.role));
            assert_eq!(found, expected, "{pairs:?}");
        }
        let open = Door::new(Access::default());
        assert_eq!(open.who(&HeaderMap::new()).map(|who| who.role), Some(Role::Operator));
        assert!(!format!("{door:?}").contains("act\""), "{door:?}");
    }

    #[test]
    fn a_change_is_an_operators_and_from_our_own_page() {
        let door = door();
        let who = Who { name: "ada".to_owned(), role: Role::Operator };
        let viewer = Who { role: Role::Viewer, ..who.clone() };
        let (token, others) = (door.form_token(&who), Door::new(Access::default()).form_token(&who));
        let check = |who: &Who, pairs: &[(&'static str, &str)], token: Option<&str>| {
            door.may_change(who, &headers(pairs), token).is_ok()
        };
        assert!(check(&who, &[("sec-fetch-site", "same-origin"), ("origin", "http://x")], Some(&token)));
        assert!(check(&who, &[("x-prober", "1")], None));
        for (who, pairs, token) in [
            (&viewer, &[][..], Some(token.as_str())),
            (&who, &[], None),
            (&who, &[], Some("")),
            (&who, &[], Some(others.as_str())),
            (&who, &[("x-prober", "1"), ("sec-fetch-site", "cross-site")], None),
            (&who, &[("sec-fetch-site", "same-site")], Some(token.as_str())),
            (
                &who,
                &[("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")],
                Some(token.as_str()),
            ),
        ] {
            assert!(!check(who, pairs, token), "{pairs:?}");
        }
    }
}
