//! Secret values, read from where the project file says they are.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scenario::project::{Project, SecretSource};
use scenario::template::Secrets;

/// Gives the value of an environment variable.
pub(crate) type Env = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where secrets are looked for; handed in, because only the command line reads the environment.
pub(crate) struct Vault {
    /// The environment.
    pub(crate) env: Box<Env>,
    /// The folder of `file:` secrets.
    pub(crate) credentials: PathBuf,
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Vault").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

/// Secrets that scenarios refer to and that have no value here.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct MissingSecrets(pub(crate) Vec<String>);

/// A secret file longer than this is not a secret.
const BYTES_MAX: u64 = 64 << 10;

impl Vault {
    /// The values of `names` in `region` (those of the project if it is empty); says all that are missing, and never a value.
    ///
    /// # Errors
    /// A value is missing or cannot be read.
    pub(crate) fn open(
        &self,
        project: &Project,
        region: &str,
        names: &[Arc<str>],
    ) -> Result<Secrets, MissingSecrets> {
        let mut secrets = Secrets::default();
        let mut missing = Vec::new();
        for name in names {
            let place = if region.is_empty() { String::new() } else { format!(" (region {region})") };
            match project.secret_source(region, name).map(|source| self.value(source)) {
                Some(Ok(value)) => secrets.set(Arc::clone(name), value),
                Some(Err(why)) => missing.push(format!("secret `{name}`{place}: {why}")),
                None => missing.push(format!("secret `{name}`{place} is not declared")),
            }
        }
        if missing.is_empty() { Ok(secrets) } else { Err(MissingSecrets(missing)) }
    }

    fn value(&self, source: &SecretSource) -> Result<String, String> {
        match source {
            SecretSource::Env(variable) => match (self.env)(variable) {
                Some(value) if !value.is_empty() => Ok(value),
                Some(_) => Err(format!("environment variable {variable} is empty")),
                None => Err(format!("environment variable {variable} is not set")),
            },
            SecretSource::File(path) => file(&self.credentials.join(path)),
        }
    }
}

fn file(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("file {} could not be read: {error}", path.display());
    let facts = fs::metadata(path).map_err(cannot)?;
    if !facts.is_file() || facts.len() > BYTES_MAX {
        return Err(format!("{} is not a file of at most 64 KiB", path.display()));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    // Editors and `echo` end a file with a line break that is no part of the secret.
    let value = text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if value.is_empty() { Err(format!("file {} is empty", path.display())) } else { Ok(value.to_owned()) }
}
