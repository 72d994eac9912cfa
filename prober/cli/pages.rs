//! The arguments of `serve` about its pages: certificates and tokens in files, never in arguments.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dashboard::{Access, SchemaFn, Tls};

use super::args::PageArgs;
use super::{report, schema};
use crate::agent::pages::Pages;
use crate::exit::Stop;

/// The shortest token.
const TOKEN_BYTES_MIN: usize = 16;

/// What the arguments decide of the pages.
///
/// # Errors
/// A file cannot be read, or holds what it should not.
pub(crate) fn pages(args: &PageArgs) -> Result<Pages, Stop> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(chain), Some(key)) => {
            let tls = Tls::from_pem(&read(chain)?, &read(key)?);
            Some(tls.map_err(|error| Stop::environment(format!("{}: {error}", chain.display())))?)
        }
        _ => None,
    };
    let access = Access {
        viewer_token: args.viewer_token_file.as_deref().map(token).transpose()?,
        operator_token: args.operator_token_file.as_deref().map(token).transpose()?,
        user_header: args.user_header.as_ref().map(|name| name.to_ascii_lowercase()),
        operators: args.operators.clone(),
    };
    let schemas = schema::makers().map(|(name, make)| (name.to_owned(), Arc::new(make) as SchemaFn));
    Ok(Pages {
        access,
        tls,
        behind_proxy: args.behind_proxy,
        public_status: args.public_status,
        hosts: args.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        review: Arc::new(report::review),
        schemas: schemas.collect(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| Stop::environment(format!("{}: {error}", path.display())))
}

/// The token in a file, without the line's end.
///
/// # Errors
/// The file cannot be read, or holds no token.
pub(crate) fn token(path: &Path) -> Result<String, Stop> {
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    let token = text.trim();
    let is_one = token.len() >= TOKEN_BYTES_MIN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_one {
        return Ok(token.to_owned());
    }
    let why = format!("a token is one word of at least {TOKEN_BYTES_MIN} visible ASCII characters");
    Err(Stop::environment(format!("{}: {why}, such as `openssl rand -hex 24` prints", path.display())))
}
