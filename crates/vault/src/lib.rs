//! Secrets at rest: the node's key, where it comes from, and sealing with it.
//!
//! One key of 32 bytes seals what must not lie open on the disk: camera accounts, addresses of notification channels,
//! the key that signs manifests, the object store's secret. It comes from a file of its own, the environment, or a
//! systemd credential. After a change of key the one before still opens what it sealed, until everything is sealed anew.
//!
//! Protects what travels without its key (a backup, a disk sent in), not a machine that somebody has taken over. Never
//! logs what it seals, nor the key.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod source;

pub use source::Source;

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::{TryRngCore, rngs::OsRng};
use std::{fmt, io};

const NONCE: usize = 12;
/// What sealed text in the config begins with.
const TEXT: &str = "sealed:";

/// Why there is no key, or why something cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key where there must be one.
    #[error("there is no key in {0}, without which what was sealed cannot be read: restore it from the backup")]
    Missing(Source),
    /// What is there is no key.
    #[error("{0} is not a key of 32 bytes or 64 hexadecimal digits: restore it from the backup")]
    Malformed(Source),
    /// Not one of the places that a key may come from.
    #[error("{0:?} names no key: expected \"file:/path\", \"env:NAME\" or \"credential:NAME\"")]
    Source(String),
    /// The file system.
    #[error("cannot {doing} {source_of}: {error}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which key.
        source_of: Source,
        /// The system's answer.
        error: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The node's key, and during a change the one before it.
#[derive(Clone)]
pub struct Keyring {
    current: ChaCha20Poly1305,
    previous: Option<ChaCha20Poly1305>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

/// Which key opened something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum With {
    /// The node's key.
    Current,
    /// The one before: to be sealed anew.
    Previous,
}

impl Keyring {
    /// Reads the key. At a first start, when nothing can have been sealed yet, a missing key file is made.
    ///
    /// # Errors
    /// [`VaultError::Missing`], [`VaultError::Malformed`], or the file system's.
    pub fn open(source: &Source, first_start: bool) -> Result<Keyring, VaultError> {
        let key = match source.read()? {
            Some(key) => key,
            None if first_start => source.make()?,
            None => return Err(VaultError::Missing(source.clone())),
        };
        let previous = source.before().map(|old| old.read()).transpose()?.flatten();
        Ok(Keyring { current: cipher(&key), previous: previous.map(|key| cipher(&key)) })
    }

    /// The same with the key of another place as the one before.
    ///
    /// # Errors
    /// As [`open`](Keyring::open).
    pub fn after(mut self, old: &Source) -> Result<Keyring, VaultError> {
        let key = old.read()?.ok_or_else(|| VaultError::Missing(old.clone()))?;
        self.previous = Some(cipher(&key));
        Ok(self)
    }

    /// Encrypts. `context` says what it is and is bound in, so that sealed things cannot be exchanged.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| VaultError::Random)?;
        let sealed = self.current.encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: context });
        // The cipher refuses only what is longer than 256 GiB.
        Ok([&nonce[..], &sealed.map_err(|_| VaultError::Random)?].concat())
    }

    /// Decrypts; `None` if it was not sealed as this with a key of ours.
    #[must_use]
    pub fn unseal(&self, sealed: &[u8], context: &[u8]) -> Option<(Vec<u8>, With)> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let open =
            |key: &ChaCha20Poly1305| key.decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: context }).ok();
        let current = open(&self.current).map(|plain| (plain, With::Current));
        current.or_else(|| Some((open(self.previous.as_ref()?)?, With::Previous)))
    }

    /// Text to be written into a config file.
    ///
    /// # Errors
    /// As [`seal`](Keyring::seal).
    pub fn seal_text(&self, plain: &str, context: &[u8]) -> Result<String, VaultError> {
        Ok(format!("{TEXT}{}", hex::encode(self.seal(plain.as_bytes(), context)?)))
    }

    /// What [`seal_text`](Keyring::seal_text) sealed.
    #[must_use]
    pub fn unseal_text(&self, text: &str, context: &[u8]) -> Option<String> {
        let sealed = hex::decode(text.strip_prefix(TEXT)?).ok()?;
        String::from_utf8(self.unseal(&sealed, context)?.0).ok()
    }
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| Source::File(folder.path().join(name)));
        let ring = Keyring::open(&one, true).unwrap();
        let sealed = ring.seal(b"word", b"this").unwrap();
        assert_ne!(ring.seal(b"word", b"this").unwrap(), sealed, "a nonce is never used twice");
        assert_eq!(ring.unseal(&sealed, b"this"), Some((b"word".to_vec(), With::Current)));
        assert_eq!(ring.unseal(&sealed, b"that"), None);
        for cut in 0..sealed.len() {
            assert_eq!(ring.unseal(&sealed[..cut], b"this"), None);
        }
        let next = Keyring::open(&other, true).unwrap();
        assert_eq!(next.unseal(&sealed, b"this"), None);
        assert_eq!(next.after(&one).unwrap().unseal(&sealed, b"this"), Some((b"word".to_vec(), With::Previous)));
        let text = ring.seal_text("秘密", b"config").unwrap();
        assert_eq!(ring.unseal_text(&text, b"config").as_deref(), Some("秘密"));
        for wrong in ["", "sealed:", "sealed:zz", "秘密", &text[..text.len() - 2]] {
            assert_eq!(ring.unseal_text(wrong, b"config"), None, "{wrong}");
        }
        assert_eq!(format!("{ring:?}"), "Keyring(…)");
    }

    #[test]
    fn a_change_of_the_key_file_can_stop_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::File(folder.path().join("secret.key"));
        assert!(matches!(Keyring::open(&source, false), Err(VaultError::Missing(_))), "never made behind a database");
        let sealed = Keyring::open(&source, true).unwrap().seal(b"x", b"").unwrap();
        source.renew().unwrap();
        let changed = Keyring::open(&source, false).unwrap();
        assert_eq!(changed.unseal(&sealed, b""), Some((b"x".to_vec(), With::Previous)));
        // Begun again after a crash: still the same new key, and the old one is not lost.
        let again = changed.seal(b"y", b"").unwrap();
        source.renew().unwrap();
        let ring = Keyring::open(&source, false).unwrap();
        assert_eq!(ring.unseal(&again, b""), Some((b"y".to_vec(), With::Current)));
        assert_eq!(ring.unseal(&sealed, b""), Some((b"x".to_vec(), With::Previous)));
        source.forget_old().unwrap();
        assert_eq!(Keyring::open(&source, false).unwrap().unseal(&sealed, b""), None);
    }
}
