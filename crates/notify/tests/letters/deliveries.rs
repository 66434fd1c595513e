//! Deliveries to real local servers: HTTP by axum, SMTP by mailin's state machine.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::mail_server::{LATER, NOBODY};
use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fleet::Wall;
use health::{
    Severity,
    desk::{LONGEST_DIGEST, News},
};
use hmac::{Hmac, Mac};
use notify::{Courier, File, Item, Language, Letter, MOST_ATTACHED, Mail, Refusal, Security, Target, Unreached};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

/// What a server was asked.
#[derive(Clone, Debug)]
struct Asked {
    uri: Uri,
    headers: HeaderMap,
    body: Value,
    raw: Bytes,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A server that remembers and gives the same answer to everything.
async fn server(status: u16, answer: &'static str) -> (String, Log) {
    let log = Log::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handle = async move |State(log): State<Log>, request: Request| -> Response {
        let (parts, body) = request.into_parts();
        let raw = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&raw).unwrap_or_default();
        log.lock().unwrap().push(Asked { uri: parts.uri, headers: parts.headers, body, raw });
        (StatusCode::from_u16(status).unwrap(), [("location", "http://127.0.0.1:1/")], answer).into_response()
    };
    let router = Router::new().fallback(handle).with_state(Arc::clone(&log));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), log)
}

fn courier() -> Courier {
    Courier::new("node-1".into(), |ip: IpAddr| ip.is_loopback())
}

