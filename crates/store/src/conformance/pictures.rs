//! Baselines, and people's words on verdicts.

use crate::{BaselineChange, BaselineRecord, Said, Store, Word, WordCount};
use fleet::{CameraId, Cause, Wall};

fn baseline(camera: u32, byte: u8) -> BaselineRecord {
    BaselineRecord {
        camera: CameraId(camera),
        saved: Wall(i64::from(byte)),
        data: vec![byte; 2400],
        references: [2, 3, 4].map(|n| byte.is_multiple_of(n).then(|| format!("{:032x}", byte * 3 + n))),
        accepted: byte.is_multiple_of(3).then(|| ("li".to_owned(), Wall(7))),
    }
}

pub(super) async fn baselines_are_replaced_and_dropped(store: &dyn Store) {
    assert_eq!(store.baselines().await.expect("reads"), []);
    let all: Vec<_> = (1..=300u32).map(|camera| baseline(camera, 1)).collect();
    store.change_baselines(all.iter().cloned().map(BaselineChange::Put).collect()).await.expect("writes");
    assert_eq!(store.baselines().await.expect("reads"), all);
    let changes = vec![
        BaselineChange::Put(baseline(2, 6)),
        BaselineChange::Drop(CameraId(3)),
        BaselineChange::Drop(CameraId(999)),
        BaselineChange::Put(baseline(900, 4)),
    ];
    store.change_baselines(changes.clone()).await.expect("writes");
    store.change_baselines(changes).await.expect("repeating changes nothing");
    let now = store.baselines().await.expect("reads");
    assert_eq!(now.len(), 300);
    assert_eq!(now[1], baseline(2, 6));
    assert_eq!(now[2].camera, CameraId(4));
    assert_eq!(now[299], baseline(900, 4));
}

fn word(camera: u32, cause: Cause, since: i64, said: Said, until: Option<i64>) -> Word {
    Word {
        camera: CameraId(camera),
        cause,
        since: Wall(since),
        said,
        at: Wall(since + 10),
        who: "zhao".into(),
        who_detail: "赵值 · 县综治中心".into(),
        reason: "树叶遮挡".into(),
        until: until.map(Wall),
    }
}

pub(super) async fn the_last_word_on_a_verdict_counts(store: &dyn Store) {
    use Cause::{PictureBlurred, SceneMoved};
    for said in [Said::FalseAlarm, Said::Confirmed] {
        store.say(&word(1, PictureBlurred, 100, said, None)).await.expect("writes");
    }
    store.say(&word(1, PictureBlurred, 200, Said::FalseAlarm, Some(5000))).await.expect("writes");
    store.say(&word(2, SceneMoved, 300, Said::Confirmed, None)).await.expect("writes");
    let words = store.words_on(CameraId(1), 10).await.expect("reads");
    assert_eq!(
        words,
        [
            word(1, PictureBlurred, 200, Said::FalseAlarm, Some(5000)),
            word(1, PictureBlurred, 100, Said::Confirmed, None)
        ]
    );
    assert_eq!(store.words_on(CameraId(1), 1).await.expect("reads").len(), 1);
    let count = |cause, confirmed, false_alarms| WordCount { cause, confirmed, false_alarms };
    let mut counts = store.count_words(Wall(0)).await.expect("reads");
    counts.sort_by_key(|c| c.cause.code());
    assert_eq!(counts, [count(PictureBlurred, 1, 1), count(SceneMoved, 1, 0)]);
    assert_eq!(store.count_words(Wall(310)).await.expect("reads"), [count(SceneMoved, 1, 0)]);
}

pub(super) async fn exceptions_end(store: &dyn Store) {
    use Cause::{PictureBlurred, SceneMoved};
    let first = word(1, PictureBlurred, 100, Said::FalseAlarm, Some(5000));
    let other = word(1, SceneMoved, 100, Said::FalseAlarm, Some(900));
    store.say(&first).await.expect("writes");
    store.say(&other).await.expect("writes");
    assert_eq!(store.exceptions(Wall(899)).await.expect("reads"), [first.clone(), other]);
    // By themselves ...
    assert_eq!(store.exceptions(Wall(900)).await.expect("reads"), [first]);
    // ... by a person ...
    assert!(store.end_exception(CameraId(1), PictureBlurred, Wall(1000)).await.expect("writes"));
    assert!(!store.end_exception(CameraId(1), PictureBlurred, Wall(1000)).await.expect("writes"));
    assert_eq!(store.exceptions(Wall(1000)).await.expect("reads"), []);
    assert_eq!(store.words_on(CameraId(1), 10).await.expect("reads").len(), 2, "what was said stays");
    // ... or by a later word on the class.
    store.say(&word(1, PictureBlurred, 2000, Said::FalseAlarm, Some(9000))).await.expect("writes");
    store.say(&word(1, PictureBlurred, 3000, Said::Confirmed, None)).await.expect("writes");
    assert_eq!(store.exceptions(Wall(3011)).await.expect("reads"), []);
}
