//! Proofs of a password, by the names of their methods.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// SHA-1, of MySQL before 8 and of MariaDB.
pub(super) const NATIVE: &str = "mysql_native_password";
/// SHA-256, of MySQL from 8 on.
pub(super) const CACHING: &str = "caching_sha2_password";
/// The password as it is; in TLS only.
pub(super) const CLEAR: &str = "mysql_clear_password";

/// The proof that `method` wants for `nonce`; `None` if the method is not known here.
pub(super) fn proof(method: &str, password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    if password.is_empty() && [NATIVE, CACHING].contains(&method) {
        return Some(Vec::new());
    }
    match method {
        NATIVE => {
            let once = Sha1::digest(password);
            let hashed = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
            Some(mixed(&once, &hashed))
        }
        CACHING => {
            let once = sha256(&[password.as_bytes()]);
            let hashed = sha256(&[&sha256(&[&once]), nonce]);
            Some(mixed(&once, &hashed))
        }
        _ => None,
    }
}

/// The password as it is, as servers read it.
pub(super) fn clear(password: &str) -> Vec<u8> {
    [password.as_bytes(), &[0]].concat()
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    use sha2::Digest as _;
    parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().to_vec()
}

fn mixed(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::octets::hex;

    #[test]
    fn proofs_of_known_passwords() {
        let nonce: Vec<u8> = (1..=20).collect();
        // Worked out with Python's hashlib.
        let of = |method| proof(method, "let-me-in", &nonce).map(|proof| hex(&proof));
        assert_eq!(of(NATIVE).as_deref(), Some("92b0b056dfb51cbe9f1a56a030ce603b3cd3e7d5"));
        assert_eq!(
            of(CACHING).as_deref(),
            Some("0294264b94487cfbdc1d01ef4ab9a2c9ff80b4c1ddaf7c60e7a992f36a0e2b05")
        );
        assert_eq!(of("dialog"), None);
        assert_eq!(proof(NATIVE, "", &nonce), Some(Vec::new()));
    }
}
