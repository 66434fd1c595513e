//! The key that signs manifests and packages: made at first start, sealed with the node's key on the disk, and handed
//! over to another when it is changed.
//!
//! A handover is a sentence signed with the old key that names the new one. It stands in the manifest of its day, which
//! the new key signs, and goes with every package. So whoever knows one key of a node can follow to the present one.
//! What it cannot do: help against somebody who has the old key; he can hand over to a key of his own.

use crate::{
    ArchiveError,
    folder::{Folder, replace_file},
};
use ed25519_dalek::{
    Signer as _, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
        spki::der::pem::LineEnding,
    },
};
use fleet::Wall;
use rand::TryRngCore as _;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fs, io, path::Path};
use vault::{Keyring, With};

/// First line of a sealed key file.
const SEALED: &str = "sharpeyes sealed signing key 1";
const CONTEXT: &[u8] = b"sharpeyes signing key";

/// One change of the key that signs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    pub(crate) at: Wall,
    #[serde(with = "hex")]
    pub(crate) from: [u8; 32],
    #[serde(with = "hex")]
    pub(crate) to: [u8; 32],
    /// By the old key.
    #[serde(with = "hex")]
    signature: [u8; 64],
}

impl Handover {
    pub(crate) fn new(from: &SigningKey, to: &SigningKey, at: Wall) -> Handover {
        let (old, new) = (from.verifying_key().to_bytes(), to.verifying_key().to_bytes());
        Handover { at, from: old, to: new, signature: from.sign(&said(&old, &new, at)).to_bytes() }
    }

    fn holds(&self) -> bool {
        let signature = self.signature.into();
        let key = VerifyingKey::from_bytes(&self.from);
        key.is_ok_and(|key| key.verify_strict(&said(&self.from, &self.to, self.at), &signature).is_ok())
    }
}

fn said(from: &[u8; 32], to: &[u8; 32], at: Wall) -> Vec<u8> {
    format!("sharpeyes key handover 1\n{}\n{}\n{}\n", hex::encode(from), hex::encode(to), at.0).into_bytes()
}

/// `key` and every key that led to it by handovers.
pub(crate) fn line_of(key: [u8; 32], handovers: &[Handover]) -> BTreeSet<[u8; 32]> {
    let mut line = BTreeSet::from([key]);
    let mut left: Vec<&Handover> = handovers.iter().filter(|h| h.holds()).collect();
    while let Some(at) = left.iter().position(|h| line.contains(&h.to)) {
        line.insert(left.swap_remove(at).from);
    }
    line
}

/// Adds every key that handed over to one of `line`. The handovers must be from a manifest that one of `line` signed:
/// anybody may say that a key of his hands over to ours, and only ours says that it does.
pub(crate) fn lengthen(line: &mut BTreeSet<[u8; 32]>, handovers: &[Handover]) {
    let earlier: Vec<_> = line.iter().flat_map(|key| line_of(*key, handovers)).collect();
    line.extend(earlier);
}

/// What becomes of a signing key that is not there, although something was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// Nothing is opened: the key is in a backup.
    Refuse,
    /// It is lost for good, somebody said so: another is made, for which nobody vouches.
    Replace,
}

/// Reads the key, or makes it at first start. One that lies open, or sealed with the node's key before, is sealed.
pub(crate) fn read_or_make(
    folder: &Folder,
    ring: Option<&Keyring>,
    missing: Missing,
) -> Result<SigningKey, ArchiveError> {
    let path = folder.key();
    match read(&path, ring)? {
        Some((key, Lies::WellSealed)) => Ok(key),
        Some((key, lies)) => {
            if let (Some(_), Lies::Open | Lies::ToBeSealedAnew) = (ring, lies) {
                write(&path, &key, ring)?;
                tracing::info!("sealed this node's signing key");
            }
            Ok(key)
        }
        None => {
            if missing == Missing::Refuse && folder.has_signed()? {
                return Err(ArchiveError::KeyMissing(path));
            }
            let key = make(&path)?;
            write(&path, &key, ring)?;
            write_public(folder, &key)?;
            tracing::info!(key = hex::encode(key.verifying_key().to_bytes()), "made this node's signing key");
            Ok(key)
        }
    }
}

/// The public key, without making or sealing anything: that of the key that signs, or, where that cannot be read, the one
/// that is written down beside it.
pub(crate) fn public(folder: &Folder, ring: Option<&Keyring>) -> Result<[u8; 32], ArchiveError> {
    if let Ok(Some((key, _))) = read(&folder.key(), ring) {
        return Ok(key.verifying_key().to_bytes());
    }
    let path = folder.public_key();
    let pem = fs::read_to_string(&path).map_err(ArchiveError::io("read", &path))?;
    let key = VerifyingKey::from_public_key_pem(&pem).map_err(|_| unusable(&path, "not an Ed25519 key in PEM"))?;
    Ok(key.to_bytes())
}

