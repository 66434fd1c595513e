//! Keeps the certificates that cameras are held to, so that a restart does not make a stranger's as good as the first.

use fleet::{CameraId, Wall};
use ingest::{Fingerprint, Ingest};
use std::{sync::Arc, time::Duration};
use store::{CertificateRecord, Store, StoreError};

/// Between two tries while the database is away.
const RETRY: Duration = Duration::from_secs(5);

/// Gives the ingest what was kept. To be called before the first session.
pub(super) async fn give_back(store: &dyn Store, ingest: &Ingest) -> Result<(), StoreError> {
    let kept = store.certificates().await?;
    ingest.hold_to(kept.into_iter().map(|c| (c.camera, Fingerprint(c.sha256))));
    Ok(())
}

/// Keeps each new one, until the task is dropped.
pub(super) async fn keep(store: Arc<dyn Store>, ingest: Ingest) {
    loop {
        let (camera, certificate) = ingest.next_certificate().await;
        let record = CertificateRecord { camera, sha256: certificate.0, seen: Wall::read() };
        while let Err(error) = put(store.as_ref(), &ingest, record, camera).await {
            tracing::error!(%camera, %error, "cannot keep a camera's certificate; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Unless it was forgotten or replaced meanwhile.
async fn put(
    store: &dyn Store,
    ingest: &Ingest,
    record: CertificateRecord,
    camera: CameraId,
) -> Result<(), StoreError> {
    if ingest.certificate(camera) != Some(Fingerprint(record.sha256)) {
        return Ok(());
    }
    store.hold_to_certificate(record).await
}
