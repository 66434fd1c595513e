//! TLS of the dashboard: a certificate of the county's own, or one that is made here and kept beside the data.
//!
//! Reads and makes certificates and nothing else; never logs a key. TLS 1.2 and 1.3 as rustls does them. What was renewed
//! on the disk is served from the next connection on; what cannot be used is told of, and the former one served.

use arc_swap::{ArcSwap, ArcSwapOption};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A certificate made here is made anew at the first start after this long; it is valid for some weeks more.
const RENEWED_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);
/// Browsers refuse what is valid for longer than this (CA/Browser Forum: 398 days).
const VALID_DAYS: i64 = 397;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {why}; name a PEM file this service's user may read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A file holds something else.
    #[error("there is no {what} in {}; expected PEM, \"-----BEGIN …-----\"", file.display())]
    Empty {
        /// Which.
        file: PathBuf,
        /// certificate or private key.
        what: &'static str,
    },
    /// They do not go together, or are of a kind that TLS does not use.
    #[error("the certificate in {} and its key cannot be used: {why}", file.display())]
    Unfit {
        /// The certificate's.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The certificate could not be made or kept.
    #[error("no certificate can be made in {}: {why}", folder.display())]
    Unmade {
        /// Where.
        folder: PathBuf,
        /// Why.
        why: String,
    },
}

/// A certificate with its key, ready to answer. Cheap to clone; clones serve the same.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    source: Arc<Source>,
    served: Arc<Served>,
}

/// Where it comes from.
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Made { folder: PathBuf, names: Vec<String> },
}

/// What is served now.
struct Served {
    pair: ArcSwap<Pair>,
    /// Why what is on the disk by now is not served.
    trouble: ArcSwapOption<String>,
}

/// A certificate and its key, as read.
struct Pair {
    key: Arc<CertifiedKey>,
    fingerprint: String,
    /// SHA-256 of both files.
    content: [u8; 32],
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("fingerprint", &self.pair.load().fingerprint).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair.load().key))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("served", &self.served).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a certificate chain, the server's own first, and its key, both PEM.
    ///
    /// # Errors
    /// A file cannot be read or holds something else, or they do not go together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        Tls::of(Source::Files { certificate: certificate.to_owned(), key: key.to_owned() })
    }

    fn of(source: Source) -> Result<Tls, TlsError> {
        let (certificate, key) = source.files()?;
        let pair = ArcSwap::from_pointee(Pair::read(&certificate, &key)?);
        let served = Arc::new(Served { pair, trouble: ArcSwapOption::empty() });
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError::Unfit { file: certificate, why: e.to_string() })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&served) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { config: Arc::new(config), source: Arc::new(source), served })
    }

    /// The certificate kept in a folder; made for these names and addresses if there is none yet, if it was made for
    /// others, or if it is a year old. Browsers warn of it until it is installed on their machines.
    ///
    /// # Errors
    /// It cannot be made, kept or read.
    pub fn generated(folder: &Path, names: &[String]) -> Result<Tls, TlsError> {
        Tls::of(Source::Made { folder: folder.to_owned(), names: names.to_vec() })
    }

    /// SHA-256 of the certificate in capitals: what a browser shows, to be compared before it is trusted.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.served.pair.load().fingerprint.clone()
    }

    /// Why what is on the disk by now is not served, if it cannot be used.
    pub(crate) fn trouble(&self) -> Option<Arc<String>> {
        self.served.trouble.load_full()
    }

    /// Looks whether the files hold something new, and serves it if it can be used. Reads files.
    pub(crate) fn look(&self) {
        let found = self.source.files().and_then(|(certificate, key)| Pair::read(&certificate, &key));
        match found {
            Ok(pair) => {
                self.served.trouble.store(None);
                if pair.content != self.served.pair.load().content {
                    tracing::info!(
                        sha256 = pair.fingerprint,
                        "the dashboard is served with another certificate from now on"
                    );
                    self.served.pair.store(Arc::new(pair));
                }
            }
            Err(error) => {
                let told = error.to_string();
                if self.trouble().is_none_or(|before| *before != told) {
                    tracing::error!(error = told, "the certificate on the disk is not served; the former one is");
                    self.served.trouble.store(Some(Arc::new(told)));
                }
            }
        }
    }
}

