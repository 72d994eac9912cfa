//! Whether the directory is still where it was, and this prober's alone.

use super::{WriteError, Writer};

impl Writer {
    /// Asked before anything is written: the directory may have been moved and replaced by a copy that another prober
    /// has opened, or its lock may have been removed to let one in.
    pub(super) fn hold_place(&self) -> Result<(), WriteError> {
        if !self.part.is_there() {
            return Err(WriteError::Gone(self.part.info.path.clone()));
        }
        let dir = &self.shared.files.dir;
        let renewed = self.shared.lock.lock().expect("no holder panics").renew(dir);
        renewed.map_err(|error| WriteError::Lost(error.told_of(dir)))
    }
}
