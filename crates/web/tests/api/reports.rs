//! Reports: figures in scope, as JSON and as files, and what a spreadsheet makes of the exported intervals.

use crate::support::{County, code};
use fleet::{CameraId, Cause, Status, Wall};
use health::{
    StatusChange,
    ledger::{Excuse, ExcuseKind, HOUR_MS, Rules},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use store::{Fact, RegistryChange, Role, RollUp, SnapshotCount, Store};

/// 2026-01-05, a Monday, in the county.
const MONDAY: i64 = 1_767_542_400_000;

fn hour(hours: i64) -> Wall {
    Wall(MONDAY + hours * HOUR_MS)
}

async fn catch_up(store: &Arc<dyn Store>, now: Wall, snapshots: Vec<SnapshotCount>) {
    store.roll_up(&RollUp { now, rules: Rules::default(), snapshots, for_good: true }).await.unwrap();
    while !store
        .roll_up(&RollUp { now, rules: Rules::default(), snapshots: Vec::new(), for_good: true })
        .await
        .unwrap()
        .caught_up
    {}
}

/// Two days of the county's five cameras; camera 3 has a hostile name and contractor.
async fn county() -> County {
    let county = County::start().await;
    let store = &county.services.store;
    let registry = county.services.registry.load_full();
    let mut camera = registry.camera(CameraId(3)).unwrap().clone();
    camera.name = "=HYPERLINK(\"http://x\",\"村口\")".into();
    camera.upkeep.unit = Some("+维护,公司".into());
    let cameras: Vec<_> = registry.cameras().filter(|c| c.id != camera.id).cloned().chain([camera.clone()]).collect();
    store.change_registry(RegistryChange { cameras: vec![camera], ..RegistryChange::default() }).await.unwrap();
    let (towns, sites) = (registry.towns().cloned(), registry.sites().cloned());
    let changed = fleet::Registry::new(towns, sites, registry.uplinks().cloned(), cameras);
    county.services.registry.store(Arc::new(changed));
    let mut facts: Vec<Fact> = (1..=5).map(|c| change(c, 0, None)).collect();
    facts.extend([
        change(1, 10, Some(Cause::NoAnswer)),
        change(1, 14, None),
        change(2, 20, Some(Cause::PictureBlurred)),
        change(2, 26, Some(Cause::OwnNetwork)),
        change(2, 28, None),
        change(3, 30, Some(Cause::PasswordRefused)),
        change(4, 6, Some(Cause::Maintenance)),
        change(4, 9, None),
    ]);
    store.record(&facts).await.unwrap();
    let excuse = Excuse {
        camera: CameraId(3),
        from: hour(33),
        until: hour(36),
        kind: ExcuseKind::ThirdParty,
        by: "@值班员".into(),
        reason: "=1+1".into(),
        recorded: hour(40),
    };
    store.excuse(&[excuse]).await.unwrap();
    let snapshots = vec![SnapshotCount { hour: hour(3), camera: CameraId(1), stored: 11, gaps: 1 }];
    catch_up(store, hour(48), snapshots).await;
    county
}

fn change(camera: u32, h: i64, cause: Option<Cause>) -> Fact {
    Fact::Status(StatusChange {
        camera: CameraId(camera),
        at: hour(h),
        status: cause.map_or(Status::Online, Cause::status),
        from: None,
        layer: cause.map(Cause::layer),
        cause,
        detail: "as of".into(),
    })
}

fn close(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

#[tokio::test]
async fn a_week_is_reported_by_town_against_the_week_before() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let report = admin.json("/api/v1/reports?period=week&date=2026-01-07").await;
    assert_eq!(report["from"], MONDAY);
    assert_eq!(report["as_of"], hour(48).0);
    assert_eq!(report["cameras"], 5);
    assert_eq!(report["before"], Value::Null, "nothing was recorded then");
    // Judged: 5 × 48 h less 2 h unknown, 3 h paused, 3 h excused; offline 4 h and 18 − 3 h.
    close(&report["total"]["online_by_duration"], (232.0 - 19.0) / 232.0);
    close(&report["total"]["intact"], (232.0 - 19.0 - 6.0) / 232.0);
    close(&report["total"]["online_at_end"], 4.0 / 5.0);
    close(&report["total"]["completeness"], 11.0 / 12.0);
    close(&report["total"]["picture_fault"], 6.0 / 213.0);
    assert_eq!(report["total"]["picture_fault_by_class"][0]["cause"], "picture_blurred");
    assert_eq!((report["total"]["outages"].as_u64(), report["total"]["ended"].as_u64()), (Some(2), Some(1)));
    assert_eq!(report["total"]["days_incomplete"], 1);
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|g| g["cameras"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(report["trend"].as_array().unwrap().len(), 2);

    let day = admin.json("/api/v1/reports?period=day&date=2026-01-06&group=camera").await;
    assert_eq!(day["groups"].as_array().unwrap().len(), 5);
    close(&day["before"]["online_by_duration"], (5.0 * 24.0 - 3.0 - 4.0) / (5.0 * 24.0 - 3.0));
    assert_eq!(day["trend_step"], "hour");
    assert_eq!(day["trend"].as_array().unwrap().len(), 24);
    let hours = admin.json(&format!("/api/v1/reports?from={}&until={}&camera=1", hour(9).0 + 5, hour(15).0 - 5)).await;
    assert_eq!((hours["from"].as_i64(), hours["until"].as_i64()), (Some(hour(9).0), Some(hour(15).0)));
    close(&hours["total"]["online_by_duration"], 2.0 / 6.0);
    let nobody = admin.json("/api/v1/reports?period=week&date=2026-01-07&contractor=").await;
    assert_eq!(nobody["cameras"], 4);
}

#[tokio::test]
async fn a_frozen_month_stands_where_its_cameras_stood() {
    let county = county().await;
    let store = &county.services.store;
    // January is over for long enough.
    let march = Wall(MONDAY + 60 * 24 * HOUR_MS);
    catch_up(store, march, Vec::new()).await;
    let admin = county.signed_in(Role::Administrator).await;
    let path = |town: u32| format!("/api/v1/reports?period=month&date=2026-01-07&town={town}");
    let before = [admin.json(&path(1)).await, admin.json(&path(2)).await];
    assert_eq!(before.each_ref().map(|r| r["cameras"].as_u64()), [Some(3), Some(2)]);
    assert!(before[0]["frozen"].is_object() || before[0]["frozen"].is_i64(), "{}", before[0]["frozen"]);
    // In March a camera goes to a site of the other town, and to another contractor.
    let registry = county.services.registry.load_full();
    let other = registry.sites().find(|s| s.town == fleet::TownId(2)).unwrap().id;
    let mut moved = registry.camera(CameraId(1)).unwrap().clone();
    (moved.site, moved.upkeep.unit) = (other, Some("新单位".into()));
    let cameras = registry.cameras().filter(|c| c.id != moved.id).cloned().chain([moved.clone()]);
    let changed = fleet::Registry::new(
        registry.towns().cloned(),
        registry.sites().cloned(),
        registry.uplinks().cloned(),
        cameras.collect::<Vec<_>>(),
    );
    store.change_registry(RegistryChange { cameras: vec![moved], ..RegistryChange::default() }).await.unwrap();
    county.services.registry.store(Arc::new(changed));
    let after = [admin.json(&path(1)).await, admin.json(&path(2)).await];
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before["cameras"], &before["total"]), (&after["cameras"], &after["total"]));
    }
    let new = admin.json("/api/v1/reports?period=month&date=2026-01-07&contractor=新单位").await;
    assert_eq!(new["cameras"], 0, "it did nothing in January");
    let rows = admin.get("/api/v1/reports/intervals?period=month&date=2026-01-07&town=1&camera=1").await;
    assert!(!rows.text().await.unwrap().contains("新单位"));
}

