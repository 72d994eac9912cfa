//! The keys under `auth`, and how they become a plan.

use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::source::{Span, Spanned};
use scenario::template::{Hole, Part, Template};

use super::super::target::{Target, UrlError};
use super::{AuthPlan, Login, SigV4Plan, TokenPlan};
use crate::net::keys::Refused;

/// The ways to sign in; a step has one of them.
pub(crate) const KEYS: &[Key] = &[
    Key::new(
        "basic",
        KeyType::Record(LOGIN),
        Need::Optional,
        "User and password, sent with every request.",
        "{ user: probe, password: \"${secrets.password}\" }",
    ),
    Key::new("bearer", KeyType::Template, Need::Optional, "A token that is known.", "${secrets.token}"),
    Key::new(
        "digest",
        KeyType::Record(LOGIN),
        Need::Optional,
        "User and password, as the answer to the server's challenge; the challenge is a hop of its own.",
        "{ user: probe, password: \"${secrets.password}\" }",
    ),
    Key::new(
        "oauth2",
        KeyType::Record(OAUTH2),
        Need::Optional,
        "A token that is fetched in every run with the client's credentials, as a hop of its own.",
        "{ token_url: https://id.example/token, client_id: probe, client_secret: \"${secrets.client}\" }",
    ),
    Key::new(
        "sigv4",
        KeyType::Record(SIGV4),
        Need::Optional,
        "AWS Signature Version 4 over the request.",
        "{ service: execute-api, region: eu-central-1, credentials: \"${secrets.aws}\" }",
    ),
];

const LOGIN: &[Key] = &[
    Key::new("user", KeyType::Template, Need::Required, "The user's name.", "probe"),
    Key::new("password", KeyType::Template, Need::Required, "The password, a secret.", "${secrets.password}"),
];

const OAUTH2: &[Key] = &[
    Key::new(
        "token_url",
        KeyType::Template,
        Need::Required,
        "Where tokens are had.",
        "https://id.example/token",
    ),
    Key::new("client_id", KeyType::Template, Need::Required, "The client's name.", "probe"),
    Key::new("client_secret", KeyType::Template, Need::Required, "The client's secret.", "${secrets.client}"),
    Key::new("scope", KeyType::Template, Need::Optional, "What the token is to be good for.", "orders:read"),
    Key::new("audience", KeyType::Template, Need::Optional, "Whom the token is for.", "https://api.example"),
    Key::new(
        "client_in",
        KeyType::Choice(&["header", "body"]),
        Need::Default("header"),
        "Whether the client's name and secret stand in a header or in the form.",
        "body",
    ),
];

const SIGV4: &[Key] = &[
    Key::new("service", KeyType::Text, Need::Required, "The service that is signed for.", "execute-api"),
    Key::new("region", KeyType::Text, Need::Required, "The region that is signed for.", "eu-central-1"),
    Key::new(
        "credentials",
        KeyType::Template,
        Need::Required,
        "A secret: ACCESS:SECRET, ACCESS:SECRET:TOKEN, or JSON as AWS' tools write it.",
        "${secrets.aws}",
    ),
];

/// How the step signs in, if it does.
///
/// # Errors
/// The keys under `auth` are no way to sign in; the report says why.
pub(in crate::http) fn auth(fields: &mut Fields, report: &mut Report) -> Result<Option<AuthPlan>, Refused> {
    let Some(given) = fields.record("auth") else { return Ok(None) };
    let (span, mut given) = (given.span, given.value);
    let named: Vec<_> = KEYS.iter().map(|key| key.name).filter(|name| given.has(name)).collect();
    let [name] = named.as_slice() else {
        let message = match named.as_slice() {
            [first, second, ..] => format!("`{first}` and `{second}` both sign in"),
            _ => "`auth` does not say how to sign in".to_owned(),
        };
        report.push(
            Diagnostic::error("E183", span, message).help("one of basic, bearer, digest, oauth2 and sigv4"),
        );
        return Err(Refused);
    };
    let plan = match *name {
        "bearer" => {
            given.template(name).and_then(|token| secret(token, "token", report)).map(AuthPlan::Bearer)
        }
        _ => given.record(name).and_then(|record| signing(name, record.value, report)),
    };
    plan.map(Some).ok_or(Refused)
}

