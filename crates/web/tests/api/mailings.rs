//! Reports by mail, sent to a real mail server (SMTP by mailin's state machine).

use crate::{
    mail_server::{self, LATER, NOBODY},
    support::{County, code, until},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use calamine::{Data, Reader, Xlsx};
use fleet::{CameraId, Cause, Status, Wall};
use health::{
    StatusChange,
    desk::ChannelId,
    ledger::{Calendar, DAY_MS, HOUR_MS, Rules},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::{Every, Fact, Mailing, MailingId, MailingPlan, Role, RollUp};
use tokio::net::TcpListener;

/// A county with some days on record, and a mail server's port that nobody listens on yet.
async fn county() -> (County, TcpListener, u16) {
    let county = County::with(|s| s.config.mailings_every = Duration::from_millis(50)).await;
    let store = &county.services.store;
    let now = Wall::read();
    let begin = Calendar::day(now).0 - 8 * DAY_MS;
    let facts = |hours: i64, camera: u32, cause: Option<Cause>| {
        Fact::Status(StatusChange {
            camera: CameraId(camera),
            at: Wall(begin + hours * HOUR_MS),
            status: cause.map_or(Status::Online, Cause::status),
            from: None,
            layer: cause.map(Cause::layer),
            cause,
            detail: String::new(),
        })
    };
    // Yesterday camera 1 was off for six hours.
    let mut all: Vec<Fact> = (1..=5).map(|camera| facts(0, camera, None)).collect();
    all.extend([facts(7 * 24 + 6, 1, Some(Cause::NoAnswer)), facts(7 * 24 + 12, 1, None)]);
    all.push(Fact::Alive(now));
    store.record(&all).await.unwrap();
    let rules = Rules::default();
    while !store.roll_up(&RollUp { now, rules, snapshots: Vec::new(), for_good: true }).await.unwrap().caught_up {}
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (county, listener, port)
}

fn mail_channel(port: u16) -> Value {
    json!({
        "name": "单位邮箱", "enabled": false, "language": "zh-CN",
        "route": {
            "least": "critical", "towns": [], "sites": [], "own": false, "settle_s": 0, "hours": null,
            "digest_minutes": 0, "per_hour": 20, "resolved": true
        },
        "target": {
            "kind": "email", "host": "127.0.0.1", "port": port, "security": "none", "user": null, "password": null,
            "from": "sharpeyes@county.example", "to": ["duty@county.example"]
        }
    })
}

/// Due at midnight: at every hour of the day, yesterday is the last day that it tells of.
fn input(channel: &Value) -> Value {
    json!({
        "name": "给局长的日报", "enabled": true, "every": "day", "weekday": 1, "day": 1, "minute": 0, "group": "town",
        "town": null, "site": null, "contractor": null, "channel": channel["id"], "to": ["chief@county.example"],
        "language": "zh-CN"
    })
}

/// The decoded parts of a mail by their media type.
fn parts(mail: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in mail.split("\r\n--") {
        let Some((head, body)) = part.split_once("\r\n\r\n") else { continue };
        let field =
            |name: &str| head.lines().find_map(|l| l.to_lowercase().strip_prefix(name).map(|v| v.trim().to_owned()));
        let Some(kind) = field("content-type:").filter(|k| !k.starts_with("multipart")) else { continue };
        let kind = kind.split(';').next().unwrap_or_default().to_owned();
        let decoded = match field("content-transfer-encoding:").as_deref() {
            Some("base64") => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            Some("quoted-printable") => unquoted(body),
            _ => body.as_bytes().to_vec(),
        };
        found.insert(kind, decoded);
    }
    found
}

/// Quoted-printable text (RFC 2045 §6.7) as it was.
fn unquoted(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let (mut plain, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'=').then(|| std::str::from_utf8(&after[..2]).unwrap());
        plain.push(code.map_or(*first, |code| u8::from_str_radix(code, 16).unwrap()));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    plain
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_tried_out_with_its_figures_as_a_page_and_as_files() {
    let (county, listener, port) = county().await;
    let mails = mail_server::serve(listener);
    let admin = county.signed_in(Role::Administrator).await;
    let channel: Value = admin.post("/api/v1/channels", &mail_channel(port)).await.json().await.unwrap();
    let made = admin.post("/api/v1/mailings", &input(&channel)).await;
    assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
    let made = admin.json("/api/v1/mailings").await["items"][0].clone();
    let path = format!("/api/v1/mailings/{}", made["id"]);
    let trial: Value = admin.post(&format!("{path}/test"), &json!({})).await.json().await.unwrap();
    assert_eq!(trial, json!({ "delivered": true, "error": null }));
    let [mail_server::Taken { to, text: mail, .. }] = mails.take().try_into().unwrap();
    assert_eq!(to, ["chief@county.example"], "its own readers, not the channel's");
    assert!(mail.contains("Subject: =?utf-8?b?"), "{mail}");
    let parts = parts(&mail);
    let html = String::from_utf8(parts["text/html"].clone()).unwrap();
    let text = String::from_utf8(parts["text/plain"].clone()).unwrap();
    // 4 × 24 h and 18 h of 120 h.
    for shown in [&html, &text] {
        assert!(
            shown.contains("雪亮工程摄像机日报") && shown.contains("95.00%") && shown.contains("100.00%"),
            "{shown}"
        );
    }
    assert!(html.contains("<td") && !html.contains("<script"));
    let csv = String::from_utf8(parts["text/csv"].clone()).unwrap();
    assert!(csv.starts_with('\u{feff}') && csv.contains("95.00%"), "{csv}");
    let xlsx = parts["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"].clone();
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(xlsx)).unwrap();
    let sheet = book.worksheet_range("报表").unwrap();
    assert!(sheet.rows().any(|row| row.contains(&Data::Float(0.95))), "the sum's rate is a number");
    // A try-out is no sending: what is due is sent all the same.
    assert_eq!(admin.json("/api/v1/mailings/sendings").await["items"], json!([]));
    // The channel is needed.
    let kept = admin.request(Method::DELETE, &format!("/api/v1/channels/{}", channel["id"])).send().await.unwrap();
    assert_eq!(code(kept).await, (409, "mails_reports".into()));
    assert_eq!(admin.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    let audited = admin.get("/api/v1/audit?limit=100").await.text().await.unwrap();
    for action in ["mailing_added", "mailing_tested", "mailing_removed"] {
        assert!(audited.contains(action), "{action}");
    }
}

/// Made long ago, due since the county's midnight.
fn due_since_midnight(channel: &Value, to: &[&str]) -> Mailing {
    let plan = MailingPlan {
        every: Every::Day,
        weekday: 1,
        day: 1,
        minute: 0,
        group: "site".into(),
        town: Some(1),
        site: None,
        contractor: None,
        channel: ChannelId(u32::try_from(channel["id"].as_u64().unwrap()).unwrap()),
        to: to.iter().map(|t| (*t).to_owned()).collect(),
        language: "en".into(),
    };
    Mailing { id: MailingId(0), name: "日报".into(), enabled: true, plan, changed: Wall(0) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reader_who_is_refused_keeps_a_report_from_nobody_else_and_is_told_in_the_log() {
    let (county, listener, port) = county().await;
    let mails = mail_server::serve(listener);
    let admin = county.signed_in(Role::Administrator).await;
    let channel: Value = admin.post("/api/v1/channels", &mail_channel(port)).await.json().await.unwrap();
    let store = Arc::clone(&county.services.store);
    store.add_mailing(due_since_midnight(&channel, &["chief@county.example", NOBODY, LATER])).await.unwrap();
    let newest = || async { store.sendings(None, 10, None).await.unwrap().items.into_iter().next() };
    until("the first try", || async { newest().await.is_some_and(|s| !s.error.is_empty()) }).await;
    let waiting = newest().await.unwrap();
    assert!(waiting.error.contains(NOBODY) && waiting.error.contains(LATER), "{}", waiting.error);
    assert_eq!(waiting.left_out, [NOBODY, LATER]);
    assert_eq!(mails.take().iter().map(|m| m.to.clone()).collect::<Vec<_>>(), [["chief@county.example"]]);
    // Its pause is over: it goes only to those who have not got it.
    let again = store::Tried::Failed(waiting.error, Some(Wall::read()));
    store.end_sending_try(waiting.id, Wall::read(), &again, &waiting.left_out).await.unwrap();
    until("its end", || async { newest().await.is_some_and(|s| s.ended.is_some()) }).await;
    assert_eq!(mails.take().iter().map(|m| m.to.clone()).collect::<Vec<_>>(), [[LATER]]);
    let log = admin.json("/api/v1/mailings/sendings").await["items"][0].clone();
    let error = log["error"].as_str().unwrap();
    assert_eq!((&log["state"], error.contains(NOBODY), error.contains(LATER)), (&json!("delivered"), true, false));
    let told = &admin.json("/api/v1/self").await["unsent_reports"][0];
    assert_eq!((&told["name"], &told["next"]), (&json!("日报"), &Value::Null), "until the next one reaches everybody");
    // So does a try-out say it.
    let mut body = input(&channel);
    body["to"] = json!(["chief@county.example", NOBODY]);
    body["enabled"] = json!(false);
    let made: Value = admin.post("/api/v1/mailings", &body).await.json().await.unwrap();
    let trial: Value =
        admin.post(&format!("/api/v1/mailings/{}/test", made["id"]), &json!({})).await.json().await.unwrap();
    assert_eq!((&trial["delivered"], mails.take().len()), (&json!(false), 1), "{trial}");
    assert!(trial["error"].as_str().unwrap().contains(NOBODY), "{trial}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_sent_once_when_the_server_is_there_again_also_over_a_restart() {
    let (mut county, listener, port) = county().await;
    drop(listener);
    let channel: Value = {
        let admin = county.signed_in(Role::Administrator).await;
        admin.post("/api/v1/channels", &mail_channel(port)).await.json().await.unwrap()
    };
    let mailing = due_since_midnight(&channel, &[]);
    let store = Arc::clone(&county.services.store);
    store.add_mailing(mailing).await.unwrap();
    let tried =
        || async { store.sendings(None, 10, None).await.unwrap().items.first().is_some_and(|s| !s.error.is_empty()) };
    until("a failed try", tried).await;
    {
        let admin = county.browser("administrator1").await;
        let own = admin.json("/api/v1/self").await;
        let report = &own["unsent_reports"][0];
        assert_eq!((&report["name"], report["next"].is_i64()), (&json!("日报"), true), "{own}");
        assert!(report["error"].as_str().is_some_and(|e| !e.is_empty()), "{report}");
    }
    county.restart().await;
    let mails = mail_server::serve(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
    // Its pause is ten seconds or more: it is due now.
    let waiting = store.sendings(None, 10, None).await.unwrap().items[0].clone();
    let again = store::Tried::Failed(waiting.error, Some(Wall::read()));
    store.end_sending_try(waiting.id, Wall::read(), &again, &[]).await.unwrap();
    let arrived = || async { store.sendings(None, 10, None).await.unwrap().items[0].ended.is_some() };
    until("arrival", arrived).await;
    // Restarted once more, it is known to be sent.
    county.restart().await;
    let admin = county.browser("administrator1").await;
    let trial: Value = admin.post("/api/v1/mailings/1/test", &json!({})).await.json().await.unwrap();
    assert_eq!(trial["delivered"], true);
    let mails = mails.take();
    assert_eq!(mails.len(), 2, "the report and the try-out");
    assert_eq!(mails[0].to, ["duty@county.example"], "the channel's readers");
    assert!(mails[0].text.contains("Subject: Cameras: daily report"), "{}", mails[0].text);
    assert!(mails[1].text.contains("Subject: [test] Cameras: daily report"));
    let number = |mail: &str| mail.lines().find(|l| l.starts_with("Message-ID")).map(str::to_owned);
    assert_ne!(number(&mails[0].text), number(&mails[1].text));
    let html = String::from_utf8(parts(&mails[0].text)["text/html"].clone()).unwrap();
    assert!(html.contains("91.67%"), "of town 1 alone, 66 of 72 hours: {html}");
    assert_eq!(admin.json("/api/v1/self").await["unsent_reports"], json!([]));
    let log = admin.json("/api/v1/mailings/sendings").await;
    assert_eq!((log["items"].as_array().unwrap().len(), &log["items"][0]["state"]), (1, &json!("delivered")));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_nobody_undoes_what_he_has_not_seen() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let channel: Value = admin.post("/api/v1/channels", &mail_channel(25)).await.json().await.unwrap();
    for (key, value) in [
        ("name", json!(" ")),
        ("weekday", json!(0)),
        ("day", json!(29)),
        ("minute", json!(1440)),
        ("to", json!(["nobody"])),
        ("to", json!(["a@b.org\r\nBcc: c@d.org"])),
        ("town", json!(99)),
        ("channel", json!(99)),
        ("group", json!("planet")),
        ("every", json!("hour")),
    ] {
        let mut wrong = input(&channel);
        wrong[key] = value;
        let refused = admin.post("/api/v1/mailings", &wrong).await;
        assert_eq!(code(refused).await, (400, "invalid".into()), "{key}");
    }
    let made: Value = admin.post("/api/v1/mailings", &input(&channel)).await.json().await.unwrap();
    let path = format!("/api/v1/mailings/{}", made["id"]);
    let seen = admin.get(&path).await.headers()["etag"].clone();
    let change = |name: &str| {
        let mut body = input(&channel);
        body["name"] = json!(name);
        admin.request(Method::PUT, &path).header("if-match", &seen).json(&body).send()
    };
    assert_eq!(change("周一").await.unwrap().status(), 200);
    assert_eq!(code(change("周二").await.unwrap()).await, (412, "changed_meanwhile".into()));
    assert_eq!(admin.json(&path).await["name"], "周一");
}
