//! What goes by HTTP: to exactly the checked address, without redirects or proxies, and the answer read to a limit.

use crate::{Courier, Letter, Refusal};
use hmac::{Hmac, Mac};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;
use url::Url;

/// Longest part of an answer that is read.
const ANSWER: usize = 16 << 10;
/// An alert lasts at Alertmanager so long unless it is told again, as Prometheus does; so none outlives us.
const ALERT_LASTS_MS: i64 = 10 * 60_000;

/// HMAC-SHA256.
pub(crate) fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A request to an address that was checked.
pub(crate) async fn request(courier: &Courier, url: &str) -> Result<RequestBuilder, Refusal> {
    let url = Url::parse(url).map_err(|_| Refusal::Settings("the address cannot be read"))?;
    let host = url.host_str().ok_or(Refusal::Settings("the address names no server"))?;
    let port = url.port_or_known_default().ok_or(Refusal::Settings("the address names no port"))?;
    let address = courier.locate(host, port).await?;
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(12))
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("SharpEyes/", env!("CARGO_PKG_VERSION")))
        .resolve(host, address)
        .build()
        .map_err(|_| Refusal::Settings("this machine's certificates cannot be read"))?;
    Ok(client.post(url))
}

/// Sends, and gives the status and the beginning of the answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<(u16, Vec<u8>), Refusal> {
    let mut response: Response = request.send().await.map_err(|e| Refusal::Unreachable(plain(&e)))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER - body.len())]);
    }
    Ok((status, body))
}

/// What went wrong, without the address, which may hold a token.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut deepest = "the connection failed".to_owned();
    while let Some(inner) = source {
        deepest = inner.to_string();
        source = inner.source();
    }
    deepest.chars().take(200).collect()
}

/// Why a server did not take it, by its status: now, or not at all.
pub(crate) fn refusal(status: u16, why: String) -> Refusal {
    match status {
        408 | 425 | 429 | 500.. => Refusal::Busy(why),
        _ => Refusal::Refused(why),
    }
}

fn accepted(status: u16) -> Result<(), Refusal> {
    match status {
        200..=299 => Ok(()),
        300..=399 => {
            Err(Refusal::Refused(format!("status {status}: redirects are not followed; give the final address")))
        }
        _ => Err(refusal(status, format!("status {status}"))),
    }
}

/// JSON with a signature over time and body: `X-SharpEyes-Signature: v1=hex(HMAC-SHA256(secret, timestamp.body))`.
pub(crate) async fn webhook(courier: &Courier, url: &str, secret: &str, letter: &Letter) -> Result<(), Refusal> {
    let request = request(courier, url).await?;
    let mut value = serde_json::to_value(letter).unwrap_or_default();
    value["title"] = json!(letter.title());
    value["text"] = json!(letter.lines().join("\n"));
    let body = value.to_string();
    let timestamp = jiff::Timestamp::now().as_second().to_string();
    let signature = hex::encode(sign(secret.as_bytes(), format!("{timestamp}.{body}").as_bytes()));
    let request = request
        .header("content-type", "application/json")
        .header("x-sharpeyes-delivery", &letter.key)
        .header("x-sharpeyes-timestamp", timestamp)
        .header("x-sharpeyes-signature", format!("v1={signature}"))
        .body(body);
    accepted(send(request).await?.0)
}

/// Alerts as `amtool` and Prometheus send them: `POST /api/v2/alerts`.
pub(crate) async fn alertmanager(
    courier: &Courier,
    url: &str,
    token: Option<&str>,
    letter: &Letter,
) -> Result<(), Refusal> {
    let alerts = alerts(letter);
    let mut request = request(courier, &format!("{}/api/v2/alerts", url.trim_end_matches('/'))).await?;
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let (status, body) = send(request.header("content-type", "application/json").body(alerts.to_string())).await?;
    accepted(status).map_err(|plain| match serde_json::from_slice::<Value>(&body) {
        Ok(Value::String(why)) => refusal(status, format!("status {status}: {}", cut(&why))),
        _ => plain,
    })
}

/// One alert an incident. Its labels never change, so that its end finds its beginning; a severity that grows is told
/// beside them.
fn alerts(letter: &Letter) -> Value {
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|t| t.to_string()).unwrap_or_default();
    if letter.test {
        return json!([{
            "labels": { "alertname": "SharpEyesTest", "node": letter.node },
            "annotations": { "summary": letter.title() },
            "startsAt": time(letter.at),
            "endsAt": time(letter.at + 60_000),
        }]);
    }
    let each = letter.items.iter().map(|item| {
        let one = Letter { items: vec![item.clone()], ..letter.clone() };
        json!({
            "labels": { "alertname": "CameraIncident", "incident": format!("E{}", item.incident), "node": letter.node },
            "annotations": {
                "summary": one.title(),
                "description": item.evidence,
                "severity": item.severity,
                "cause": item.cause,
                "place": item.place,
            },
            "startsAt": time(item.opened),
            "endsAt": time(item.resolved.unwrap_or(letter.at + ALERT_LASTS_MS)),
        })
    });
    Value::Array(each.collect())
}

/// A few words of a server, on one line.
pub(crate) fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