fn signing(name: &str, mut given: Fields, report: &mut Report) -> Option<AuthPlan> {
    match name {
        "basic" => login(&mut given, report).map(AuthPlan::Basic),
        "digest" => login(&mut given, report).map(AuthPlan::Digest),
        "oauth2" => token(&mut given, report).map(|plan| AuthPlan::OAuth2(Box::new(plan))),
        _ => sigv4(&mut given, report).map(AuthPlan::SigV4),
    }
}

fn login(given: &mut Fields, report: &mut Report) -> Option<Login> {
    let user = given.template("user")?;
    if user.value.constant().is_some_and(|name| name.contains(':')) {
        let message = "a user's name cannot have a colon in it";
        report
            .push(Diagnostic::error("E183", user.span, message).help("the password stands under `password`"));
        return None;
    }
    let password = secret(given.template("password")?, "password", report)?;
    Some(Login { user: user.value, password })
}

fn token(given: &mut Fields, report: &mut Report) -> Option<TokenPlan> {
    let url = given.template("token_url")?;
    if let Some(error) = url.value.constant().and_then(|text| Target::parse(text).err()) {
        let help = match error {
            UrlError::UserInfo => "leave them out: a client's stand under `client_id` and `client_secret`",
            _ => error.help(),
        };
        report.push(Diagnostic::error("E171", url.span, error.to_string()).help(help));
        return None;
    }
    let client_secret = secret(given.template("client_secret")?, "client's secret", report)?;
    Some(TokenPlan {
        url: url.value,
        client_id: given.template("client_id")?.value,
        client_secret,
        scope: given.template("scope").map(|given| given.value),
        audience: given.template("audience").map(|given| given.value),
        in_body: given.choice("client_in").is_some_and(|given| given.value == "body"),
    })
}

fn sigv4(given: &mut Fields, report: &mut Report) -> Option<SigV4Plan> {
    let credentials = secret(given.template("credentials")?, "credentials", report);
    let service = word(&given.text("service")?, "service", report);
    let region = word(&given.text("region")?, "region", report);
    Some(SigV4Plan { service: service?, region: region?, credentials: credentials? })
}

/// A word that may stand in a signature's scope; the report says if it is none.
pub(crate) fn word(given: &Spanned<String>, what: &str, report: &mut Report) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&given.value.len()) && given.value.bytes().all(fits) {
        return Some(given.value.clone());
    }
    let message = format!("`{}` is not a {what}", model::outcome::cut(given.value.clone(), 60));
    let help = if what == "region" { "like us-east-1 or eu-central-1" } else { "like execute-api or es" };
    report.push(Diagnostic::error("E181", given.span, message).help(help));
    None
}

/// The template, if its value comes from elsewhere; what stands in the file is everyone's to read.
pub(crate) fn secret(given: Spanned<Template>, what: &str, report: &mut Report) -> Option<Template> {
    let hidden = |part: &Part| matches!(part, Part::Hole(Hole::Secret(_) | Hole::Capture(_), _));
    if given.value.parts().iter().any(hidden) {
        return Some(given.value);
    }
    report.push(in_the_file(what, given.span));
    None
}

/// The mistake of a secret that stands in the file.
pub(crate) fn in_the_file(what: &str, span: Span) -> Diagnostic {
    let verb = if what == "credentials" { "stand" } else { "stands" };
    Diagnostic::error("E180", span, format!("the {what} {verb} in the file"))
        .help("name its source under `secrets` in prober.yaml, and write ${secrets.NAME} here")
}
