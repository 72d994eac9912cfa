//! The files of a project as a commit has them, asked of `git`: nothing is checked out.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long one question to git may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most bytes of an answer: the files of the largest project.
const ANSWER_BYTES_MAX: u64 = 512 << 20;

/// The most files that are looked at.
const FILES_MAX: usize = 60_000;

/// The longest complaint of git that is shown.
const COMPLAINT_BYTES_MAX: u64 = 2_048;

/// Endings of the files that the compiler may read.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// The files below `root` that a project can have, by their paths from there, at the commit that `reference` names.
///
/// # Errors
/// There is no git, `root` is in no repository, or there is no such commit; for people.
pub(super) fn files(root: &Path, reference: &str) -> Result<BTreeMap<String, String>, String> {
    // What begins with a dash would be an option of git.
    let commit = format!("{reference}^{{commit}}");
    let commit = ask(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit], b"")
        .map_err(|error| unknown(reference, error))?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let listed = ask(root, &["ls-tree", "-r", "-z", "--name-only", &commit], b"").map_err(Fault::text)?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths: Vec<_> = listed
        .split('\0')
        .filter(|path| ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.contains('\n'))
        .collect();
    if paths.len() > FILES_MAX {
        return Err(format!("{reference} has more than {FILES_MAX} files below {}", root.display()));
    }
    let asked: Vec<_> = paths.iter().map(|path| format!("{commit}:./{path}\n")).collect();
    let answers = ask(root, &["cat-file", "--batch"], asked.concat().as_bytes()).map_err(Fault::text)?;
    let mut rest = answers.as_slice();
    let mut files = BTreeMap::new();
    for path in paths {
        let Some(bytes) = blob(&mut rest) else {
            return Err("git gave an answer that cannot be read".to_owned());
        };
        files.insert(path.to_owned(), String::from_utf8_lossy(bytes).into_owned());
    }
    Ok(files)
}

/// The next object of an answer: a line `ID TYPE LENGTH`, the bytes, and the end of a line.
fn blob<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    let length = line.rsplit(' ').next()?.parse::<usize>().ok()?;
    let (bytes, after) = rest.get(end + 1..)?.split_at_checked(length)?;
    *rest = after.strip_prefix(b"\n")?;
    Some(bytes)
}

fn unknown(reference: &str, fault: Fault) -> String {
    match fault {
        Fault::Refused(text) if text.is_empty() => {
            format!("`{reference}` is no folder here and no commit of this repository")
        }
        Fault::Refused(text) if text.contains("not a git repository") => format!(
            "`{reference}` is no folder here, and no commit either: the project is in no git repository; name a folder or a running server's URL"
        ),
        other => other.text(),
    }
}

/// Why git gave no answer.
enum Fault {
    Absent,
    Slow,
    TooLong,
    Refused(String),
}

impl Fault {
    fn text(self) -> String {
        match self {
            Self::Absent => "git is not installed; name a folder or a running server's URL".to_owned(),
            Self::Slow => format!("git did not answer within {} s", PATIENCE.as_secs()),
            Self::TooLong => format!("git's answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20),
            Self::Refused(text) => format!("git: {text}"),
        }
    }
}

fn ask(root: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(arguments);
    // It only reads: no lock, no question to a person.
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|_| Fault::Absent)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else { return Err(Fault::Absent) };
    let (done, ended) = mpsc::sync_channel::<()>(1);
    let mut answer = Vec::new();
    let (complaint, status) = thread::scope(|scope| {
        // Questions and answers flow at once: either alone could fill its pipe.
        scope.spawn(move || drop(stdin.write_all(input)));
        let complaint = scope.spawn(move || {
            let mut text = Vec::new();
            drop(stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut text));
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        let watch = scope.spawn(move || {
            let in_time = ended.recv_timeout(PATIENCE).is_ok();
            if !in_time {
                drop(child.kill());
            }
            child.wait().ok().filter(|_| in_time)
        });
        let read = stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer);
        drop(read.and(done.send(()).map_err(std::io::Error::other)));
        (complaint.join().unwrap_or_default(), watch.join().ok().flatten())
    });
    match status {
        None => Err(Fault::Slow),
        Some(_) if answer.len() as u64 > ANSWER_BYTES_MAX => Err(Fault::TooLong),
        Some(status) if status.success() => Ok(answer),
        Some(_) => Err(Fault::Refused(complaint)),
    }
}
