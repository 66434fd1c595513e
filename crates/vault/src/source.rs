//! Where a key comes from, and how a key file is made and renewed.

use crate::VaultError;
use rand::{TryRngCore, rngs::OsRng};
use std::{
    env, fmt,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where the node's key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A file for its owner only, 32 bytes or 64 hexadecimal digits. Made at the first start.
    File(PathBuf),
    /// A variable of the environment, 64 hexadecimal digits.
    Environment(String),
    /// A credential that systemd hands over (`LoadCredential=`, `LoadCredentialEncrypted=`), as a file.
    Credential(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "file:{}", path.display()),
            Source::Environment(name) => write!(f, "env:{name}"),
            Source::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl FromStr for Source {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Source, VaultError> {
        let known = match text.split_once(':') {
            Some((_, "")) | None => None,
            Some(("file", path)) => Some(Source::File(path.into())),
            Some(("env", name)) => Some(Source::Environment(name.to_owned())),
            Some(("credential", name)) if !name.contains('/') => Some(Source::Credential(name.to_owned())),
            Some(_) => None,
        };
        known.ok_or_else(|| VaultError::Source(text.to_owned()))
    }
}

impl Source {
    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> VaultError {
        let source_of = self.clone();
        move |error| VaultError::Io { doing, source_of, error }
    }

    /// The text of a secret that is no key, such as an account's; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or is no text.
    pub fn text(&self) -> Result<Option<String>, VaultError> {
        let Some(bytes) = self.bytes()? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| VaultError::Malformed(self.clone()))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, VaultError> {
        let path = match self {
            Source::Environment(name) => return Ok(env::var_os(name).map(|v| v.to_string_lossy().into_owned().into())),
            Source::File(path) => path.clone(),
            Source::Credential(name) => match env::var_os("CREDENTIALS_DIRECTORY") {
                Some(folder) => Path::new(&folder).join(name),
                None => return Ok(None),
            },
        };
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("read")(e)),
        }
    }

    pub(crate) fn read(&self) -> Result<Option<[u8; 32]>, VaultError> {
        let Some(bytes) = self.bytes()? else { return Ok(None) };
        if let Source::File(path) = self {
            tighten(path);
        }
        let digits = std::str::from_utf8(&bytes).ok().map(str::trim).and_then(|text| hex::decode(text).ok());
        let key = bytes.try_into().ok().or_else(|| digits?.try_into().ok());
        key.map(Some).ok_or_else(|| VaultError::Malformed(self.clone()))
    }

    /// A new key on the disk before anything is sealed with it.
    pub(crate) fn make(&self) -> Result<[u8; 32], VaultError> {
        let Source::File(path) = self else { return Err(VaultError::Missing(self.clone())) };
        let mut key = [0; 32];
        OsRng.try_fill_bytes(&mut key).map_err(|_| VaultError::Random)?;
        write(path, &key).map_err(self.failed("write"))?;
        Ok(key)
    }

    /// Where the key before is kept while what it sealed is sealed anew.
    pub(crate) fn before(&self) -> Option<Source> {
        match self {
            Source::File(path) => Some(Source::File(beside(path, "old"))),
            _ => None,
        }
    }

    /// Makes a new key in a key file; the one before stays beside it until [`forget_old`](Source::forget_old). Begun
    /// again after a crash it makes no third one.
    ///
    /// # Errors
    /// The file system's; [`VaultError::Missing`] if there is no key, or it is not in a file: then put the new one in
    /// its place yourself and name the old one.
    pub fn renew(&self) -> Result<(), VaultError> {
        let (Source::File(path), Some(Source::File(old))) = (self, self.before()) else {
            return Err(VaultError::Missing(self.clone()));
        };
        let key = self.read()?.ok_or_else(|| VaultError::Missing(self.clone()))?;
        let failed = |e| self.failed("renew")(e);
        let next = beside(path, "new");
        match fs::read(&old) {
            // A change under way: it is only completed if the new key is not in place yet.
            Ok(before) if before != key => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => write(&old, &key).map_err(failed)?,
            Err(e) => return Err(failed(e)),
        }
        let _ = fs::remove_file(&next);
        let made = Source::File(next.clone());
        made.make()?;
        fs::rename(&next, path).and_then(|()| sync_folder(path)).map_err(failed)
    }

    /// Removes the key before: nothing is sealed with it any more.
    ///
    /// # Errors
    /// The file system's.
    pub fn forget_old(&self) -> Result<(), VaultError> {
        let Some(Source::File(old)) = self.before() else { return Ok(()) };
        match fs::remove_file(&old).and_then(|()| sync_folder(&old)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.failed("remove what was before")(e)),
            _ => Ok(()),
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn write(path: &Path, key: &[u8]) -> io::Result<()> {
    let draft = beside(path, "draft");
    let _ = fs::remove_file(&draft);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    out.write_all(key)?;
    out.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder(path)
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// The key is for its owner only.
fn tighten(path: &Path) {
    let Ok(meta) = fs::metadata(path) else { return };
    if meta.permissions().mode() & 0o077 != 0 {
        match fs::set_permissions(path, Permissions::from_mode(0o600)) {
            Ok(()) => tracing::warn!(file = %path.display(), "others could read the key; now only its owner can"),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "others can read the key: run chmod 600 on it");
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_and_read() {
        for text in ["file:/run/key", "env:SHARPEYES_KEY", "credential:sharpeyes-key"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for wrong in ["", "file:", "secret.key", "http://x", "credential:../key"] {
            assert!(matches!(wrong.parse::<Source>(), Err(VaultError::Source(_))), "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let source = Source::File(file.clone());
        assert_eq!(source.read().unwrap(), None);
        let key = source.make().unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(source.read().unwrap(), Some(key));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, hex::encode(key) + "\n").unwrap();
        assert_eq!(source.read().unwrap(), Some(key));
        fs::write(&file, b"short").unwrap();
        assert!(matches!(source.read(), Err(VaultError::Malformed(_))));
    }
}
