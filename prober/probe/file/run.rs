//! The action of a `file` step and its evidence.

use std::borrow::Cow;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Instant, UNIX_EPOCH};

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::Phase;
use model::time::Timestamp;
use rustix::fs::OFlags;
use scenario::kind::{Action, Evidence, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;
use scenario::template::Template;
use scenario::value::{Reading, Selector, Value};

use crate::net::aside::{self, Undone};
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::plain;
use crate::net::shared::Net;

/// The most content that is read, in bytes.
const CONTENT_MAX: u64 = 1024 * 1024;

/// A `file` step, ready to be run.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: Template,
    pub(super) read: bool,
}

/// What was there.
#[derive(Debug)]
struct Seen {
    kind: &'static str,
    size: u64,
    /// `None` on a file system that does not keep it.
    modified: Option<Timestamp>,
    /// The text, or why there is none.
    content: Result<String, String>,
}

/// The evidence: `None` if nothing was there.
struct Found(Option<Seen>);

impl Action<Net> for File {
    fn target(&self) -> String {
        self.path.to_string()
    }

    fn shows(&self, subject: &str) -> Shows {
        match subject {
            "content" | "regex" if !self.read => {
                Shows::Nothing("add read: true beside `path`, so that the content is read")
            }
            "modified" | "size" | "type" | "content" | "regex" => Shows::Where("exists", true),
            _ => Shows::Anything,
        }
    }

    fn run<'a>(&'a self, _: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(self.look(context))
    }
}

impl File {
    async fn look(&self, context: &StepContext<'_>) -> StepOutcome {
        let mut attributes = Attributes::new();
        let path = match self.path.render(context.scope) {
            Ok(path) => path,
            Err(error) => return outcome(Vec::new(), attributes, Err(fault::unresolved(&error))),
        };
        attributes.set("file.path", path.to_string());
        let mut phases = Phases::start(context.began);
        let seen = match see(&path, self.read, context.deadline, &mut phases).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => failure(&path, &error),
            Err(Undone::Late) => Err(fault::timed_out(&phases, context.deadline)),
            Err(Undone::Ours(failure)) => Err(failure),
        };
        if let Ok(Some(seen)) = &seen {
            attributes.set("file.size", i64::try_from(seen.size).unwrap_or(i64::MAX));
            if let Some(modified) = seen.modified {
                attributes.set("file.modified", modified.to_string());
            }
        }
        outcome(vec![phases.into_hop(path.into_owned())], attributes, seen)
    }
}

fn outcome(
    hops: Vec<model::step::Hop>,
    attributes: Attributes,
    seen: Result<Option<Seen>, Failure>,
) -> StepOutcome {
    match seen {
        Ok(seen) => StepOutcome { hops, attributes, failure: None, evidence: Box::new(Found(seen)) },
        Err(failure) => StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) },
    }
}

/// Looks at the file, and reads it if asked to.
async fn see(
    path: &str,
    read: bool,
    deadline: Instant,
    phases: &mut Phases,
) -> Result<io::Result<Option<Seen>>, Undone> {
    phases.enter(Phase::Wait);
    let place = path.to_owned();
    let metadata = match aside::FILES.run(deadline, move || std::fs::metadata(place)).await? {
        Ok(metadata) => metadata,
        Err(error) => return Ok(Err(error)),
    };
    let content = if !read {
        Err("the content is read with the key `read: true` only".to_owned())
    } else if metadata.is_file() {
        phases.enter(Phase::Receive);
        let place = path.to_owned();
        match aside::FILES.run(deadline, move || content(&place)).await? {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        }
    } else {
        Err("it is not a plain file".to_owned())
    };
    Ok(Ok(Some(Seen {
        kind: kind(&metadata),
        size: metadata.len(),
        modified: metadata.modified().ok().map(timestamp),
        content,
    })))
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_file() {
        "file"
    } else if metadata.is_dir() {
        "directory"
    } else {
        "other"
    }
}

/// The content, or why it cannot be looked at.
fn content(path: &str) -> io::Result<Result<String, String>> {
    // A pipe may have taken the file's place since; without a writer it would hold us at the opening.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flag is a low bit");
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(Err("it is not a plain file".to_owned()));
    }
    if let Some(why) = plain::withheld(&file) {
        return Ok(Err(why.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(CONTENT_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CONTENT_MAX {
        return Ok(Err("the file is longer than the limit of 1 MiB".to_owned()));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        format!("the content is not UTF-8 from byte {} on", error.utf8_error().valid_up_to())
    }))
}

/// What an error says: nothing is there, we may not look, or the file system fails.
fn failure(path: &str, error: &io::Error) -> Result<Option<Seen>, Failure> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
        io::ErrorKind::PermissionDenied => {
            Err(fault::config(format!("this prober may not look at {path}: {error}")))
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            Err(fault::config(format!("no file can have the path {path}: {error}")))
        }
        _ => Err(fault::local(error).unwrap_or_else(|| {
            Failure::new(FailureClass::Protocol, "file.io", format!("{path} could not be read: {error}"))
        })),
    }
}

fn timestamp(at: std::time::SystemTime) -> Timestamp {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp::from_nanos(0).plus(after),
        Err(before) => Timestamp::from_nanos(0).minus(before.duration()),
    }
}

impl Evidence for Found {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        if subject == "exists" {
            return Reading::One(Value::Bool(self.0.is_some()));
        }
        let Some(seen) = &self.0 else { return Reading::Unreadable("the file does not exist".to_owned()) };
        match subject {
            "modified" => seen.modified.map_or(Reading::Absent, |at| Reading::One(Value::Time(at))),
            "size" => Reading::One(Value::Int(i64::try_from(seen.size).unwrap_or(i64::MAX))),
            "type" => Reading::One(Value::Text(Cow::Borrowed(seen.kind))),
            "content" | "regex" => match (&seen.content, selector) {
                (Err(why), _) => Reading::Unreadable(why.clone()),
                (Ok(text), Selector::Pattern(pattern)) => Reading::matched(pattern, Cow::Borrowed(text)),
                (Ok(text), _) => Reading::One(Value::Text(Cow::Borrowed(text))),
            },
            _ => Reading::Absent,
        }
    }
}