#[tokio::test]
async fn nobody_reports_what_he_may_not_see() {
    let county = county().await;
    county.user("west", Role::Operator, &[2], &[]).await;
    let west = county.browser("west").await;
    for group in ["town", "site", "contractor", "camera"] {
        let report = west.json(&format!("/api/v1/reports?period=week&date=2026-01-07&group={group}")).await;
        assert_eq!(report["cameras"], 2, "{group}");
        assert!(!report.to_string().contains("东"), "{group}");
    }
    let path = "/api/v1/reports/intervals?period=week&date=2026-01-07";
    let lines = west.get(path).await.text().await.unwrap();
    assert!(lines.contains("C00004") && !lines.contains("C00001"));
    for hidden in ["town=1", "site=1", "camera=1", "town=99", "site=99", "camera=99"] {
        let answer = west.get(&format!("/api/v1/reports?period=day&date=2026-01-05&{hidden}")).await;
        assert_eq!(code(answer).await, (404, "not_found".into()), "{hidden}");
    }
    for (nonsense, what) in [
        ("", "nothing"),
        ("period=day", "no date"),
        ("period=day&date=2026-02-30", "no day"),
        ("period=range&date=2026-01-05", "a range with a date"),
        ("period=day&date=2026-01-05&from=0&until=1", "both"),
        ("from=5&until=5", "empty"),
        ("from=0&until=99999999999999", "too long"),
        ("period=day&date=2026-01-05&group=street", "no group"),
        ("period=day&date=2026-01-05&what=1", "unknown"),
    ] {
        let answer = west.get(&format!("/api/v1/reports?{nonsense}")).await;
        assert_eq!(code(answer).await, (400, "invalid".into()), "{what}");
    }
    let answer = west.get("/api/v1/reports/file?period=day&date=2026-01-05").await;
    assert_eq!(code(answer).await, (400, "invalid".into()), "a file of no format");
}

