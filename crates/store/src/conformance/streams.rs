//! Formats of streams, and certificates.

use crate::{CertificateRecord, Fact, Store};
use fleet::{CameraId, Codec, StreamChoice, Wall};
use health::{FormatChange, Profile, StreamFormat};

fn format(camera: u32, at: i64, stream: StreamChoice, width: u32) -> FormatChange {
    let profile = (width > 640).then_some(Profile { idc: 100, level: 41 });
    let format = StreamFormat { codec: Codec::H264, profile, width, height: width / 16 * 9 };
    FormatChange { camera: CameraId(camera), stream, at: Wall(at), format }
}

pub(super) async fn formats_are_kept_when_they_change(store: &dyn Store) {
    use StreamChoice::{Main, Sub};
    let told = [
        format(1, 100, Main, 1920),
        format(1, 100, Sub, 640),
        format(2, 110, Main, 1280),
        // Seen again after a restart.
        format(1, 200, Main, 1920),
        format(1, 300, Main, 1280),
        format(1, 400, Main, 1920),
    ];
    let facts: Vec<Fact> = told.iter().copied().map(Fact::Format).collect();
    store.record(&facts).await.expect("writes");
    let kept = [told[5], told[4], told[0], told[1]];
    assert_eq!(store.formats(CameraId(1), 10).await.expect("reads"), kept);
    store.record(&facts).await.expect("repeating a batch changes nothing");
    assert_eq!(store.formats(CameraId(1), 10).await.expect("reads"), kept);
    assert_eq!(store.formats(CameraId(1), 2).await.expect("reads"), kept[..2]);
    assert_eq!(store.formats(CameraId(3), 10).await.expect("reads"), []);
}

pub(super) async fn certificates_are_kept_and_forgotten(store: &dyn Store) {
    let certificate =
        |camera, byte, seen| CertificateRecord { camera: CameraId(camera), sha256: [byte; 32], seen: Wall(seen) };
    for record in [certificate(2, 2, 20), certificate(1, 1, 10), certificate(1, 1, 90)] {
        store.hold_to_certificate(record).await.expect("writes");
    }
    let both = [certificate(1, 1, 10), certificate(2, 2, 20)];
    assert_eq!(store.certificates().await.expect("reads"), both);
    assert_eq!(store.certificate(CameraId(2)).await.expect("reads"), Some(both[1]));
    assert!(store.forget_certificate(CameraId(2)).await.expect("writes"));
    assert!(!store.forget_certificate(CameraId(2)).await.expect("writes"), "it is held to none");
    assert_eq!(store.certificate(CameraId(2)).await.expect("reads"), None);
    store.hold_to_certificate(certificate(1, 9, 95)).await.expect("writes");
    assert_eq!(store.certificates().await.expect("reads"), [certificate(1, 9, 95)]);
}
