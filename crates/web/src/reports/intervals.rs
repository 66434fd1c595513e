//! The intervals that a report is counted from, one line each, cut at midnight, so that a spreadsheet can count again;
//! and a line for each day's scheduled snapshots. Sums over the columns are the figures' numerators and denominators.

use super::{Language, csv::push, table::local};
use fleet::{CameraId, Status, Wall};
use health::ledger::{Calendar, Carry, DAY_MS, Kind, Rules, Stretch, pieces};
use std::{collections::BTreeMap, ops::Range};
use store::{LedgerHistory, SnapshotCount};

/// Where a camera belongs, in words.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) town: String,
    pub(crate) contractor: String,
}

/// The first line, with the mark of UTF-8.
pub(crate) fn heading(language: Language) -> String {
    let pick = |zh: &'static str, en: &'static str| language.pick(zh, en).to_owned();
    let mut out = String::from("\u{feff}");
    let names = [
        pick("编号", "number"),
        pick("摄像机", "camera"),
        pick("村/中心区域", "site"),
        pick("乡镇/街道", "town"),
        pick("维护单位", "contractor"),
        pick("日期", "day"),
        pick("开始", "from"),
        pick("结束", "until"),
        pick("计为", "counts as"),
        pick("秒数", "seconds"),
        pick("整点采样数", "hourly samples"),
        pick("状态", "status"),
        pick("原因", "cause"),
        pick("层", "layer"),
        pick("离线开始", "outage began"),
        pick("离线恢复", "outage ended"),
        pick("修复秒数", "repair seconds"),
        pick("应修复", "repair due"),
        pick("及时修复", "repaired in time"),
        pick("重复离线", "repeated outage"),
        pick("检修或豁免：登记人与事由", "planned or excused: by whom and why"),
        pick("期初在离线", "outage standing"),
        pick("已存快照", "snapshots stored"),
        pick("缺失快照", "snapshots missing"),
    ];
    push(&mut out, names);
    out
}

/// The lines of one camera within a range.
pub(crate) fn rows(
    camera: CameraId,
    place: &Place,
    history: &LedgerHistory,
    range: &Range<Wall>,
    rules: &Rules,
) -> String {
    let stretches: Vec<Stretch> = history
        .intervals
        .iter()
        .map(|i| Stretch { from: i.from, until: i.until, status: i.status, cause: i.cause })
        .collect();
    let all = pieces(&stretches, &history.excuses, &(history.from..range.end));
    let mut carry: Carry = history.carry;
    carry.count(&all, &(history.from..range.start), rules);
    // Told once, on the first line.
    let mut standing = u32::from(carry.outage.is_some());
    let mut out = String::new();
    for piece in &all {
        let mut from = piece.from.max(range.start);
        while from < piece.until {
            let until = Wall(Calendar::day(from).0 + DAY_MS).min(piece.until);
            let one = carry.count(std::slice::from_ref(piece), &(from..until), rules);
            let samples: u32 = one.samples.iter().sum();
            let decided = piece.kind == Kind::Excused || piece.kind == Kind::Offline && piece.status == Status::Paused;
            let excuse = history.excuses.iter().find(|e| {
                decided && e.kind.excuses() == (piece.kind == Kind::Excused) && e.from <= from && from < e.until
            });
            push(
                &mut out,
                [
                    camera.to_string(),
                    place.name.clone(),
                    place.site.clone(),
                    place.town.clone(),
                    place.contractor.clone(),
                    Calendar::date(from).to_string(),
                    local(from),
                    local(until),
                    piece.kind.code().to_owned(),
                    seconds(until.millis_since(from)),
                    samples.to_string(),
                    piece.status.code().to_owned(),
                    piece.cause.map_or("", |c| c.code()).to_owned(),
                    piece.cause.map_or("", |c| c.layer().code()).to_owned(),
                    one.began.to_string(),
                    one.ended.to_string(),
                    seconds(one.repair_ms),
                    one.due.to_string(),
                    one.in_time.to_string(),
                    one.repeats.to_string(),
                    excuse.map(|e| format!("{}: {}", e.by, e.reason)).unwrap_or_default(),
                    std::mem::take(&mut standing).to_string(),
                    NONE.to_owned(),
                    NONE.to_owned(),
                ],
            );
            from = until;
        }
    }
    snapshots(camera, place, &history.snapshots, range, &mut out);
    out
}

/// What a sum leaves as it is.
const NONE: &str = "0";

/// A line for each day of which scheduled snapshots were counted.
fn snapshots(camera: CameraId, place: &Place, counts: &[SnapshotCount], range: &Range<Wall>, out: &mut String) {
    let mut days: BTreeMap<Wall, (u32, u32)> = BTreeMap::new();
    for count in counts.iter().filter(|c| range.contains(&c.hour)) {
        let (stored, gaps) = days.entry(Calendar::day(count.hour)).or_default();
        *stored += count.stored;
        *gaps += count.gaps;
    }
    for (day, (stored, gaps)) in days {
        let words = [
            camera.to_string(),
            place.name.clone(),
            place.site.clone(),
            place.town.clone(),
            place.contractor.clone(),
            Calendar::date(day).to_string(),
            local(day.max(range.start)),
            local(Wall(day.0 + DAY_MS).min(range.end)),
            "snapshots".to_owned(),
            seconds(0),
            NONE.to_owned(),
        ];
        let empty = std::iter::repeat_n(String::new(), 3);
        let zeros = std::iter::repeat_n(NONE.to_owned(), 6);
        let last = [String::new(), NONE.to_owned(), stored.to_string(), gaps.to_string()];
        push(out, words.into_iter().chain(empty).chain(zeros).chain(last));
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