/// Makes the key that is to follow, durable beside the present one.
pub(crate) fn make_next(folder: &Folder, ring: Option<&Keyring>) -> Result<SigningKey, ArchiveError> {
    let key = make(&folder.next_key())?;
    write(&folder.next_key(), &key, ring)?;
    Ok(key)
}

/// The key that was to follow, if a change of key was interrupted.
pub(crate) fn next(folder: &Folder, ring: Option<&Keyring>) -> Result<Option<SigningKey>, ArchiveError> {
    Ok(read(&folder.next_key(), ring)?.map(|(key, _)| key))
}

/// Puts the next key in the place of the present one. It is sealed anew: what lies there may be sealed with a key of the
/// node that is about to be forgotten.
pub(crate) fn adopt_next(folder: &Folder, key: &SigningKey, ring: Option<&Keyring>) -> Result<(), ArchiveError> {
    write(&folder.key(), key, ring)?;
    write_public(folder, key)?;
    drop_next(folder)
}

/// Removes the key that was to follow.
pub(crate) fn drop_next(folder: &Folder) -> Result<(), ArchiveError> {
    match fs::remove_file(folder.next_key()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(ArchiveError::io("remove", folder.next_key())(e)),
        _ => Ok(()),
    }
}

enum Lies {
    Open,
    WellSealed,
    ToBeSealedAnew,
}

fn unusable(path: &Path, what: &str) -> ArchiveError {
    ArchiveError::io("use", path)(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()))
}

fn read(path: &Path, ring: Option<&Keyring>) -> Result<Option<(SigningKey, Lies)>, ArchiveError> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(ArchiveError::io("read", path))?,
    };
    if others_may_read(path).map_err(ArchiveError::io("look at", path))? {
        return Err(unusable(path, "others may read this key; set its mode to 0600"));
    }
    let parse =
        |pem: &str| SigningKey::from_pkcs8_pem(pem).map_err(|_| unusable(path, "not an Ed25519 key in PKCS #8 PEM"));
    let Some(sealed) = text.strip_prefix(SEALED) else { return Ok(Some((parse(&text)?, Lies::Open))) };
    let ring = ring.ok_or_else(|| unusable(path, "it is sealed, and the node's key is not known here"))?;
    let sealed = hex::decode(sealed.trim()).map_err(|_| unusable(path, "damaged; restore it from the backup"))?;
    let opened = ring.unseal(&sealed, CONTEXT);
    let (pem, with) = opened
        .ok_or_else(|| unusable(path, "it is damaged or was sealed with another node's key; restore that key"))?;
    let lies = if with == With::Current { Lies::WellSealed } else { Lies::ToBeSealedAnew };
    Ok(Some((parse(&String::from_utf8_lossy(&pem))?, lies)))
}

fn write(path: &Path, key: &SigningKey, ring: Option<&Keyring>) -> Result<(), ArchiveError> {
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| unusable(path, "the key cannot be written down"))?;
    let text = match ring {
        None => pem.to_string(),
        Some(ring) => {
            let sealed = ring.seal(pem.as_bytes(), CONTEXT).map_err(|e| unusable(path, &e.to_string()))?;
            format!("{SEALED}\n{}\n", hex::encode(sealed))
        }
    };
    replace_file(path, text.as_bytes(), 0o600).map_err(ArchiveError::io("write", path))
}

fn write_public(folder: &Folder, key: &SigningKey) -> Result<(), ArchiveError> {
    let path = folder.public_key();
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF);
    let public = public.map_err(|_| unusable(&path, "the key cannot be written down"))?;
    replace_file(&path, public.as_bytes(), 0o644).map_err(ArchiveError::io("write", path))
}

fn make(path: &Path) -> Result<SigningKey, ArchiveError> {
    let mut secret = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut secret)
        .map_err(|e| ArchiveError::io("make", path)(io::Error::other(e.to_string())))?;
    Ok(SigningKey::from_bytes(&secret))
}

fn others_may_read(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_keys_is_followed_only_where_each_handed_over() {
        let key = |n: u8| SigningKey::from_bytes(&[n; 32]);
        let public = |n: u8| key(n).verifying_key().to_bytes();
        let hand = |from, to| Handover::new(&key(from), &key(to), Wall(7));
        let line = line_of(public(3), &[hand(2, 3), hand(1, 2), hand(3, 4), hand(8, 9)]);
        assert_eq!(line, BTreeSet::from([public(1), public(2), public(3)]));
        // One that somebody else signed, or that was altered, leads nowhere.
        let mut forged = hand(9, 3);
        forged.from = public(1);
        let mut later = hand(2, 3);
        later.at = Wall(8);
        assert_eq!(line_of(public(3), &[forged, later]), BTreeSet::from([public(3)]));
    }
}
