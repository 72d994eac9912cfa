//! The cipher suites of old, which are offered so that a server that has nothing else chooses one, and never used.
//!
//! The library has neither CBC nor CCM, exchanges no keys in finite fields, and none by RSA alone (RFC 5246, RFC 6655,
//! RFC 7251). OpenSSL still has them, and with it curl and many a client: a server that speaks nothing better is one
//! that this program cannot speak to, and no word against it. A handshake goes no further than the choice.

use std::sync::LazyLock;

use rustls::crypto::tls12::Prf;
use rustls::crypto::{ActiveKeyExchange, CipherSuiteCommon, KeyExchangeAlgorithm, ring};
use rustls::{
    CipherSuite, Error, HandshakeType, PeerMisbehaved, SignatureScheme, SupportedCipherSuite,
    Tls12CipherSuite,
};

/// CBC and CCM, with an exchange of keys on curves.
const ON_CURVES: &[u16] = &[0xc0ac, 0xc0ad, 0xc023, 0xc024, 0xc027, 0xc028, 0xc009, 0xc00a, 0xc013, 0xc014];
/// An exchange of keys in finite fields.
const IN_FIELDS: &[u16] = &[0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039];
/// None at all: the client sends a key for the server's RSA key.
const BY_RSA: &[u16] = &[0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035];

/// A signature of each algorithm that is checked; of the rest of them nothing depends on it.
const SIGNED: &[SignatureScheme] =
    &[SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519, SignatureScheme::RSA_PSS_SHA256];

static SUITES: LazyLock<Vec<Tls12CipherSuite>> = LazyLock::new(|| {
    let SupportedCipherSuite::Tls12(known) = ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 else {
        return Vec::new();
    };
    let (curves, fields) = (KeyExchangeAlgorithm::ECDHE, KeyExchangeAlgorithm::DHE);
    let all = [(curves, ON_CURVES), (fields, IN_FIELDS), (curves, BY_RSA)];
    let each = all.into_iter().flat_map(|(kx, numbers)| numbers.iter().map(move |number| (kx, *number)));
    let suite = |(kx, number)| Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::from(number),
            hash_provider: known.common.hash_provider,
            confidentiality_limit: u64::MAX,
        },
        prf_provider: &Chosen,
        kx,
        sign: SIGNED,
        aead_alg: known.aead_alg,
    };
    each.map(suite).collect()
});

/// How the exchange of keys is called that is made neither on curves nor by RSA alone.
pub(super) const DHE: &str = "in finite fields (DHE)";

/// All of them, the less old ones first.
pub(super) fn all() -> impl Iterator<Item = SupportedCipherSuite> {
    SUITES.iter().map(SupportedCipherSuite::Tls12)
}

/// What cannot be done, if `error` is how a handshake ends that one of them was chosen for.
pub(super) fn beyond(error: &Error) -> Option<&'static str> {
    match error {
        Error::General(word) if *word == CHOSEN => {
            Some("use the only ciphers that the server knows: with CBC or CCM")
        }
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedKxGroup) => {
            Some("exchange keys in the only way that the server knows: in finite fields (DHE)")
        }
        // What there is not without an exchange of keys is what the library waits for.
        Error::InappropriateHandshakeMessage { expect_types, .. }
            if *expect_types == [HandshakeType::ServerKeyExchange] =>
        {
            Some("exchange keys in the only way that the server knows: by RSA alone")
        }
        _ => None,
    }
}

const CHOSEN: &str = "a cipher suite of old was chosen";

/// Ends the handshake where the keys of a suite would be made.
struct Chosen;

impl Prf for Chosen {
    fn for_key_exchange(
        &self,
        _output: &mut [u8; 48],
        _kx: Box<dyn ActiveKeyExchange>,
        _peer_pub_key: &[u8],
        _label: &[u8],
        _seed: &[u8],
    ) -> Result<(), Error> {
        Err(Error::General(CHOSEN.to_owned()))
    }

    /// Nothing asks for it: there are no keys.
    fn for_secret(&self, _output: &mut [u8], _secret: &[u8], _label: &[u8], _seed: &[u8]) {}
}
