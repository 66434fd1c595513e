//! The store itself: put, read a range, list, delete. Never decides what.

use super::{RemoteConfig, connect::Connector};
use crate::{ArchiveError, ConfigFault};
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    BackoffConfig, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    multipart::MultipartStore as _,
    path::Path as Name,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap, fs::File, io, ops::Range, os::unix::fs::FileExt as _, path::Path, sync::Arc, time::Duration,
};

/// Bytes of one part of an upload; also what is held in memory of one.
const PART: u64 = 8 << 20;
/// Text of an error that is told.
const TOLD: usize = 300;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    /// It does not answer, or refuses.
    #[error("{0}")]
    Store(String),
    /// It has no such object.
    #[error("the object store has no object {0}")]
    Missing(String),
    /// Our own disk.
    #[error("cannot read the local copy: {0}")]
    Local(#[from] io::Error),
}

impl From<Away> for io::Error {
    fn from(away: Away) -> io::Error {
        io::Error::other(away)
    }
}

/// An upload in parts that has been begun. Parts take room in the store until it is completed or aborted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// Which store.
    pub(super) place: String,
    name: String,
    /// As the store calls it.
    id: String,
}

pub(crate) struct Store {
    store: AmazonS3,
    /// Before every name: the configured folder and the node.
    root: String,
    place: String,
    /// Cut out of whatever the store says.
    account: String,
}

