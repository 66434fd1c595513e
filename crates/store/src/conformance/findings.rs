//! What was found on pictures, and what people set for one camera's diagnosis.

use crate::{ClassSetting, DiagnosisSetting, Fact, FaultLevel, FindingRecord, Store};
use fleet::{CameraId, Cause, Wall};

fn finding(camera: u32, cause: Cause, since: i64, until: Option<i64>) -> FindingRecord {
    FindingRecord {
        camera: CameraId(camera),
        cause,
        since: Wall(since),
        until: until.map(Wall),
        level: FaultLevel::Slight,
        confidence: 0.75,
        measured: 0.004,
        threshold: 0.5,
        region: vec![7; 72],
        twin: (cause == Cause::SamePicture).then_some(CameraId(9)),
        detail: "画面 50 %".into(),
    }
}

pub(super) async fn findings_last_until_they_end(store: &dyn Store) {
    use Cause::{PictureBlurred, PictureCovered, SamePicture};
    let camera = CameraId(1);
    let first = finding(1, PictureBlurred, 100, None);
    let facts = [first.clone(), finding(1, SamePicture, 150, None), finding(2, PictureCovered, 100, None)];
    store.record(&facts.map(Fact::Finding)).await.expect("writes");
    let causes = async |at: i64| {
        let found = store.findings_at(camera, Wall(at)).await.expect("reads");
        found.into_iter().map(|f| f.cause).collect::<Vec<_>>()
    };
    assert_eq!(store.findings_at(camera, Wall(100)).await.expect("reads"), std::slice::from_ref(&first));
    assert_eq!(causes(99).await, []);
    assert_eq!(causes(i64::MAX).await, [PictureBlurred, SamePicture]);
    // It became worse, then ended; repeating that changes nothing.
    let ended = FindingRecord { level: FaultLevel::Severe, until: Some(Wall(200)), ..first };
    for _ in 0..2 {
        store.record(&[Fact::Finding(ended.clone())]).await.expect("writes");
    }
    assert_eq!(store.findings_at(camera, Wall(199)).await.expect("reads")[0], ended);
    assert_eq!(causes(200).await, [SamePicture]);
    // What a stop left open ends when we were last alive, and never before it began; or goes on.
    store
        .record(&[Fact::Alive(Wall(170)), Fact::Finding(finding(1, PictureCovered, 300, None))])
        .await
        .expect("writes");
    let open = store.open_findings().await.expect("reads");
    let ends: Vec<_> = open.iter().map(|f| (f.camera.0, f.cause, f.until)).collect();
    let end = |at| Some(Wall(at));
    assert_eq!(ends, [(1, SamePicture, end(170)), (1, PictureCovered, end(301)), (2, PictureCovered, end(170))]);
    assert_eq!(causes(i64::MAX).await, [SamePicture, PictureCovered], "asking ends nothing");
    store.record(&open.into_iter().map(Fact::Finding).collect::<Vec<_>>()).await.expect("writes");
    assert_eq!(store.open_findings().await.expect("reads"), []);
    assert_eq!(causes(169).await, [PictureBlurred, SamePicture]);
    assert_eq!(causes(170).await, [PictureBlurred]);
    assert_eq!(causes(300).await, [PictureCovered]);
    assert_eq!(causes(301).await, []);
}

pub(super) async fn settings_are_replaced(store: &dyn Store) {
    let class = |cause, off, limit| ClassSetting { cause, off, limit };
    let set = |camera, classes: &[ClassSetting]| DiagnosisSetting {
        camera: CameraId(camera),
        classes: classes.to_vec(),
        who: "zhao".into(),
        at: Wall(5),
    };
    assert_eq!(store.diagnosis_settings().await.expect("reads"), []);
    let both = [class(Cause::PictureBlurred, true, None), class(Cause::PictureTooDark, false, Some(31.5))];
    store.set_diagnosis(&set(1, &both)).await.expect("writes");
    store.set_diagnosis(&set(2, &both[..1])).await.expect("writes");
    assert_eq!(store.diagnosis_settings().await.expect("reads"), [set(1, &both), set(2, &both[..1])]);
    store.set_diagnosis(&set(1, &both[1..])).await.expect("writes");
    store.set_diagnosis(&set(2, &[])).await.expect("writes");
    assert_eq!(store.diagnosis_settings().await.expect("reads"), [set(1, &both[1..])]);
}