/// The rows of a CSV as a spreadsheet reads them.
fn table(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').expect("the mark that makes spreadsheets read UTF-8");
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match (c, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => cell.push(letters.next().unwrap()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(c),
        }
    }
    rows
}

#[tokio::test]
async fn a_spreadsheet_makes_the_same_figures_of_the_intervals() {
    let county = county().await;
    let auditor = county.signed_in(Role::Auditor).await;
    for range in ["period=week&date=2026-01-07", &format!("from={}&until={}", hour(7).0, hour(35).0)] {
        let report = auditor.json(&format!("/api/v1/reports?{range}")).await;
        let answer = auditor.get(&format!("/api/v1/reports/intervals?{range}&language=en")).await;
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        let rows = table(&answer.text().await.unwrap());
        let at = |name: &str| rows[0].iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"));
        let number = |row: &[String], name: &str| row[at(name)].parse::<f64>().unwrap();
        // SUMIFS over the columns, nothing else.
        let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
        let (mut fault, mut began, mut ended, mut repair) = (0.0, 0.0, 0.0, 0.0);
        let (mut due, mut in_time, mut repeated, mut standing) = (0.0, 0.0, 0.0, 0.0);
        let (mut stored, mut missing) = (0.0, 0.0);
        let mut by_class: BTreeMap<&str, f64> = BTreeMap::new();
        let mut last: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let mut days: BTreeMap<(&str, &str), BTreeMap<&str, f64>> = BTreeMap::new();
        for row in &rows[1..] {
            *seconds.entry(&row[at("counts as")]).or_default() += number(row, "seconds");
            if row[at("counts as")] == "impaired" && ["picture", "decode"].contains(&row[at("layer")].as_str()) {
                fault += number(row, "seconds");
                *by_class.entry(&row[at("cause")]).or_default() += number(row, "seconds");
            }
            if row[at("counts as")] != "snapshots" {
                last.insert(&row[at("number")], (&row[at("until")], &row[at("counts as")]));
            }
            standing += number(row, "outage standing");
            stored += number(row, "snapshots stored");
            missing += number(row, "snapshots missing");
            began += number(row, "outage began");
            ended += number(row, "outage ended");
            repair += number(row, "repair seconds");
            due += number(row, "repair due");
            in_time += number(row, "repaired in time");
            repeated += number(row, "repeated outage");
            *days
                .entry((&row[at("number")], &row[at("day")]))
                .or_default()
                .entry(&row[at("counts as")])
                .or_default() += number(row, "hourly samples");
        }
        let of = |kind: &str| seconds.get(kind).copied().unwrap_or(0.0);
        let (up, down) = (of("online") + of("impaired"), of("offline"));
        let total = &report["total"];
        close(&total["online_by_duration"], up / (up + down));
        close(&total["intact"], of("online") / (up + down));
        close(&total["picture_fault"], fault / up);
        close(&total["outages"], began);
        close(&total["ended"], ended);
        close(&total["mttr_ms"], repair * 1000.0 / ended);
        close(&total["mtbf_ms"], up * 1000.0 / began);
        close(&total["repaired_in_time"], in_time / due);
        close(&total["repeated"], repeated / began);
        close(&total["standing"], standing);
        close(&total["repeats"], repeated);
        close(&total["due"], due);
        close(&total["in_time"], in_time);
        close(&total["stored"], stored);
        close(&total["gaps"], missing);
        match total["completeness"].as_f64() {
            Some(_) => close(&total["completeness"], stored / (stored + missing)),
            None => assert!(stored + missing == 0.0),
        }
        for class in total["picture_fault_by_class"].as_array().unwrap() {
            close(&class["rate"], by_class[class["cause"].as_str().unwrap()] / up);
        }
        close(&total["judged_ms"], (up + down) * 1000.0);
        close(&total["offline_ms"], down * 1000.0);
        let end = last.values().map(|(until, _)| *until).max().unwrap();
        let now = |kinds: &[&str]| last.values().filter(|(u, k)| *u == end && kinds.contains(k)).count() as f64;
        close(&total["online_at_end"], now(&["online", "impaired"]) / now(&["online", "impaired", "offline"]));
        let all: f64 = seconds.values().sum();
        close(&total["unknown"], of("unknown") / all);
        close(&total["paused"], of("paused") / all);
        close(&total["excused"], of("excused") / all);
        let (mut sampled_up, mut sampled, mut incomplete, mut complete) = (0.0, 0.0, 0.0, 0.0);
        for day in days.values() {
            let of = |kind: &str| day.get(kind).copied().unwrap_or(0.0);
            if of("unknown") > 0.0 || day.values().sum::<f64>() < 24.0 {
                incomplete += 1.0;
            } else {
                complete += f64::from(of("paused") + of("excused") < 24.0);
                sampled_up += of("online") + of("impaired");
                sampled += of("online") + of("impaired") + of("offline");
            }
        }
        close(&total["days_incomplete"], incomplete);
        close(&total["days_complete"], complete);
        match total["online_by_samples"].as_f64() {
            Some(_) => close(&total["online_by_samples"], sampled_up / sampled),
            None => assert!(sampled == 0.0),
        }
    }
}

