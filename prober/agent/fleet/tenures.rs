//! Under which token this prober owned which shard, and from when: what says of an event whose it is.
//!
//! Kept on disk, because events that were not published before a crash are published after it, under the token of
//! the time when they were made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet::{Shard, Token};
use model::time::Timestamp;

/// How long a tenure is of use: nothing older is counted by a ledger.
const KEPT: Duration = Duration::from_hours(48);

/// All tenures that a stored event may be from.
#[derive(Debug)]
pub(super) struct Tenures {
    path: PathBuf,
    /// Each shard's in the order in which they began.
    all: BTreeMap<Shard, Vec<(Timestamp, Token)>>,
}

impl Tenures {
    /// Reads the file, or begins one; what is too old to be of use is left out.
    pub(super) fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            text => text.unwrap_or_default(),
        };
        let mut made = Self { path: path.to_owned(), all: BTreeMap::new() };
        // A line that a crash cut off belongs to a tenure that no slot ran in yet.
        for (shard, from, token) in text.lines().filter_map(read) {
            made.all.entry(shard).or_default().push((from, token));
        }
        let oldest = now.minus(KEPT);
        for tenures in made.all.values_mut() {
            let current = tenures.partition_point(|(from, _)| *from < oldest).saturating_sub(1);
            tenures.drain(..current);
        }
        made.rewrite()?;
        Ok(made)
    }

    fn rewrite(&self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        for (shard, tenures) in &self.all {
            for (from, token) in tenures {
                file.write_all(line(*shard, *from, *token).as_bytes())?;
            }
        }
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }

    /// Notes that the shard is owned under `token` for slots from `from` on; durable when this returns.
    pub(super) fn note(&mut self, begun: &[(Shard, Token)], from: Timestamp) -> io::Result<()> {
        let mut file = File::options().append(true).create(true).open(&self.path)?;
        let mut text = String::new();
        for (shard, token) in begun {
            text += &line(*shard, from, *token);
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        for (shard, token) in begun {
            self.all.entry(*shard).or_default().push((from, *token));
        }
        Ok(())
    }

    /// Notes what is owned now; durable when this returns.
    pub(super) fn note_owned(&self, owned: &BTreeMap<Shard, Token>, from: Timestamp) -> io::Result<()> {
        let text: String = owned.iter().map(|(shard, token)| line(*shard, from, *token)).collect();
        super::kept::durable(&self.path.with_extension("owned"), text.as_bytes())
    }

    /// What the last life owned when it ended.
    pub(super) fn owned(&self) -> BTreeMap<Shard, Token> {
        let text = fs::read_to_string(self.path.with_extension("owned")).unwrap_or_default();
        text.lines().filter_map(read).map(|(shard, _, token)| (shard, token)).collect()
    }

    /// The token under which the shard was owned when the slot began.
    pub(super) fn token(&self, shard: Shard, slot: Timestamp) -> Token {
        let tenures = self.all.get(&shard).map_or(&[][..], Vec::as_slice);
        let of_slot = tenures.iter().rev().find(|(from, _)| *from <= slot);
        // A slot before the first tenure was planned by it all the same.
        of_slot.or(tenures.first()).map_or(Token(0), |(_, token)| *token)
    }

    /// The shard's newest token, and from when it holds.
    pub(super) fn newest(&self, shard: Shard) -> Option<(Timestamp, Token)> {
        self.all.get(&shard)?.last().copied()
    }
}

fn line(shard: Shard, from: Timestamp, token: Token) -> String {
    format!("{} {} {} {token}\n", shard.number, shard.replica, from.as_millis())
}

fn read(line: &str) -> Option<(Shard, Timestamp, Token)> {
    let mut words = line.split(' ');
    let shard = Shard { number: words.next()?.parse().ok()?, replica: words.next()?.parse().ok()? };
    let from = Timestamp::from_millis(words.next()?.parse().ok()?);
    Some((shard, from, Token(words.next()?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_the_token_of_its_time_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenures");
        let at = Timestamp::from_seconds;
        let shard = Shard { number: 3, replica: 0 };
        let mut tenures = Tenures::open(&path, at(1_000)).unwrap();
        tenures.note(&[(shard, Token(7))], at(1_000)).unwrap();
        tenures.note(&[(shard, Token(9))], at(2_000)).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"3 0 17").unwrap();
        let owned = BTreeMap::from([(shard, Token(9))]);
        assert_eq!(tenures.owned(), BTreeMap::new());
        tenures.note_owned(&owned, at(2_000)).unwrap();
        assert_eq!(Tenures::open(&path, at(2_000)).unwrap().owned(), owned);
        for tenures in [tenures, Tenures::open(&path, at(2_000)).unwrap()] {
            let token = |seconds| tenures.token(shard, at(seconds));
            assert_eq!([900, 1_000, 1_999, 2_000, 9_000].map(token), [7, 7, 7, 9, 9].map(Token));
            assert_eq!(tenures.token(Shard { number: 4, replica: 0 }, at(1)), Token(0));
        }
        let days_later = Tenures::open(&path, at(2_000 + 3 * 86_400)).unwrap();
        assert_eq!(days_later.all[&shard], [(at(2_000), Token(9))]);
    }
}
