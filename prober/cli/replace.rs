//! Replacing a file's text as a whole: readers see the old text or the new one, never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Replaces the text `before` by `after`; the file's mode stays, and a link stays a link.
///
/// # Errors
/// The file cannot be written, or holds another text than `before`: then it is left alone.
pub(crate) fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    // A folder that may be written does not make a file that may not.
    let file = OpenOptions::new().write(true).open(&real)?;
    let mode = file.metadata()?.permissions();
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = real.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = write(&new, after, mode).and_then(|()| {
        if fs::read(&real)? != before.as_bytes() {
            return Err(io::Error::other("it has changed in the meantime"));
        }
        fs::rename(&new, &real)
    });
    if written.is_err() {
        drop(fs::remove_file(&new));
    }
    written
}

fn write(path: &Path, text: &str, mode: fs::Permissions) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.set_permissions(mode)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn mode_and_link_stay_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        replace(&link, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_has_changed_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "theirs").unwrap();
        assert!(replace(&path, "old", "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
