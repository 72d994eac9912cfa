//! The values that every engine stores, as bytes; the same in each, so that what one shows can be compared with another.

use bytes::Bytes;
use model::time::{Clock as _, SystemClock};

use crate::{Beat, Confirm, Fault, Member, Owner, SetVersion, Shard, StoredManifest, Token};

/// The version in eight bytes, then the signed bytes.
pub(crate) fn manifest_value(manifest: &StoredManifest) -> Bytes {
    [&manifest.version.0.to_le_bytes()[..], &manifest.bytes].concat().into()
}

pub(crate) fn manifest(value: &Bytes) -> Result<StoredManifest, Fault> {
    let (version, _) = value.split_first_chunk().ok_or_else(|| unreadable("a manifest", value))?;
    Ok(StoredManifest { version: SetVersion(u64::from_le_bytes(*version)), bytes: value.slice(8..) })
}

/// `TOKEN PROBER BOOT`, or `TOKEN` if nobody has it.
pub(crate) fn owner_value(token: Token, holder: Option<&Beat>) -> Bytes {
    match holder {
        Some(Beat { prober, boot }) => format!("{token} {prober} {boot}").into(),
        None => token.to_string().into(),
    }
}

pub(crate) fn owner(shard: Shard, value: &[u8]) -> Result<Owner, Fault> {
    let read = || {
        let words: Vec<_> = std::str::from_utf8(value).ok()?.split(' ').collect();
        let holder = match words[..] {
            [_] => None,
            [_, prober, boot] => Some(Beat { prober: prober.to_owned(), boot: boot.parse().ok()? }),
            _ => return None,
        };
        Some(Owner { shard, token: Token(words[0].parse().ok()?), holder })
    };
    read().ok_or_else(|| unreadable("an owner", value))
}

/// `BOOT`, a line break, and what the member says of itself.
pub(crate) fn member_value(member: &Member) -> Bytes {
    [member.who.boot.to_string().as_bytes(), b"\n", &member.about].concat().into()
}

pub(crate) fn member(prober: &str, value: &Bytes) -> Result<Member, Fault> {
    let read = || {
        let end = value.iter().position(|byte| *byte == b'\n')?;
        let boot = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
        Some(Member { who: Beat { prober: prober.to_owned(), boot }, about: value.slice(end + 1..) })
    };
    read().ok_or_else(|| unreadable("a member", value))
}

/// `BOOT THROUGH AGAIN`.
pub(crate) fn confirm_value(confirm: &Confirm) -> Bytes {
    format!("{} {} {}", confirm.from.boot, confirm.through, confirm.again).into()
}

pub(crate) fn confirm(prober: &str, value: &[u8]) -> Result<Confirm, Fault> {
    let read = || {
        let numbers: Option<Vec<u64>> =
            std::str::from_utf8(value).ok()?.split(' ').map(|word| word.parse().ok()).collect();
        let [boot, through, again] = numbers?[..] else { return None };
        Some(Confirm { from: Beat { prober: prober.to_owned(), boot }, through, again })
    };
    read().ok_or_else(|| unreadable("a confirm", value))
}

/// `NUMBER.REPLICA`, the end of a key.
pub(crate) fn shard(key: &str) -> Option<Shard> {
    let (number, replica) = key.split_once('.')?;
    Some(Shard { number: number.parse().ok()?, replica: replica.parse().ok()? })
}

/// A token after `held`. It is also the time of the claim in milliseconds, so that tokens grow even over an engine whose
/// data was wiped.
pub(crate) fn next_token(held: Option<Token>) -> Token {
    let now = u64::try_from(SystemClock.now().as_millis()).unwrap_or(1);
    Token(now.max(held.map_or(0, |held| held.0 + 1)))
}

fn unreadable(what: &str, value: &[u8]) -> Fault {
    let start = String::from_utf8_lossy(&value[..value.len().min(60)]).escape_default().to_string();
    Fault::Unreadable(format!("{what}: `{start}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip_and_rubbish_is_refused() {
        let who = Beat { prober: "eu-1".to_owned(), boot: 7 };
        let shard = Shard { number: 12, replica: 1 };
        assert_eq!(super::shard(&shard.to_string()), Some(shard));
        for holder in [None, Some(who.clone())] {
            let claim = Owner { shard, token: Token(9), holder };
            assert_eq!(owner(shard, &owner_value(claim.token, claim.holder.as_ref())), Ok(claim));
        }
        let about = Member { who: who.clone(), about: Bytes::from_static(b"a\nb") };
        assert_eq!(member("eu-1", &member_value(&about)), Ok(about));
        let told = Confirm { from: who, through: 5, again: 9 };
        assert_eq!(confirm("eu-1", &confirm_value(&told)), Ok(told));
        let set = StoredManifest { version: SetVersion(3), bytes: Bytes::from_static(b"x") };
        assert_eq!(manifest(&manifest_value(&set)), Ok(set));
        for rubbish in [&b""[..], b"x", b"1 2", b"1 a b", b"\xff 1 1", b"1 2 3 4"] {
            let bytes = Bytes::copy_from_slice(rubbish);
            assert!(owner(shard, rubbish).is_err(), "{rubbish:?}");
            assert!(confirm("a", rubbish).is_err(), "{rubbish:?}");
            assert!(member("a", &bytes).is_err(), "{rubbish:?}");
        }
        assert!(super::shard("1").is_none() && super::shard("70000.0").is_none());
    }

    #[test]
    fn tokens_grow_whatever_the_clock_says() {
        let held = next_token(None);
        assert!(next_token(Some(held)) > held);
        let ahead = Token(u64::MAX / 2);
        assert_eq!(next_token(Some(ahead)), Token(ahead.0 + 1));
    }
}