impl Store {
    pub(crate) fn connect(config: &RemoteConfig, node: &str) -> Result<Store, ArchiveError> {
        let fault = |key, expected| ArchiveError::Config(ConfigFault { key, expected });
        if !["http://", "https://"].iter().any(|scheme| config.endpoint.starts_with(scheme)) {
            return Err(fault("s3.endpoint", "an address such as https://10.0.0.5:9000"));
        }
        if config.access_key.is_empty() || config.secret_key.expose().is_empty() {
            return Err(fault("s3.access_key", "given together with its secret key"));
        }
        let store = AmazonS3Builder::new()
            .with_endpoint(&config.endpoint)
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key)
            .with_secret_access_key(config.secret_key.expose())
            .with_allow_http(config.endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(200),
                    max_backoff: Duration::from_secs(2),
                    base: 2.0,
                },
                max_retries: 2,
                retry_timeout: Duration::from_secs(20),
            })
            .with_http_connector(Connector)
            .build()
            .map_err(|_| fault("s3", "the address and bucket of an S3-compatible store"))?;
        let folder = config.folder.trim_matches('/');
        let root = if folder.is_empty() { node.to_owned() } else { format!("{folder}/{node}") };
        let place = format!("{} {} {root}", config.endpoint, config.bucket);
        Ok(Store { store, root, place, account: config.access_key.clone() })
    }

    /// Which store, bucket and folder this is.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    fn name(&self, name: &str) -> Name {
        Name::from(format!("{}/{name}", self.root))
    }

    fn told(&self, name: &str, error: &object_store::Error) -> Away {
        match error {
            object_store::Error::NotFound { .. } => Away::Missing(name.to_owned()),
            other => {
                let mut text = other.to_string();
                let mut cause = std::error::Error::source(other);
                while let Some(error) = cause {
                    let more = error.to_string();
                    if !text.contains(&more) {
                        text = format!("{text}: {more}");
                    }
                    cause = error.source();
                }
                let refused = matches!(
                    other,
                    object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. }
                );
                if refused || ["401 Unauthorized", "403 Forbidden"].iter().any(|status| text.contains(status)) {
                    let what = "the object store refuses this account: check access_key, secret_key and the rights on \
                                the bucket";
                    return Away::Store(what.to_owned());
                }
                // What the store wrote may repeat what we sent.
                let end = text.find('<').unwrap_or(text.len()).min(TOLD);
                text.truncate(text.floor_char_boundary(end));
                Away::Store(text.replace(&self.account, "…").trim_end_matches([':', ' ']).to_owned())
            }
        }
    }

    /// Puts a whole file. The object is there as a whole or not at all. `begun` hears of an upload in parts before its
    /// first part, so that somebody can [`abort`](Store::abort) it if we do not come to its end; an upload that has come
    /// to its end is handed back.
    pub(crate) async fn put_file(
        &self,
        name: &str,
        path: &Path,
        bytes: u64,
        begun: impl FnOnce(&Upload) -> io::Result<()>,
    ) -> Result<Option<Upload>, Away> {
        let file = Arc::new(File::open(path)?);
        let told = |error| self.told(name, &error);
        let object = self.name(name);
        if bytes <= PART {
            let all = chunk(&file, 0..bytes).await?;
            return self.store.put(&object, all.into()).await.map(|_| None).map_err(told);
        }
        let id = self.store.create_multipart(&object).await.map_err(told)?;
        let upload = Upload { place: self.place.clone(), name: name.to_owned(), id };
        begun(&upload)?;
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes {
            let end = (at + PART).min(bytes);
            let part = chunk(&file, at..end).await?;
            parts.push(self.store.put_part(&object, &upload.id, parts.len(), part.into()).await.map_err(told)?);
            at = end;
        }
        self.store.complete_multipart(&object, &upload.id, parts).await.map_err(told)?;
        Ok(Some(upload))
    }

    /// Takes back an upload that did not come to its end, with all its parts; one that is not there any more is.
    pub(crate) async fn abort(&self, upload: &Upload) -> Result<(), Away> {
        if upload.place != self.place {
            tracing::warn!(
                object = upload.name,
                "an unfinished upload is left in another store than is configured now"
            );
            return Ok(());
        }
        match self.store.abort_multipart(&self.name(&upload.name), &upload.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.told(&upload.name, &error)),
        }
    }

    /// Puts a small object.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Away> {
        self.store.put(&self.name(name), bytes.into()).await.map(drop).map_err(|e| self.told(name, &e))
    }

    /// Bytes of an object.
    pub(crate) async fn size(&self, name: &str) -> Result<u64, Away> {
        self.store.head(&self.name(name)).await.map(|meta| meta.size).map_err(|e| self.told(name, &e))
    }

    /// Reads part of an object.
    pub(crate) async fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes, Away> {
        let wanted = range.end - range.start;
        let read = self.store.get_range(&self.name(name), range).await.map_err(|e| self.told(name, &e))?;
        if read.len() as u64 == wanted {
            Ok(read)
        } else {
            Err(Away::Store(format!("the object store gave {} of {wanted} bytes of {name}", read.len())))
        }
    }

    /// Names and sizes of all objects below `under`.
    pub(crate) async fn list(&self, under: &str) -> Result<BTreeMap<String, u64>, Away> {
        let folder = self.name(under);
        let found =
            self.store.list(Some(&folder)).try_collect::<Vec<_>>().await.map_err(|e| match self.told(under, &e) {
                Away::Missing(_) => Away::Store("the bucket is not there: make it, and check its name".to_owned()),
                other => other,
            })?;
        let root = Name::from(self.root.as_str());
        let named = |meta: object_store::ObjectMeta| {
            let parts: Vec<String> = meta.location.prefix_match(&root)?.map(|p| p.as_ref().to_owned()).collect();
            Some((parts.join("/"), meta.size))
        };
        Ok(found.into_iter().filter_map(named).collect())
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Away> {
        match self.store.delete(&self.name(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.told(name, &error)),
        }
    }
}

async fn chunk(file: &Arc<File>, range: Range<u64>) -> Result<Bytes, Away> {
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("at most a part")];
        file.read_exact_at(&mut bytes, range.start).map(|()| Bytes::from(bytes))
    });
    read.await.map_err(|_| Away::Store("the service is stopping".to_owned()))?.map_err(Away::Local)
}
