//! The auditor's pages in a real browser, over the real service.

use crate::support::{County, PASSWORD};
use archive::{Gap, NewSnapshot};
use fleet::{CameraClock, CameraId, Cause, Codec, Now, Status, StreamChoice, Wall};
use health::SnapshotClass;
use serde_json::{Value, json};
use store::Role;

const DAY: i64 = 86_400_000;
/// The county's zone.
const ZONE: i64 = 8 * 3_600_000;

#[tokio::test]
async fn an_auditor_searches_by_cause_and_compares_two_days() {
    let county = County::start().await;
    let midnight = (Wall::read().0 + ZONE).div_euclid(DAY) * DAY - ZONE;
    let yesterday = midnight - DAY;
    for slot in [yesterday + 3 * 3_600_000, midnight] {
        let snapshot = NewSnapshot {
            camera: CameraId(1),
            stream: StreamChoice::Main,
            slot: Wall(slot),
            class: SnapshotClass::Routine,
            captured: Now { wall: Wall(slot + 400), ..Now::read() },
            camera_clock: Some(CameraClock { at: Wall(slot - 2_600), uncertainty_ms: 48 }),
            codec: Codec::Jpeg,
            converted_from: None,
            width: 64,
            height: 48,
            status: Status::Online,
            cause: None,
            data: crate::snapshots::jpeg(),
        };
        county.services.archive.append(snapshot).await.unwrap();
    }
    let stood = Gap {
        slots: 12,
        every_ms: 300_000,
        ..Gap::one(CameraId(1), Wall(yesterday + 5 * 3_600_000), Cause::NotRunning, "")
    };
    county.services.archive.record_gap(stood).await.unwrap();
    let silent = Gap::one(CameraId(2), Wall(yesterday + 6 * 3_600_000), Cause::NoAnswer, "no answer");
    county.services.archive.record_gap(silent).await.unwrap();
    county.user("shen", Role::Auditor, &[], &[]).await;

    let output = tokio::process::Command::new("node")
        .arg("e2e/auditor.mjs")
        .args([county.url(""), "shen".to_owned(), PASSWORD.to_owned()])
        .args([1, yesterday - DAY, yesterday].map(|n| n.to_string()))
        .current_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui"))
        .output()
        .await
        .expect("node is installed by ./task setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("{key} in {said}")).to_owned();
    assert_eq!(said["everything"], 4, "{said}");
    assert!(of("byCause").contains("设备无应答") && of("byCause").contains("缺口"), "{said}");
    assert_eq!(of("address"), "no_answer");
    assert!(of("clock").contains("-3.0 s") && of("clock").contains("± 0.048 s"), "{said}");
    assert!(of("gap").contains("缺口 12 张") && of("gap").contains("本服务未运行"), "{said}");
    assert!(of("found").contains("12"), "{said}");
    assert!(of("compared").contains("21 小时"), "{said}");
    assert_eq!(said["complaints"], json!([]));
}
