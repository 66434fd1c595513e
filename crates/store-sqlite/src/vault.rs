//! What is sealed in the database with the node's key: camera accounts, second factors, targets of channels, the head of
//! the audit log.
//!
//! Never logs what it seals.

use crate::error::Fault;
use fleet::{CameraId, Credentials, Secret};
use store::{StoreError, UserId};
use vault::{Keyring, Source, VaultError, With};

/// Seals and opens with the node's key.
pub(crate) struct Vault(Keyring);

impl Vault {
    /// Reads the key, or makes one if there is none and none can have been used yet. `before` is a key that may have
    /// sealed what is there.
    pub(crate) fn open(source: &Source, before: Option<&Source>, first_start: bool) -> Result<Vault, StoreError> {
        let unusable = |e: VaultError| StoreError::Unusable(e.to_string());
        let ring = Keyring::open(source, first_start).map_err(unusable)?;
        Ok(Vault(match before {
            Some(before) => ring.after(before).map_err(unusable)?,
            None => ring,
        }))
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

    /// With which key `proof` vouches for `context`, if with any.
    pub(crate) fn vouched_with(&self, proof: &[u8], context: &[u8]) -> Option<With> {
        self.0.unseal(proof, context).map(|(_, with)| with)
    }

    pub(crate) fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, Fault> {
        self.0.seal(plain, context).map_err(|_| Fault::Damaged("cannot encrypt"))
    }

    pub(crate) fn unseal(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        self.0.unseal(sealed, context).map(|(plain, _)| plain)
    }
}

pub(crate) fn account_context(camera: CameraId) -> Vec<u8> {
    [&b"sharpeyes camera account "[..], &camera.0.to_be_bytes()].concat()
}

pub(crate) fn factor_context(user: UserId) -> Vec<u8> {
    [&b"sharpeyes second factor "[..], &user.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_opens_only_with_its_key_for_its_camera() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&Source::File(folder.path().join("a")), None, true).unwrap();
        let other = Vault::open(&Source::File(folder.path().join("b")), None, true).unwrap();
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
}
