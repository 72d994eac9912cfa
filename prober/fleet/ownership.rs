//! Who is in the fleet, and who owns which work.

use std::fmt;

use bytes::Bytes;

use crate::Fault;

/// A part of a region's work: the scenarios whose hash falls into it, for one replica.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// From 0; how many there are is the region's own business.
    pub number: u16,
    /// From 0.
    pub replica: u16,
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.number, self.replica)
    }
}

/// What fences an owner: every change of a shard's ownership has a greater one.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What is known of a shard's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Which work.
    pub shard: Shard,
    /// The token of this claim.
    pub token: Token,
    /// Who has it; `None` if it was let go.
    pub holder: Option<Beat>,
}

/// One life of one prober: its name, and the number of the boot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beat {
    /// The prober's id, see [`crate::is_key_part`].
    pub prober: String,
    /// How often its store was opened.
    pub boot: u64,
}

/// A member and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub who: Beat,
    /// What it says of itself, at most 4 KiB; to an engine it means nothing.
    pub about: Bytes,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody joined or renewed.
    Member(Member),
    /// Somebody left, or did not renew in time; the prober's id.
    Gone(String),
    /// A shard has a new owner, or was let go.
    Owner(Owner),
    /// Somebody is alive; lost beats are not told again.
    Beat(Beat),
    /// All that was there when the watch began has been told.
    Settled,
}

/// Claims work by compare-and-set, and tells who is there.
pub trait Ownership: Send + Sync {
    /// What tells of changes.
    type Watch: OwnershipWatch;

    /// Joins the region, or renews; ends by itself after [`crate::MEMBER_LIFE`].
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn renew(&self, region: &str, member: &Member) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Leaves the region at once.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn leave(&self, region: &str, prober: &str) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The members of the region.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn members(&self, region: &str) -> impl Future<Output = Result<Vec<Member>, Fault>> + Send;

    /// Tells the region's watchers that somebody is alive. Nothing is stored, and nobody answers.
    ///
    /// # Errors
    /// It could not even be sent.
    fn beat(&self, region: &str, who: &Beat) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes `holder` the owner of the shard (`None`: lets it go), if its token is still `held` (`None`: it never had an owner).
    ///
    /// # Errors
    /// [`Fault::Conflict`] if somebody else changed it; the engine is away or refuses.
    fn claim(
        &self,
        region: &str,
        shard: Shard,
        held: Option<Token>,
        holder: Option<&Beat>,
    ) -> impl Future<Output = Result<Token, Fault>> + Send;

    /// Every shard of the region that ever had an owner.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn owners(&self, region: &str) -> impl Future<Output = Result<Vec<Owner>, Fault>> + Send;

    /// Watches the region: first all that is there, then [`Change::Settled`], then each change.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn watch_owners(&self, region: &str) -> impl Future<Output = Result<Self::Watch, Fault>> + Send;
}

/// Tells of a region's members and owners.
pub trait OwnershipWatch: Send {
    /// The next change. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The watch is broken: make a new one.
    fn next(&mut self) -> impl Future<Output = Result<Change, Fault>> + Send;
}
