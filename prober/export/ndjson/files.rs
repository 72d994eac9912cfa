//! The directory of files: append, rotate, retain, and mend after a crash. Blocking.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::time::{Clock, Timestamp};

use super::Rotation;

/// The end of a closed file's name.
const CLOSED: &str = ".ndjson";
/// The end of a growing file's name.
const OPEN: &str = ".ndjson.part";

/// The directory and the file that grows.
pub(super) struct Files {
    dir: PathBuf,
    rotation: Rotation,
    clock: Arc<dyn Clock>,
    open: Option<Open>,
    /// Whether files that were left open have been looked for.
    is_mended: bool,
}

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    began: Timestamp,
}

impl Open {
    /// Whether its name still leads to the file; what is written to one without a name is lost with it.
    fn is_there(&self) -> bool {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let (named, held) = (fs::metadata(&self.path), self.file.metadata());
        named.is_ok_and(|named| held.is_ok_and(|held| identity(named) == identity(held)))
    }
}

impl Files {
    /// Uses `dir`, made if it is not there; files that a crash left open are mended and closed at the first use.
    pub(super) fn open(dir: &Path, rotation: Rotation, clock: Arc<dyn Clock>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        // Said now rather than at the first event.
        let probe = dir.join(".prober-writable");
        File::create(&probe)?;
        fs::remove_file(&probe)?;
        Ok(Self { dir: dir.to_owned(), rotation, clock, open: None, is_mended: false })
    }

    /// Mends and closes the files that a crash left open.
    ///
    /// Not before the first use: until then another exporter may write here, the one that this one follows.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_mended {
            return Ok(());
        }
        for path in self.named(OPEN)? {
            mend(&path)?;
            close(&path)?;
        }
        self.is_mended = true;
        Ok(())
    }

    /// Appends whole lines, on the disk when this returns.
    ///
    /// # Errors
    /// They could not be written, or somebody has removed or moved the file: the next call begins another one. One that
    /// was emptied, as by logrotate's `copytruncate`, goes on from its new end.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.rotate()?;
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let open = self.open.as_mut().expect("just begun");
        let whole = open.file.metadata()?.len();
        let written = open.file.write_all(lines).and_then(|()| open.file.sync_data());
        match written {
            Ok(()) if open.is_there() => {
                open.bytes = whole + lines.len() as u64;
                Ok(())
            }
            Ok(()) => {
                let path = self.open.take().map(|open| open.path).unwrap_or_default();
                let message = format!("{} was removed or moved away", path.display());
                Err(io::Error::new(io::ErrorKind::NotFound, message))
            }
            Err(error) => {
                // Half a line may be there: cut it off, or begin another file if not even that works.
                if open.file.set_len(whole).is_err() {
                    self.open = None;
                }
                Err(error)
            }
        }
    }

    /// Closes the open file if it is full or old.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.mend()?;
        let now = self.clock.now();
        let due = self.open.as_ref().is_some_and(|open| {
            open.bytes >= self.rotation.bytes || now.since(open.began) >= self.rotation.after
        });
        if due { self.close() } else { Ok(()) }
    }

    /// Closes the open file and removes the oldest closed ones over the bounds.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.mend()?;
        let Some(open) = self.open.take() else { return Ok(()) };
        drop(open.file);
        close(&open.path)?;
        self.retain()
    }

    fn retain(&self) -> io::Result<()> {
        let mut closed = self.named(CLOSED)?;
        closed.reverse();
        let mut bytes = 0;
        for (index, path) in closed.iter().enumerate() {
            bytes += fs::metadata(path).map_or(0, |found| found.len());
            if index >= self.rotation.keep_files || (bytes > self.rotation.keep_bytes && index > 0) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Makes a new file; its name is its start, numbered if there was one at that second.
    fn begin(&self) -> io::Result<Open> {
        let began = self.clock.now();
        let start = began.jiff().strftime("events-%Y%m%dT%H%M%SZ").to_string();
        for index in 0..10_000_u32 {
            let stem = format!("{start}-{index:04}");
            if self.dir.join(format!("{stem}{CLOSED}")).exists() {
                continue;
            }
            let path = self.dir.join(format!("{stem}{OPEN}"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    File::open(&self.dir)?.sync_all()?;
                    return Ok(Open { path, file, bytes: 0, began });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("10,000 files are called {start}")))
    }

    /// Puts another file in the open one's place, as a disk that fills up does.
    #[cfg(test)]
    pub(super) fn swap_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.open.as_mut().expect("a file is open").file, file)
    }

    /// Our files with this end, in the order of their names.
    fn named(&self, end: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("events-") && name.ends_with(end) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Gives a file its final name; an empty one goes.
fn close(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.len() == 0 {
        return fs::remove_file(path);
    }
    let name = path.to_string_lossy();
    let closed = PathBuf::from(name.strip_suffix(".part").unwrap_or(&name));
    fs::rename(path, &closed)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Cuts a torn last line off.
fn mend(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).expect("at most a block")];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + last as u64 + 1;
            break;
        }
        end = start;
    }
    file.set_len(end)?;
    file.sync_all()
}

/// The whole lines of a file, closed or growing; a torn last line is left out.
///
/// # Errors
/// The file could not be opened; each item, that it could not be read or is not UTF-8.
pub fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let mut reader = BufReader::new(File::open(path)?);
    Ok(std::iter::from_fn(move || {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => {
                line.pop();
                Some(Ok(line))
            }
            // The end, or a line that is not whole; torn inside a character it is not UTF-8 either.
            Ok(_) => None,
            Err(error)
                if error.kind() == io::ErrorKind::InvalidData
                    && reader.fill_buf().is_ok_and(<[u8]>::is_empty) =>
            {
                None
            }
            Err(error) => Some(Err(error)),
        }
    })
    .fuse())
}
