//! The key beside the database, and what is sealed with it: camera accounts, second factors and the head of the audit log.
//!
//! Protects a copy of the database that travels without its key (a backup, a disk sent in), not a machine that
//! somebody has taken over. Never logs what it seals.

use crate::error::Fault;
use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use fleet::{CameraId, Credentials, Secret};
use rand::{TryRngCore, rngs::OsRng};
use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use store::{StoreError, UserId};

const NONCE: usize = 12;

/// Seals and opens with one key.
pub(crate) struct Vault(ChaCha20Poly1305);

impl Vault {
    /// Reads the key, or makes one if there is none and none can have been used yet.
    pub(crate) fn open(file: &Path, first_start: bool) -> Result<Vault, StoreError> {
        let key = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound && first_start => {
                make(file).map_err(|e| StoreError::Unusable(format!("cannot write {}: {e}", file.display())))?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Unusable(format!(
                    "{} is missing, without which camera passwords cannot be read: restore it from the backup",
                    file.display()
                )));
            }
            Err(e) => return Err(StoreError::Unusable(format!("cannot read {}: {e}", file.display()))),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| {
            StoreError::Unusable(format!("{} is not a key of 32 bytes: restore it from the backup", file.display()))
        })?;
        tighten(file);
        Ok(Vault(ChaCha20Poly1305::new(Key::from_slice(&key))))
    }

    /// Encrypts a camera's account. Its number is bound in, so that sealed accounts cannot be exchanged.
    pub(crate) fn seal_account(&self, camera: CameraId, account: &Credentials) -> Result<Vec<u8>, Fault> {
        let name = account.username.as_bytes();
        let length = u32::try_from(name.len()).map_err(|_| Fault::Damaged("a user name is too long"))?;
        let plain = [&length.to_be_bytes(), name, account.password.expose().as_bytes()].concat();
        self.seal(&plain, &account_context(camera))
    }

    /// Decrypts a camera's account; `None` if it was not sealed for this camera with this key.
    pub(crate) fn open_account(&self, camera: CameraId, sealed: &[u8]) -> Option<Credentials> {
        let plain = self.unseal(sealed, &account_context(camera))?;
        let (length, rest) = plain.split_first_chunk::<4>()?;
        let (name, password) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Some(Credentials {
            username: String::from_utf8(name.to_vec()).ok()?,
            password: Secret::new(String::from_utf8(password.to_vec()).ok()?),
        })
    }

    /// Encrypts the secret of a user's second factor, with his number bound in.
    pub(crate) fn seal_second_factor(&self, user: UserId, secret: &Secret) -> Result<Vec<u8>, Fault> {
        self.seal(secret.expose().as_bytes(), &factor_context(user))
    }

    /// Decrypts it; `None` if it was not sealed for this user with this key.
    pub(crate) fn open_second_factor(&self, user: UserId, sealed: &[u8]) -> Option<Secret> {
        String::from_utf8(self.unseal(sealed, &factor_context(user))?).ok().map(Secret::new)
    }

    /// A proof, without content, that somebody with the key has vouched for `context`.
    pub(crate) fn vouch(&self, context: &[u8]) -> Result<Vec<u8>, Fault> {
        self.seal(&[], context)
    }

    /// Whether `proof` vouches for `context`.
    pub(crate) fn vouches(&self, proof: &[u8], context: &[u8]) -> bool {
        self.unseal(proof, context).is_some()
    }

    pub(crate) fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| Fault::Damaged("the system gives no random numbers"))?;
        let sealed = self
            .0
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: context })
            .map_err(|_| Fault::Damaged("cannot encrypt"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub(crate) fn unseal(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.0.decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: context }).ok()
    }
}

fn account_context(camera: CameraId) -> Vec<u8> {
    [&b"sharpeyes camera account "[..], &camera.0.to_be_bytes()].concat()
}

fn factor_context(user: UserId) -> Vec<u8> {
    [&b"sharpeyes second factor "[..], &user.0.to_be_bytes()].concat()
}

/// A new key on the disk before anything is sealed with it.
fn make(file: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; 32];
    OsRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(&key)?;
    out.sync_all()?;
    if let Some(folder) = file.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(key)
}

/// The key is for its owner only.
fn tighten(file: &Path) {
    let Ok(meta) = fs::metadata(file) else { return };
    if meta.permissions().mode() & 0o077 != 0 {
        let file_name = file.display();
        match fs::set_permissions(file, Permissions::from_mode(0o600)) {
            Ok(()) => tracing::warn!(file = %file_name, "others could read the key; now only its owner can"),
            Err(error) => tracing::warn!(file = %file_name, %error, "others can read the key: run chmod 600 on it"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_opens_only_with_its_key_for_its_camera() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("a"), true).unwrap();
        let other = Vault::open(&folder.path().join("b"), true).unwrap();
        let account = Credentials { username: "viewer".into(), password: Secret::new("口令 secret") };
        let sealed = vault.seal_account(CameraId(7), &account).unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret" || w == b"viewer"));
        assert_eq!(vault.open_account(CameraId(7), &sealed), Some(account.clone()));
        assert_eq!(vault.open_account(CameraId(8), &sealed), None);
        assert_eq!(other.open_account(CameraId(7), &sealed), None);
        assert_ne!(vault.seal_account(CameraId(7), &account).unwrap(), sealed, "a nonce is never used twice");
        for cut in 0..sealed.len() {
            assert_eq!(vault.open_account(CameraId(7), &sealed[..cut]), None);
        }
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        assert!(matches!(Vault::open(&file, false), Err(StoreError::Unusable(_))), "never made behind a database");
        let proof = Vault::open(&file, true).unwrap().vouch(b"x").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let again = Vault::open(&file, true).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(again.vouches(&proof, b"x"));
        assert!(!again.vouches(&proof, b"y"));
        fs::write(&file, b"short").unwrap();
        assert!(matches!(Vault::open(&file, true), Err(StoreError::Unusable(_))));
    }
}
