//! The group robots of DingTalk 钉钉, WeCom 企业微信 and Feishu 飞书. Each answers 200 also to what it refuses, so its
//! own code counts, not the status.

use crate::{
    Courier, Letter, Refusal,
    post::{cut, request, send, sign},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Longest text: WeCom takes 2,048 bytes, the others more.
const LONGEST: usize = 2000;

/// Title and lines, cut between two characters.
fn text(letter: &Letter) -> String {
    let mut text = letter.lines().join("\n");
    if letter.items.len() > 1 {
        text = format!("{}\n{text}", letter.title());
    }
    if text.len() > LONGEST {
        let end = (0..=LONGEST - 3).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
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
    let body = json!({ "msgtype": "text", "text": { "content": text(letter) } });
    post(courier, &url, &body, "errcode", "errmsg").await
}

/// No signature: the key in the address is all there is (developer.work.weixin.qq.com, group robot).
pub(crate) async fn wecom(courier: &Courier, url: &str, letter: &Letter) -> Result<(), Refusal> {
    let body = json!({ "msgtype": "text", "text": { "content": text(letter) } });
    post(courier, url, &body, "errcode", "errmsg").await
}

/// 签名校验: HMAC-SHA256 of nothing with `timestamp\nsecret` as key, base64, in the body (open.feishu.cn, custom bot).
pub(crate) async fn feishu(courier: &Courier, url: &str, secret: Option<&str>, letter: &Letter) -> Result<(), Refusal> {
    let mut body = json!({ "msg_type": "text", "content": { "text": text(letter) } });
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
    if !(200..300).contains(&status) {
        return Err(Refusal::Refused(format!("status {status}")));
    }
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|_| Refusal::Refused("the answer is not a robot's; is the address right?".to_owned()))?;
    // Older Feishu robots say StatusCode instead.
    let told = answer.get(code).or_else(|| answer.get("StatusCode")).and_then(Value::as_i64);
    match told {
        Some(0) => Ok(()),
        Some(other) => {
            let why = answer.get(message).and_then(Value::as_str).unwrap_or_default();
            Err(Refusal::Refused(format!("code {other}: {}", cut(why))))
        }
        None => Err(Refusal::Refused("the answer is not a robot's; is the address right?".to_owned())),
    }
}
