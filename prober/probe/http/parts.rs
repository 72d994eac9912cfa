//! What is sent as the body: texts, forms, files.

use std::fmt::Write as _;

use bytes::Bytes;
use model::outcome::Failure;
use scenario::fields::JsonTemplate;
use scenario::template::{Hole, Part, Scope, Template};
use tokio::io::AsyncReadExt as _;
use url::form_urlencoded;

use crate::net::fault;
use crate::net::plain;

/// The largest file that is sent, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 16 << 20;

/// What is sent as the body.
#[derive(Debug)]
pub(super) enum BodyPlan {
    /// Nothing.
    None,
    /// A text.
    Text(Template),
    /// JSON.
    Json(JsonTemplate),
    /// Form fields.
    Form(Vec<(String, Template)>),
    /// Form fields and files, each a part of its own (RFC 7578).
    Multipart(Vec<PartPlan>),
    /// A file, as it is.
    File(Template),
}

/// One part of a multipart body.
#[derive(Debug)]
pub(super) struct PartPlan {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
}

/// What a part holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A text.
    Value(Template),
    /// A file at this path.
    File(Template),
}

impl BodyPlan {
    /// Whether the body may differ between runs.
    pub(super) fn has_holes(&self) -> bool {
        match self {
            Self::None => false,
            Self::Text(text) => text.has_holes(),
            Self::Json(json) => !matches!(json, JsonTemplate::Constant(_)),
            Self::Form(fields) => fields.iter().any(|(_, value)| value.has_holes()),
            // A file may have changed, and the boundary between parts is the run's own.
            Self::Multipart(_) | Self::File(_) => true,
        }
    }

    /// Whether a secret stands in it.
    pub(super) fn has_secret(&self) -> bool {
        match self {
            Self::None | Self::File(_) => false,
            Self::Text(text) => is_secret(text),
            Self::Json(json) => json_has_secret(json),
            Self::Form(fields) => fields.iter().any(|(_, value)| is_secret(value)),
            Self::Multipart(parts) => {
                parts.iter().any(|part| matches!(&part.content, Content::Value(value) if is_secret(value)))
            }
        }
    }

    /// The body of this run, and what it is.
    ///
    /// # Errors
    /// A hole cannot be filled, or a file cannot be read.
    pub(super) async fn render(&self, scope: &Scope<'_>) -> Result<(Bytes, Option<String>), Failure> {
        let fill = |template: &Template| {
            template
                .render(scope)
                .map(std::borrow::Cow::into_owned)
                .map_err(|error| fault::unresolved(&error))
        };
        let plain = |kind: &str| Some(kind.to_owned());
        Ok(match self {
            Self::None => (Bytes::new(), None),
            Self::Text(text) => (fill(text)?.into(), plain("text/plain; charset=utf-8")),
            Self::Json(json) => {
                let json = json.render(scope).map_err(|error| fault::unresolved(&error))?;
                (json.to_string().into(), plain("application/json"))
            }
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (key, value) in fields {
                    form.append_pair(key, &fill(value)?);
                }
                (form.finish().into(), plain("application/x-www-form-urlencoded"))
            }
            Self::File(path) => (read(&fill(path)?).await?.into(), plain("application/octet-stream")),
            Self::Multipart(parts) => {
                let boundary = format!("prober-{}", scope.run.id);
                let mut body = Vec::new();
                for part in parts {
                    part.write(&boundary, &mut body, scope).await?;
                }
                body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
                (body.into(), Some(format!("multipart/form-data; boundary={boundary}")))
            }
        })
    }
}

impl PartPlan {
    async fn write(&self, boundary: &str, body: &mut Vec<u8>, scope: &Scope<'_>) -> Result<(), Failure> {
        let (Content::Value(template) | Content::File(template)) = &self.content;
        let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
        let is_file = matches!(self.content, Content::File(_));
        let last = || text.rsplit('/').next().unwrap_or_default().to_owned();
        let filename = self.filename.clone().or_else(|| is_file.then(last));
        let content_type =
            self.content_type.as_deref().or_else(|| is_file.then_some("application/octet-stream"));
        let mut head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escaped(&self.name));
        if let Some(filename) = filename {
            write!(head, "; filename=\"{}\"", escaped(&filename)).expect("a String takes every text");
        }
        if let Some(content_type) = content_type {
            write!(head, "\r\nContent-Type: {content_type}").expect("a String takes every text");
        }
        head.push_str("\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        if is_file {
            body.extend_from_slice(&read(&text).await?);
        } else {
            body.extend_from_slice(text.as_bytes());
        }
        if body.len() as u64 > FILE_BYTES_MAX {
            return Err(fault::config("the body would be longer than 16 MiB"));
        }
        body.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// A name as browsers write it into `Content-Disposition`.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// The content of a plain file.
///
/// # Errors
/// Class `local`, `local.config`: there is none that can be read, or it is too large.
async fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| fault::config(format!("the file {path} cannot be sent: {why}"));
    // A pipe or a device would block or never end.
    let facts = tokio::fs::metadata(path).await.map_err(|error| wrong(&error))?;
    if !facts.is_file() {
        return Err(wrong(&"it is not a plain file"));
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| wrong(&error))?;
    if let Some(why) = plain::withheld(&file) {
        return Err(wrong(&why));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await.map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(wrong(&"it is longer than 16 MiB")) } else { Ok(bytes) }
}

fn is_secret(template: &Template) -> bool {
    template.parts().iter().any(|part| matches!(part, Part::Hole(Hole::Secret(_), _)))
}

fn json_has_secret(json: &JsonTemplate) -> bool {
    match json {
        JsonTemplate::Constant(_) => false,
        JsonTemplate::Text(text) => is_secret(text),
        JsonTemplate::List(items) => items.iter().any(json_has_secret),
        JsonTemplate::Object(entries) => entries.iter().any(|(_, value)| json_has_secret(value)),
    }
}