#[tokio::test]
async fn files_hold_the_figures_and_nothing_that_runs() {
    let county = county().await;
    let operator = county.signed_in(Role::Operator).await;
    let path = "/api/v1/reports/file?period=week&date=2026-01-07&group=camera";
    let csv = operator.get(&format!("{path}&format=csv")).await;
    let disposition = csv.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(disposition, "attachment; filename=\"sharpeyes-report-2026-01-05_2026-01-11.csv\"");
    let csv = csv.text().await.unwrap();
    let intervals = operator.get("/api/v1/reports/intervals?period=week&date=2026-01-07").await.text().await.unwrap();
    for text in [&csv, &intervals] {
        for row in table(text) {
            for cell in row {
                let runs = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
                assert!(!runs, "{cell:?} would run");
            }
        }
    }
    assert!(csv.contains("在线率（时长）") && csv.contains("C00003") && csv.contains("'=HYPERLINK"));
    let lines = table(&csv);
    let head = lines.iter().position(|row| row[0] == "乡镇/街道").unwrap();
    assert_eq!(lines.len() - head, 1 + 1 + 5, "headings, the sum, five cameras");
    assert_eq!(lines[head + 1][0], "合计");
    let rate = lines[head].iter().position(|h| h == "在线率（时长）").unwrap();
    assert_eq!(lines[head + 1][rate], "91.81%");

    let xlsx = operator.get(&format!("{path}&format=xlsx&language=en")).await;
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    assert_eq!(xlsx.headers()["content-type"], kind);
    let xlsx = xlsx.bytes().await.unwrap();
    assert!(xlsx.starts_with(b"PK\x03\x04") && xlsx.len() > 4000);
    let exported = county.audited().await.into_iter().filter(|(action, ..)| action == "report_exported").count();
    assert_eq!(exported, 3);
}
