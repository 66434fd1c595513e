//! The group robots of DingTalk 钉钉, WeCom 企业微信 and Feishu 飞书. Each answers 200 also to what it refuses, so its
//! own code counts, not the status.

use crate::{
    Courier, Letter, Refusal, Target,
    post::{cut, refusal, request, send, sign},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Longest text of a WeCom robot, in bytes; it takes 2,048 (developer.work.weixin.qq.com, group robot).
const WECOM: usize = 2000;
/// Longest text of the others. They take a request of 20,000 bytes (open.dingtalk.com, error 460101) and of 20 KB
/// (open.feishu.cn, custom bot); in JSON a line break takes two.
const OTHERS: usize = 18_000;

/// Codes by which a robot says that it is asked too often or has no time: DingTalk's 130101, 410100, 90018 and 90030,
/// WeCom's 45009 and 45033, Feishu's 11232, 11247, 230020 and 99991400, and -1 of the first two.
const BUSY: [i64; 11] = [-1, 130_101, 410_100, 90_018, 90_030, 45_009, 45_033, 11_232, 11_247, 230_020, 99_991_400];

/// What a robot takes at once.
pub(crate) fn parts(target: &Target, letter: Letter) -> Vec<Letter> {
    match target {
        Target::WeCom { .. } => letter.split(|part| whole(part).len() <= WECOM),
        Target::DingTalk { .. } | Target::Feishu { .. } => letter.split(|part| whole(part).len() <= OTHERS),
        _ => vec![letter],
    }
}

/// Title and lines.
fn whole(letter: &Letter) -> String {
    let text = letter.lines().join("\n");
    if letter.items.len() + letter.orders.len() > 1 { format!("{}\n{text}", letter.title()) } else { text }
}

/// The same, cut between two characters if even one line is too long.
fn text(letter: &Letter, longest: usize) -> String {
    let mut text = whole(letter);
    if text.len() > longest {
        let end = (0..=longest - 3).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// 加签: HMAC-SHA256 of `timestamp\nsecret` with the secret as key, base64, in the address
/// (open.dingtalk.com, custom robot security settings).
pub(crate) async fn dingtalk(
    courier: &Courier,
    url: &str,
    secret: Option<&str>,
    letter: &Letter,
) -> Result<(), Refusal> {
    let mut url = url.to_owned();
    if let Some(secret) = secret {
        let timestamp = jiff::Timestamp::now().as_millisecond();
        let signature = STANDARD.encode(sign(secret.as_bytes(), format!("{timestamp}\n{secret}").as_bytes()));
        let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
        let joint = if url.contains('?') { '&' } else { '?' };
        url = format!("{url}{joint}timestamp={timestamp}&sign={signature}");
    }
    let body = json!({ "msgtype": "text", "text": { "content": text(letter, OTHERS) } });
    post(courier, &url, &body, "errcode", "errmsg").await
}

/// No signature: the key in the address is all there is (developer.work.weixin.qq.com, group robot).
pub(crate) async fn wecom(courier: &Courier, url: &str, letter: &Letter) -> Result<(), Refusal> {
    let body = json!({ "msgtype": "text", "text": { "content": text(letter, WECOM) } });
    post(courier, url, &body, "errcode", "errmsg").await
}

/// 签名校验: HMAC-SHA256 of nothing with `timestamp\nsecret` as key, base64, in the body (open.feishu.cn, custom bot).
pub(crate) async fn feishu(courier: &Courier, url: &str, secret: Option<&str>, letter: &Letter) -> Result<(), Refusal> {
    let mut body = json!({ "msg_type": "text", "content": { "text": text(letter, OTHERS) } });
    if let Some(secret) = secret {
        let timestamp = jiff::Timestamp::now().as_second();
        body["timestamp"] = json!(timestamp.to_string());
        body["sign"] = json!(STANDARD.encode(sign(format!("{timestamp}\n{secret}").as_bytes(), b"")));
    }
    post(courier, url, &body, "code", "msg").await
}

async fn post(courier: &Courier, url: &str, body: &Value, code: &str, message: &str) -> Result<(), Refusal> {
    let request = request(courier, url).await?.header("content-type", "application/json").body(body.to_string());
    let (status, answer) = send(request).await?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    // Older Feishu robots say StatusCode instead. Its limits come with a status of 400, so the code is looked at first.
    match answer.get(code).or_else(|| answer.get("StatusCode")).and_then(Value::as_i64) {
        Some(0) if (200..300).contains(&status) => Ok(()),
        Some(other) if other != 0 => {
            let why = cut(answer.get(message).and_then(Value::as_str).unwrap_or_default());
            let often = why.to_lowercase().contains("too many request");
            let told = format!("code {other}: {why}");
            Err(if often || BUSY.contains(&other) { Refusal::Busy(told) } else { refusal(status, told) })
        }
        _ if (200..300).contains(&status) => {
            Err(Refusal::Refused("the answer is not a robot's; is the address right?".to_owned()))
        }
        _ => Err(refusal(status, format!("status {status}"))),
    }
}
