//! What checks the signatures of certificates: what connections accept, and beside it what is too weak for them.
//!
//! A chain that is signed with SHA-1, or by a short key, is bad for that reason; whether it leads to a trusted
//! authority is another question, and only an algorithm can answer it. MD5 and ECDSA with SHA-1 nobody checks here.

use std::sync::LazyLock;

use ring::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::crypto::ring::default_provider;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// `sha1WithRSAEncryption` and its empty parameters (RFC 8017, appendix A.2.4).
const RSA_PKCS1_SHA1: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
]);

/// RSA as it was used before 2048 bits and SHA-2 were the least.
static WEAK: [Weak; 3] = [
    Weak { signature: RSA_PKCS1_SHA1, check: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY },
    Weak { signature: alg_id::RSA_PKCS1_SHA256, check: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY },
    Weak { signature: alg_id::RSA_PKCS1_SHA512, check: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY },
];

/// Every algorithm. The first one for a signature decides, and the weak ones check long keys too: they come first.
pub(crate) static ALL: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> = LazyLock::new(|| {
    let weak = WEAK.iter().map(|algorithm| algorithm as &'static dyn SignatureVerificationAlgorithm);
    weak.chain(default_provider().signature_verification_algorithms.all.iter().copied()).collect()
});

#[derive(Debug)]
struct Weak {
    signature: AlgorithmIdentifier,
    check: &'static dyn VerificationAlgorithm,
}

impl SignatureVerificationAlgorithm for Weak {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.check, key).verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}
