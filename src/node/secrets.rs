//! Secrets that the config names but does not show: the object store's account.

use crate::{config::Config, output::Failure};
use fleet::Secret;
use vault::{Keyring, Source};

/// What sealed text in the config file is sealed as.
pub(crate) const CONTEXT: &[u8] = b"sharpeyes config value";
/// Where the object store's secret may come from beside the config file.
const ENVIRONMENT: &str = "SHARPEYES_S3_SECRET_KEY";
const CREDENTIAL: &str = "s3-secret-key";

/// The object store as the config says, its secret opened.
pub(crate) fn remote(config: &Config, ring: Option<&Keyring>) -> Result<Option<archive::RemoteConfig>, Failure> {
    let s3 = &config.s3;
    let Some(endpoint) = &s3.endpoint else { return Ok(None) };
    let secret = match &s3.secret_key {
        Some(sealed) => ring.and_then(|ring| ring.unseal_text(sealed, CONTEXT)).ok_or_else(|| {
            Failure::setup(
                "s3.secret_key is not sealed with this node's key: write what `sharpeyes secret seal` prints",
            )
        })?,
        None => {
            let beside = [Source::Credential(CREDENTIAL.to_owned()), Source::Environment(ENVIRONMENT.to_owned())];
            let found = beside.iter().map(Source::text).find_map(Result::transpose);
            found.transpose().map_err(Failure::setup)?.ok_or_else(|| {
                Failure::setup(format!(
                    "s3.secret_key is missing: give it sealed in the config file, as the systemd credential \
                     {CREDENTIAL}, or in the environment as {ENVIRONMENT}"
                ))
            })?
        }
    };
    Ok(Some(archive::RemoteConfig {
        endpoint: endpoint.clone(),
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        folder: s3.folder.clone(),
        access_key: s3.access_key.clone().unwrap_or_default(),
        secret_key: Secret::new(secret),
        local_days: s3.local_days,
        local_bytes: s3.local_gib.map(|gib| gib << 30),
    }))
}