impl Source {
    /// Certificate and key; made first if need be.
    fn files(&self) -> Result<(PathBuf, PathBuf), TlsError> {
        match self {
            Source::Files { certificate, key } => Ok((certificate.clone(), key.clone())),
            Source::Made { folder, names } => ensure(folder, names),
        }
    }
}

impl Pair {
    fn read(certificate: &Path, key: &Path) -> Result<Pair, TlsError> {
        let unreadable = |file: &Path, why: &dyn std::fmt::Display| TlsError::Unreadable {
            file: file.to_owned(),
            why: why.to_string(),
        };
        let text = fs::read(certificate).map_err(|e| unreadable(certificate, &e))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::Empty { file: certificate.to_owned(), what: "certificate" })?;
        let own = chain.first().ok_or(TlsError::Empty { file: certificate.to_owned(), what: "certificate" })?;
        let fingerprint = hex::encode_upper(Sha256::digest(own));
        let secret = fs::read(key).map_err(|e| unreadable(key, &e))?;
        let content = Sha256::new_with_prefix(Sha256::digest(&text)).chain_update(Sha256::digest(&secret)).finalize();
        let key = PrivateKeyDer::from_pem_slice(&secret)
            .map_err(|_| TlsError::Empty { file: key.to_owned(), what: "private key" })?;
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .map_err(|e| TlsError::Unfit { file: certificate.to_owned(), why: e.to_string() })?;
        Ok(Pair { key: Arc::new(key), fingerprint, content: content.into() })
    }
}

/// Makes a certificate for these names unless there is a fitting one that is not too old.
fn ensure(folder: &Path, names: &[String]) -> Result<(PathBuf, PathBuf), TlsError> {
    let unmade = |why: &dyn std::fmt::Display| TlsError::Unmade { folder: folder.to_owned(), why: why.to_string() };
    let [certificate, key, made_for] = ["certificate.pem", "key.pem", "names"].map(|name| folder.join(name));
    let wanted = names.join("\n");
    let age = fs::metadata(&certificate).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    let fits = fs::read_to_string(&made_for).is_ok_and(|text| text == wanted);
    if !fits || age.is_none_or(|age| age > RENEWED_AFTER) {
        fs::create_dir_all(folder).map_err(|e| unmade(&e))?;
        let (made, its_key) = make(names).map_err(|e| unmade(&e))?;
        // The names come last: without them everything is made anew.
        fs::remove_file(&made_for)
            .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
            .and_then(|()| write(&key, &its_key, 0o600))
            .and_then(|()| write(&certificate, &made, 0o644))
            .and_then(|()| write(&made_for, &wanted, 0o644))
            .map_err(|e| unmade(&e))?;
    }
    Ok((certificate, key))
}

/// A certificate signed with its own key, and that key, both PEM.
fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "SharpEyes");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    // A browser whose clock is a little behind must not refuse it.
    params.not_before = (now - Duration::from_secs(24 * 3600)).into();
    params.not_after = (now + Duration::from_secs(VALID_DAYS as u64 * 24 * 3600)).into();
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut open = fs::OpenOptions::new();
    let mut to = open.write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
    to.write_all(text.as_bytes())?;
    to.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_made_once_and_anew_for_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let at = folder.path().join("tls");
        let first = Tls::generated(&at, &names(&["eyes.county.example", "10.1.2.3"])).unwrap();
        assert_eq!(first.fingerprint().len(), 64);
        let again = Tls::generated(&at, &names(&["eyes.county.example", "10.1.2.3"])).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        let other = Tls::generated(&at, &names(&["eyes.county.example"])).unwrap();
        assert_ne!(first.fingerprint(), other.fingerprint());
        let mode = fs::metadata(at.join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the key is ours alone");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let [one, two] = ["one", "two"].map(|name| {
            Tls::generated(&at(name), &["localhost".to_owned()]).unwrap();
            at(name)
        });
        let tell = |certificate: PathBuf, key: PathBuf| Tls::read(&certificate, &key).unwrap_err().to_string();
        assert!(tell(at("none.pem"), one.join("key.pem")).starts_with("cannot read "));
        assert!(tell(one.join("key.pem"), one.join("key.pem")).starts_with("there is no certificate in "));
        assert!(tell(one.join("certificate.pem"), one.join("names")).starts_with("there is no private key in "));
        assert!(tell(one.join("certificate.pem"), two.join("key.pem")).contains("cannot be used"));
        assert!(Tls::read(&one.join("certificate.pem"), &one.join("key.pem")).is_ok());
    }
}
