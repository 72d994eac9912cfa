//! Chains of keys and hashes that nobody should use any more, made by OpenSSL's tool: rcgen refuses to.

use std::sync::Arc;

use model::time::{Clock as _, SystemClock};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use super::{DAY, Identity, write};
use crate::servers::openssl;

/// How a chain for `localhost` is made: keys and hashes of the intermediate and the leaf. The root is sound.
#[derive(Copy, Clone, Debug)]
pub struct Weak {
    /// A name for people.
    pub name: &'static str,
    /// The intermediate's key: `rsa:1024`, or a curve.
    pub between: &'static str,
    /// The hash under the root's signature of the intermediate.
    pub between_hash: &'static str,
    /// The leaf's key.
    pub leaf: &'static str,
    /// The hash under the intermediate's signature of the leaf.
    pub leaf_hash: &'static str,
}

const SOUND: Weak =
    Weak { name: "", between: "rsa:2048", between_hash: "sha256", leaf: "rsa:2048", leaf_hash: "sha256" };

/// Every way in which a chain of these is weak, and two that are not.
pub const WEAK: [Weak; 9] = [
    Weak { name: "sound RSA", ..SOUND },
    Weak { name: "sound P-384", leaf: "secp384r1", ..SOUND },
    Weak { name: "RSA 1024 leaf", leaf: "rsa:1024", ..SOUND },
    Weak { name: "RSA 1024 intermediate", between: "rsa:1024", ..SOUND },
    Weak { name: "SHA-1 leaf", leaf_hash: "sha1", ..SOUND },
    Weak { name: "SHA-1 intermediate", between_hash: "sha1", ..SOUND },
    Weak { name: "MD5 leaf", leaf_hash: "md5", ..SOUND },
    Weak { name: "SHA-1 and RSA 1024", leaf: "rsa:1024", leaf_hash: "sha1", ..SOUND },
    Weak { name: "P-224 leaf", leaf: "secp224r1", ..SOUND },
];

/// A chain made like that, with a root of its own in `root.pem` beside it.
pub fn weak(how: Weak) -> (Identity, Arc<TempDir>) {
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    let at = folder.path();
    write(&at.join("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n");
    write(
        &at.join("leaf.ext"),
        "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n",
    );
    let key = |kind: &str, name: &str| {
        let file = format!("{name}.key");
        let (algorithm, option) = match kind.split_once(':') {
            Some(("rsa-pss", bits)) => ("RSA-PSS", format!("rsa_keygen_bits:{bits}")),
            Some((_, bits)) => ("RSA", format!("rsa_keygen_bits:{bits}")),
            None if kind == "ed448" => return openssl(at, &["genpkey", "-algorithm", kind, "-out", &file]),
            None => ("EC", format!("ec_paramgen_curve:{kind}")),
        };
        openssl(at, &["genpkey", "-algorithm", algorithm, "-pkeyopt", &option, "-out", &file])
    };
    key("rsa:2048", "root");
    let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign"];
    // The system's own configuration would add extensions.
    write(&at.join("req.cnf"), "[req]\ndistinguished_name=name\n[name]\n");
    let root = ["req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=weak root", "-days", "60"];
    openssl(at, &[&root[..], &["-out", "root.pem", "-config", "req.cnf"], &ca].concat());
    let sign = |name: &str, by: &str, hash: &str, ext: &str, subject: &str| {
        let (key, request, cert) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        openssl(at, &["req", "-new", "-key", &key, "-subj", subject, "-config", "req.cnf", "-out", &request]);
        let (ca, ca_key, hash) = (format!("{by}.pem"), format!("{by}.key"), format!("-{hash}"));
        let sign =
            ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days"];
        openssl(at, &[&sign[..], &["50", &hash, "-extfile", ext, "-out", &cert]].concat());
    };
    key(how.between, "between");
    sign("between", "root", how.between_hash, "ca.ext", "/CN=weak intermediate");
    key(how.leaf, "leaf");
    sign("leaf", "between", how.leaf_hash, "leaf.ext", "/CN=localhost");
    let read = |name: &str| CertificateDer::from_pem_file(at.join(name)).expect("openssl has written it");
    let now = SystemClock.now();
    let identity = Identity {
        chain: vec![read("leaf.pem"), read("between.pem")],
        cert_file: at.join("leaf.pem"),
        key_file: at.join("leaf.key"),
        serial: 0,
        not_before: now,
        not_after: now.plus(DAY * 50),
        key: PrivateKeyDer::from_pem_file(at.join("leaf.key")).expect("openssl has written it"),
    };
    (identity, Arc::new(folder))
}