fn letter() -> Letter {
    Letter {
        key: "node-1-N1-1-0".into(),
        at: 1_700_000_000_000,
        language: Language::Chinese,
        node: "node-1".into(),
        test: false,
        items: vec![Item {
            incident: 42,
            news: News::Opened,
            severity: Severity::Critical,
            place: "石桥镇 · 上村".into(),
            cause: "no_answer".into(),
            cause_text: "无应答".into(),
            evidence: "3 路同时中断".into(),
            cameras: 3,
            opened: 1_700_000_000_000,
            resolved: None,
        }],
        orders: Vec::new(),
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn one(log: &Log) -> Asked {
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 1, "exactly one request");
    log[0].clone()
}

fn text(asked: &Asked, path: &str) -> String {
    asked.body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_webhook_is_signed_over_time_and_body() {
    let (url, log) = server(204, "").await;
    let secret = "a long enough secret";
    let target = Target::Webhook { url: format!("{url}/hook?x=1"), secret: secret.into() };
    courier().deliver(&target, &letter()).await.unwrap();
    let asked = one(&log);
    let header = |name: &str| asked.headers[name].to_str().unwrap().to_owned();
    let signed = [header("x-sharpeyes-timestamp").as_bytes(), b".", &asked.raw].concat();
    assert_eq!(header("x-sharpeyes-signature"), format!("v1={}", hex::encode(hmac(secret.as_bytes(), &signed))));
    assert_eq!(header("x-sharpeyes-delivery"), "node-1-N1-1-0");
    assert_eq!(asked.body["items"][0]["incident"], 42);
    assert!(
        text(&asked, "/text").contains("【紧急】石桥镇 · 上村：无应答，3 路，始于 11-15 06:13（E42）\n3 路同时中断")
    );
}

#[tokio::test]
async fn robots_get_their_signature_where_they_look_for_it() {
    let (url, log) = server(200, r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let target = Target::DingTalk { url: format!("{url}/robot/send?access_token=T"), secret: Some("SEC1".into()) };
    courier().deliver(&target, &letter()).await.unwrap();
    let asked = one(&log);
    let query: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(asked.uri.query().unwrap().as_bytes()).into_owned().collect();
    let expected = STANDARD.encode(hmac(b"SEC1", format!("{}\nSEC1", query["timestamp"]).as_bytes()));
    assert_eq!((query["access_token"].as_str(), &query["sign"]), ("T", &expected));
    assert!(text(&asked, "/text/content").contains("石桥镇"));

    let (url, log) = server(200, r#"{"errcode":0,"errmsg":"ok"}"#).await;
    courier().deliver(&Target::WeCom { url: format!("{url}/send?key=K") }, &letter()).await.unwrap();
    assert_eq!(one(&log).body["msgtype"], "text");

    let (url, log) = server(200, r#"{"code":0,"msg":"success"}"#).await;
    let target = Target::Feishu { url: format!("{url}/hook/H"), secret: Some("S".into()) };
    courier().deliver(&target, &letter()).await.unwrap();
    let asked = one(&log);
    let key = format!("{}\nS", text(&asked, "/timestamp"));
    assert_eq!(text(&asked, "/sign"), STANDARD.encode(hmac(key.as_bytes(), b"")));
}

#[tokio::test]
async fn a_robot_that_answers_200_and_refuses_has_refused() {
    let (url, _) = server(200, r#"{"errcode":310000,"errmsg":"sign not match"}"#).await;
    let refused = courier().deliver(&Target::WeCom { url }, &letter()).await.unwrap_err();
    assert_eq!(refused, Refusal::Refused("code 310000: sign not match".into()));
    let (url, _) = server(200, "<html>login</html>").await;
    assert!(matches!(courier().deliver(&Target::WeCom { url }, &letter()).await, Err(Refusal::Refused(_))));
}

/// A whole digest of incidents with long names.
fn storm(language: Language) -> Letter {
    let items = (1..=LONGEST_DIGEST as u64).map(|n| Item {
        incident: n,
        place: format!("石桥镇 · 第{n}村民委员会 · 村口与卫生室之间的摄像机"),
        evidence: String::new(),
        ..letter().items[0].clone()
    });
    Letter { items: items.collect(), language, ..letter() }
}

#[tokio::test]
async fn a_digest_reaches_each_robot_whole_in_messages_that_it_takes() {
    // As the robots have it: a text of 2,048 bytes, requests of 20,000 bytes.
    type Make = fn(String) -> Target;
    let robots: [(Make, &str, usize, usize); 3] = [
        (|url| Target::WeCom { url }, "/text/content", 2048, 4),
        (|url| Target::DingTalk { url, secret: None }, "/text/content", 20_000, 1),
        (|url| Target::Feishu { url, secret: None }, "/content/text", 20_000, 1),
    ];
    for (make, path, most, fewest) in robots {
        let (url, log) = server(200, r#"{"errcode":0,"code":0}"#).await;
        let target = make(url);
        for language in [Language::Chinese, Language::English] {
            log.lock().unwrap().clear();
            let parts = target.parts(storm(language));
            assert!(parts.len() >= fewest && parts.len() < 10, "{target:?} in {} parts", parts.len());
            let keys: std::collections::BTreeSet<_> = parts.iter().map(|p| p.key.clone()).collect();
            assert_eq!((keys.len(), parts[0].key.as_str()), (parts.len(), "node-1-N1-1-0"));
            for part in &parts {
                courier().deliver(&target, part).await.unwrap();
            }
            let log = log.lock().unwrap();
            let texts: Vec<String> = log.iter().map(|asked| text(asked, path)).collect();
            assert!(texts.iter().all(|t| t.len() <= most) && log.iter().all(|asked| asked.raw.len() <= 20_000));
            let told = texts.join("\n");
            let found: Vec<u64> = told
                .lines()
                .filter_map(|line| line.rsplit_once('E')?.1.trim_end_matches(['）', ')']).parse().ok())
                .collect();
            assert_eq!(found, (1..=50).collect::<Vec<u64>>(), "each once and in order: {told}");
        }
    }
    let mail = Target::Webhook { url: "http://a/".into(), secret: "a long enough secret".into() };
    assert_eq!(mail.parts(storm(Language::Chinese)), [storm(Language::Chinese)], "the others take it whole");
}

#[tokio::test]
async fn what_is_refused_for_good_is_told_from_what_may_pass_later() {
    let webhook = |url| Target::Webhook { url, secret: "a long enough secret".into() };
    for (status, lasting) in
        [(400, true), (403, true), (404, true), (413, true), (302, true), (408, false), (429, false)]
            .into_iter()
            .chain([(500, false), (502, false), (503, false)])
    {
        let (url, _) = server(status, "").await;
        let alertmanager = Target::Alertmanager { url: url.clone(), token: None };
        for target in [webhook(url.clone()), alertmanager, Target::WeCom { url: url.clone() }] {
            let refused = courier().deliver(&target, &letter()).await.unwrap_err();
            assert_eq!(refused.is_lasting(), lasting, "{status}: {refused:?}");
        }
    }
    for (status, answer, lasting) in [
        (200, r#"{"errcode":310000,"errmsg":"keywords not in content"}"#, true),
        (200, r#"{"errcode":430104,"errmsg":"inappropriate content"}"#, true),
        (200, r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#, false),
        (200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, false),
        (200, r#"{"errcode":45002,"errmsg":"content size out of limit"}"#, true),
        (200, r#"{"errcode":-1,"errmsg":"system busy"}"#, false),
        (503, r#"{"errcode":7,"errmsg":"maintenance"}"#, false),
    ] {
        let (url, _) = server(status, answer).await;
        let refused = courier().deliver(&Target::DingTalk { url, secret: None }, &letter()).await.unwrap_err();
        assert_eq!(refused.is_lasting(), lasting, "{answer}: {refused:?}");
    }
    for (answer, lasting) in [
        (r#"{"code":11232,"msg":"create message service trigger rate limit"}"#, false),
        (r#"{"code":9499,"msg":"too many request"}"#, false),
        (r#"{"code":19024,"msg":"Key Words Not Found"}"#, true),
    ] {
        let (url, _) = server(400, answer).await;
        let refused = courier().deliver(&Target::Feishu { url, secret: None }, &letter()).await.unwrap_err();
        assert_eq!(refused.is_lasting(), lasting, "{answer}: {refused:?}");
    }
}

#[tokio::test]
async fn alertmanager_gets_alerts_whose_end_finds_their_beginning() {
    let (url, log) = server(200, "").await;
    let target = Target::Alertmanager { url: format!("{url}/"), token: Some("bearer".into()) };
    courier().deliver(&target, &letter()).await.unwrap();
    let mut over = letter();
    over.items[0].news = News::Over;
    over.items[0].severity = Severity::Major;
    over.items[0].resolved = Some(1_700_000_600_000);
    courier().deliver(&target, &over).await.unwrap();
    let log = log.lock().unwrap();
    assert_eq!(
        (log[0].uri.path(), &log[0].headers["authorization"]),
        ("/api/v2/alerts", &"Bearer bearer".parse().unwrap())
    );
    let [begun, ended] = [&log[0].body[0], &log[1].body[0]];
    assert_eq!(begun["labels"], json!({ "alertname": "CameraIncident", "incident": "E42", "node": "node-1" }));
    assert_eq!(begun["labels"], ended["labels"]);
    assert_eq!(
        (&begun["startsAt"], &ended["endsAt"]),
        (&json!("2023-11-14T22:13:20Z"), &json!("2023-11-14T22:23:20Z"))
    );
    assert!(begun["endsAt"].as_str().unwrap() > begun["startsAt"].as_str().unwrap());
    for alert in [begun, ended] {
        // What the schema of API v2 asks for: strings only.
        for part in ["labels", "annotations"] {
            assert!(alert[part].as_object().unwrap().values().all(Value::is_string), "{alert}");
        }
    }
}

#[tokio::test]
async fn nobody_is_reached_outside_the_permitted_networks_nor_by_a_redirect() {
    let (url, log) = server(200, "{}").await;
    let nowhere = Courier::new("n".into(), |_| false);
    for url in [url.clone(), url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")] {
        let target = Target::Webhook { url, secret: "a long enough secret".into() };
        let refused = nowhere.deliver(&target, &letter()).await.unwrap_err();
        assert!(matches!(refused, Refusal::Forbidden(_)), "{refused:?}");
    }
    let mail = Target::Email {
        host: "127.0.0.1".into(),
        port: 25,
        security: Security::None,
        user: None,
        password: None,
        from: "a@b.org".into(),
        to: vec!["c@d.org".into()],
    };
    assert!(matches!(nowhere.deliver(&mail, &letter()).await, Err(Refusal::Forbidden(_))));
    assert!(log.lock().unwrap().is_empty());
    let (url, log) = server(302, "").await;
    let target = Target::Webhook { url, secret: "a long enough secret".into() };
    let refused = courier().deliver(&target, &letter()).await.unwrap_err().to_string();
    assert!(refused.contains("redirects are not followed"), "{refused}");
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failure_says_why_and_no_secret() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let url = format!("http://{closed}/hook/TOKEN");
    let refused = courier().deliver(&Target::WeCom { url }, &letter()).await.unwrap_err();
    assert!(matches!(refused, Refusal::Unreachable(_)));
    assert!(!refused.to_string().contains("TOKEN"), "{refused}");
    let (url, _) = server(503, "TOKEN").await;
    let target = Target::Webhook { url: format!("{url}/TOKEN"), secret: "a long enough secret".into() };
    assert_eq!(courier().deliver(&target, &letter()).await.unwrap_err(), Refusal::Busy("status 503".into()));
}

fn mailbox(port: u16, to: &[&str]) -> Target {
    Target::Email {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        user: None,
        password: None,
        from: "sharpeyes@county.example".into(),
        to: to.iter().map(|t| (*t).to_owned()).collect(),
    }
}

#[tokio::test]
async fn a_reader_who_is_not_taken_keeps_the_mail_from_nobody_else() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = crate::mail_server::serve(listener);
    let readers = [NOBODY, "duty@county.example", LATER, "chief@county.example"];
    let unreached = courier().deliver(&mailbox(port, &readers), &letter()).await.unwrap();
    let whom: Vec<_> = unreached.iter().map(|one| (one.reader.as_str(), one.for_good)).collect();
    assert_eq!(whom, [(NOBODY, true), (LATER, false)], "and which of them may yet be taken");
    assert!(Unreached::told(&unreached).contains("nobody@county.example is not taken: permanent error (550)"));
    let [mail] = mails.take().try_into().unwrap();
    assert_eq!(mail.to, ["duty@county.example", "chief@county.example"]);
    // Nobody at all: it did not arrive, and nothing is handed over.
    let refused = courier().deliver(&mailbox(port, &[NOBODY]), &letter()).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Refused(why) if why.contains(NOBODY)), "{refused:?}");
    assert_eq!(mails.take(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_at_a_mail_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = crate::mail_server::serve(listener);
    let target = |to: &[&str]| mailbox(port, to);
    let taken = || {
        let [mail] = mails.take().try_into().expect("one mail");
        (mail.from, mail.to, mail.text)
    };
    let readers = ["duty@county.example", "chief@county.example"];
    courier().deliver(&target(&readers), &letter()).await.unwrap();
    let (from, to, mail) = taken();
    assert_eq!((from.as_str(), to), ("sharpeyes@county.example", readers.map(str::to_owned).to_vec()));
    assert!(mail.contains("Message-ID: <node-1-N1-1-0@county.example>"), "{mail}");
    assert!(mail.contains("Subject: =?utf-8?b?"), "{mail}");
    let body = mail.split("\r\n\r\n").nth(1).unwrap().replace("\r\n", "");
    let body = String::from_utf8(STANDARD.decode(body).unwrap()).unwrap();
    assert!(body.starts_with("【紧急】石桥镇 · 上村"), "{body}");
    let whole = |to: &[&str], bytes: usize| Mail {
        key: "node-1-R1-1-2".into(),
        subject: "日报".into(),
        text: "在线率 98%".into(),
        html: "<p>在线率 98%</p>".into(),
        files: vec![File { name: "report.csv".into(), kind: "text/csv", bytes: vec![b'7'; bytes] }],
        to: to.iter().map(|t| (*t).to_owned()).collect(),
    };
    courier().mail(&target(&readers), whole(&["mayor@county.example"], 9)).await.unwrap();
    let (_, to, mail) = taken();
    assert_eq!(to, ["mayor@county.example"]);
    for part in [
        "Message-ID: <node-1-R1-1-2@county.example>",
        "multipart/alternative",
        "text/html",
        "Content-Disposition: attachment; filename=\"report.csv\"",
        "777777777",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    courier().mail(&target(&readers), whole(&[], 9)).await.unwrap();
    assert_eq!(taken().1, readers);
    let large = courier().mail(&target(&readers), whole(&[], MOST_ATTACHED + 1)).await;
    assert!(matches!(large, Err(Refusal::Settings(_))), "{large:?}");
    let refused = courier().deliver(&target(&[NOBODY]), &letter()).await.unwrap_err();
    assert!(matches!(refused, Refusal::Refused(_)), "{refused:?}");
    let trial = Letter::trial("node-1", Language::English, Wall(0));
    courier().deliver(&target(&readers), &trial).await.unwrap();
    let (_, _, mail) = taken();
    assert!(mail.contains("Subject: SharpEyes: test of this channel"), "{mail}");
    let starttls = match target(&readers) {
        Target::Email { host, port, user, password, from, to, .. } => {
            Target::Email { host, port, security: Security::StartTls, user, password, from, to }
        }
        other => other,
    };
    assert!(courier().deliver(&starttls, &letter()).await.is_err(), "never in the clear when TLS was asked for");
}
