//! Where scenario sets lie.

use std::fmt;

use bytes::Bytes;

use crate::Fault;

/// The number of a region's scenario set; only grows, also when an earlier set is published again.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetVersion(pub u64);

impl fmt::Display for SetVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The BLAKE3 hash under which an object of a set is stored.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A manifest as it was published; to an engine its bytes mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its number, as whoever published it said. Only what the signed bytes say is to be believed.
    pub version: SetVersion,
    /// The signed manifest.
    pub bytes: Bytes,
}

/// Reads and publishes the scenario sets of regions.
///
/// Objects are stored under the hash of their bytes and never change; a manifest names them. Readers check hash and
/// signature themselves: an engine is trusted with neither.
pub trait ConfigSource: Send + Sync {
    /// What tells of newly published manifests.
    type Watch: ManifestWatch;

    /// The region's newest manifest; `None` if none was published.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn manifest(&self, region: &str) -> impl Future<Output = Result<Option<StoredManifest>, Fault>> + Send;

    /// The region's manifest of an earlier version.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn manifest_at(
        &self,
        region: &str,
        version: SetVersion,
    ) -> impl Future<Output = Result<Option<StoredManifest>, Fault>> + Send;

    /// The versions of the region that are kept, oldest first.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn versions(&self, region: &str) -> impl Future<Output = Result<Vec<SetVersion>, Fault>> + Send;

    /// The object of the region's sets with this hash; `None` if there is none.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn object(
        &self,
        region: &str,
        digest: Digest,
    ) -> impl Future<Output = Result<Option<Bytes>, Fault>> + Send;

    /// Stores an object for sets that are published later; storing it again changes nothing.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn put_object(
        &self,
        region: &str,
        digest: Digest,
        bytes: Bytes,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Publishes a manifest whose objects are stored, if `after` is still the region's newest version (`None`: no version yet).
    ///
    /// # Errors
    /// [`Fault::Conflict`] if another version was published meanwhile; the engine is away or refuses.
    fn publish(
        &self,
        region: &str,
        after: Option<SetVersion>,
        manifest: StoredManifest,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Watches the region's newest manifest; the one that is there now comes first.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn watch(&self, region: &str) -> impl Future<Output = Result<Self::Watch, Fault>> + Send;
}

/// Tells of a region's manifests.
pub trait ManifestWatch: Send {
    /// The next newest manifest; one that was overtaken meanwhile may be left out. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The watch is broken: make a new one.
    fn next(&mut self) -> impl Future<Output = Result<StoredManifest, Fault>> + Send;
}
