//! The first words with a camera, on a connection of their own: TCP, OPTIONS, DESCRIBE with the account.
//!
//! The stream library hides the wire, so this small client does what a verdict needs: it keeps status lines,
//! headers and the SDP as evidence, gives each answer its own absolute limit, and bounds what a peer can make
//! us read. It never sets up a stream, never follows a redirect and sends an account at most once.

use crate::{
    Config,
    failure::{Account, Step, failure, io_failure, printable, scrub, status_failure},
};
use fleet::{Cause, Credentials};
use health::Failure;
use http_auth::{PasswordClient, PasswordParams};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use url::Url;

/// Longest head of an answer.
const HEAD_BYTES: usize = 64 << 10;
/// Longest body of an answer.
const BODY_BYTES: usize = 256 << 10;
/// Longest transcript.
const TRANSCRIPT_BYTES: usize = 64 << 10;

/// Connects within the limit.
pub(crate) async fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, Failure> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(io_failure(Step::Connect, &error)),
        Err(_) => Err(failure(Cause::NoAnswer, format!("{address} did not answer within {} s", limit.as_secs_f32()))),
    }
}

/// What was said, secrets removed and bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    pub(crate) fn note(&mut self, text: &str) {
        if self.0.len() + text.len() < TRANSCRIPT_BYTES {
            self.0.push_str(text);
            self.0.push('\n');
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// How the account was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// The camera asked for none.
    NotAsked,
    /// It was accepted, by this scheme.
    Accepted(&'static str),
}

/// A description the camera gave.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) status_line: String,
    pub(crate) admission: Admission,
    pub(crate) sdp_bytes: usize,
    pub(crate) took: Duration,
}

/// The conversation with one camera.
pub(crate) struct Exchange<'a> {
    stream: TcpStream,
    buffer: Vec<u8>,
    sequence: u32,
    config: &'a Config,
    credentials: Option<&'a Credentials>,
    refused_before: bool,
    pub(crate) transcript: &'a mut Transcript,
}

struct Answer {
    status: u16,
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        stream: TcpStream,
        config: &'a Config,
        credentials: Option<&'a Credentials>,
        refused_before: bool,
        transcript: &'a mut Transcript,
    ) -> Exchange<'a> {
        Exchange { stream, buffer: Vec::new(), sequence: 0, config, credentials, refused_before, transcript }
    }

    /// The connection, to be kept or dropped.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Asks what the peer can do; any RTSP answer will do.
    pub(crate) async fn options(&mut self, url: &Url) -> Result<String, Failure> {
        Ok(self.request("OPTIONS", url, None).await?.line)
    }

    /// Asks for the description, with the account if the camera wants one.
    pub(crate) async fn describe(&mut self, url: &Url) -> Result<Described, Failure> {
        let began = Instant::now();
        let first = self.request("DESCRIBE", url, None).await?;
        if first.status != 401 {
            return self.described(first, Admission::NotAsked, Account::None, began);
        }
        let Some(account) = self.credentials else {
            return Err(self.refused(&first, Account::None));
        };
        let mut client = challenge(&first)?;
        let scheme = match &client {
            PasswordClient::Basic(_) => "Basic",
            PasswordClient::Digest(_) => "Digest",
            _ => "another scheme",
        };
        let known = if self.refused_before { Account::RefusedBefore } else { Account::Given };
        let mut answer = self.authorized(&mut client, account, url).await?;
        if answer.status == 401
            && let Ok(PasswordClient::Digest(fresh)) = challenge(&answer)
            && fresh.stale()
        {
            // Not the account, only the nonce was too old (RFC 7616 §3.3): once more with the new one.
            client = PasswordClient::Digest(fresh);
            answer = self.authorized(&mut client, account, url).await?;
        }
        self.described(answer, Admission::Accepted(scheme), known, began)
    }

    async fn authorized(
        &mut self,
        client: &mut PasswordClient,
        account: &Credentials,
        url: &Url,
    ) -> Result<Answer, Failure> {
        let header = client
            .respond(&PasswordParams {
                username: &account.username,
                password: account.password.expose(),
                uri: url.as_str(),
                method: "DESCRIBE",
                body: Some(&[]),
            })
            .map_err(|why| failure(Cause::AuthUnsupported, why))?;
        self.request("DESCRIBE", url, Some(&header)).await
    }

    fn described(
        &self,
        answer: Answer,
        admission: Admission,
        account: Account,
        began: Instant,
    ) -> Result<Described, Failure> {
        if !(200..300).contains(&answer.status) {
            return Err(self.refused(&answer, account));
        }
        if answer.body.is_empty() {
            return Err(failure(Cause::SdpMalformed, "DESCRIBE was answered without a description"));
        }
        Ok(Described { status_line: answer.line, admission, sdp_bytes: answer.body.len(), took: began.elapsed() })
    }

    fn refused(&self, answer: &Answer, account: Account) -> Failure {
        let mut line = scrub(&answer.line, self.credentials);
        if (300..400).contains(&answer.status) {
            line = format!("{line}, to {}", answer.header("Location").next().map_or("nowhere".to_owned(), redacted));
        }
        // Some makers say in a header or the body what the status line does not.
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]);
        if matches!(answer.status, 401 | 403) && !body.trim().is_empty() {
            line = format!("{line}: {}", scrub(body.trim(), self.credentials));
        }
        status_failure(Step::Describe, answer.status, &line, account)
    }

    /// Sends one request and reads its answer, both within one absolute limit.
    async fn request(&mut self, method: &str, url: &Url, authorization: Option<&str>) -> Result<Answer, Failure> {
        self.sequence += 1;
        let mut text =
            format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: {}\r\n", self.sequence, self.config.user_agent);
        if method == "DESCRIBE" {
            text.push_str("Accept: application/sdp\r\n");
        }
        self.transcript.note(text.trim_end());
        if let Some(value) = authorization {
            let scheme = value.split(' ').next().unwrap_or_default();
            self.transcript.note(&format!("Authorization: {scheme} (removed)"));
            text.push_str(&format!("Authorization: {value}\r\n"));
        }
        self.transcript.note("");
        text.push_str("\r\n");

        let limit = self.config.limits.answer;
        let began = Instant::now();
        let answer = async {
            self.stream.write_all(text.as_bytes()).await.map_err(|e| io_failure(Step::Describe, &e))?;
            self.answer().await
        };
        let answer = match timeout_at(began + limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let got = self.buffer.len();
                Err(failure(
                    Cause::RtspNoAnswer,
                    format!("{method} was not answered within {} s ({got} bytes came)", limit.as_secs_f32()),
                ))
            }
        };
        match &answer {
            Ok(answer) => {
                let head: String = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| !name.eq_ignore_ascii_case("Authorization"))
                    .map(|(n, v)| format!("{}: {}\n", printable(n, 100), printable(v, 1000)))
                    .collect();
                let body: String = String::from_utf8_lossy(&answer.body)
                    .lines()
                    .map(|l| format!("{}\n", printable(l, 2000)))
                    .collect();
                let said =
                    format!("{} ({} ms)\n{head}\n{body}", printable(&answer.line, 300), began.elapsed().as_millis());
                self.transcript.note(&scrub(&said, self.credentials));
            }
            Err(failure) => self.transcript.note(&format!("({})", failure.detail)),
        }
        answer
    }

    /// Reads the answer to the last request; answers to earlier ones are passed over.
    async fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            let head = self.head().await?;
            let mut answer = parse_head(&head)?;
            let length = match answer.header("Content-Length").next() {
                None => 0,
                Some(text) => match text.trim().parse::<u64>() {
                    Ok(length) if length <= BODY_BYTES as u64 => length as usize,
                    _ => return Err(failure(Cause::SdpMalformed, format!("Content-Length: {text}"))),
                },
            };
            while self.buffer.len() < length {
                self.read().await?;
            }
            answer.body = self.buffer.drain(..length).collect();
            let sequence = answer.header("CSeq").next().map(|c| c.trim().parse::<u32>());
            match sequence {
                Some(Ok(sequence)) if sequence == self.sequence => return Ok(answer),
                Some(Ok(sequence)) if sequence < self.sequence => {}
                other => {
                    let got = other.map_or("none".to_owned(), |c| c.map_or("no number".to_owned(), |c| c.to_string()));
                    return Err(failure(Cause::RtspError, format!("answer to CSeq {got}, expected {}", self.sequence)));
                }
            }
        }
    }

    /// Reads up to and with the empty line that ends the head.
    async fn head(&mut self) -> Result<Vec<u8>, Failure> {
        let mut searched = 0;
        loop {
            let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            self.buffer.drain(..blank);
            searched -= blank.min(searched);
            let known = self.buffer.len().min(5);
            if self.buffer[..known] != b"RTSP/"[..known] {
                return Err(not_rtsp(&self.buffer));
            }
            if let Some(end) = self.buffer[searched..].windows(4).position(|w| w == b"\r\n\r\n") {
                let rest = self.buffer.split_off(searched + end + 4);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(failure(
                    Cause::RtspError,
                    format!("the head of the answer does not end within {HEAD_BYTES} bytes"),
                ));
            }
            searched = self.buffer.len().saturating_sub(3);
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk).await {
            Ok(0) => {
                let error = io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("closed by the camera after {} bytes of an answer", self.buffer.len()),
                );
                Err(io_failure(Step::Describe, &error))
            }
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(error) => Err(io_failure(Step::Describe, &error)),
        }
    }
}

/// The address of a redirect without account and query, which may hold secrets.
fn redacted(location: &str) -> String {
    match Url::parse(location) {
        Ok(url) => format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path()),
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

fn not_rtsp(bytes: &[u8]) -> Failure {
    let shown: String = bytes.iter().take(32).flat_map(|b| b.escape_ascii()).map(char::from).collect();
    failure(Cause::NotRtsp, format!("the answer begins with \"{shown}\""))
}

/// Picks the best scheme the camera offers.
fn challenge(answer: &Answer) -> Result<PasswordClient, Failure> {
    let mut builder = PasswordClient::builder();
    let mut offered = String::new();
    for value in answer.header("WWW-Authenticate").take(8) {
        offered.push_str(value.split([' ', ',']).next().unwrap_or_default());
        offered.push(' ');
        builder = builder.challenges(value);
    }
    if offered.is_empty() {
        return Err(failure(Cause::AuthUnsupported, format!("{} without saying how", answer.line)));
    }
    builder.build().map_err(|why| failure(Cause::AuthUnsupported, format!("offered: {offered}({why})")))
}

fn parse_head(head: &[u8]) -> Result<Answer, Failure> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line.split(' ').nth(1).and_then(|s| s.parse::<u16>().ok()).filter(|s| (100..600).contains(s));
    let Some(status) = status.filter(|_| line.starts_with("RTSP/1.") || line.starts_with("RTSP/2.")) else {
        return Err(not_rtsp(head));
    };
    let headers = lines
        .filter_map(|l| l.split_once(':'))
        .take(200)
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let line = line.split_once(' ').map_or(line, |(_, rest)| rest).to_owned();
    Ok(Answer { status, line, headers, body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::net::TcpListener;

    /// What comes of a peer that answers each request with these bytes and then hangs up.
    fn against(answers: Vec<Vec<u8>>) -> (Result<Described, Failure>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let peer = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut chunk = [0; 4096];
                for answer in answers {
                    if !matches!(stream.read(&mut chunk).await, Ok(n) if n > 0) {
                        break;
                    }
                    let _ = stream.write_all(&answer).await;
                }
            };
            let config = Config::default();
            let account = Credentials { username: "admin".into(), password: fleet::Secret::new("hunter2") };
            let mut transcript = Transcript::default();
            let client = async {
                let stream = connect(address, Duration::from_secs(2)).await.unwrap();
                let mut exchange = Exchange::new(stream, &config, Some(&account), false, &mut transcript);
                exchange.describe(&Url::parse("rtsp://camera/x").unwrap()).await
            };
            let (described, ()) = tokio::join!(client, peer);
            (described, transcript.into_text())
        })
    }

    fn challenge(more: &str) -> Vec<u8> {
        let digest = format!("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"{more}");
        format!("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: {digest}\r\n\r\n").into_bytes()
    }

    fn numbered(answer: Vec<u8>, sequence: u32) -> Vec<u8> {
        String::from_utf8(answer).unwrap().replace("CSeq: 1", &format!("CSeq: {sequence}")).into_bytes()
    }

    #[test]
    fn a_stale_nonce_is_no_refusal() {
        let fine = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nv=0\r\n".to_vec();
        let (described, _) = against(vec![challenge(""), numbered(challenge(", stale=true"), 2), fine]);
        assert_eq!(described.unwrap().admission, Admission::Accepted("Digest"));
    }

    #[test]
    fn a_refusal_is_final_and_an_echoed_password_is_not_kept() {
        let (described, said) = against(vec![
            challenge(""),
            b"RTSP/1.0 401 hunter2 is wrong\r\nCSeq: 2\r\nX-Echo: hunter2\r\n\r\n".to_vec(),
            b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n".to_vec(),
        ]);
        let failure = described.unwrap_err();
        assert_eq!(failure.cause, Cause::PasswordRefused);
        assert!(!failure.detail.contains("hunter2") && !said.contains("hunter2"), "{failure:?}\n{said}");
    }

    #[test]
    fn an_unknown_scheme_is_named() {
        let (described, _) =
            against(vec![b"RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Kerberos x=\"y\"\r\n\r\n".to_vec()]);
        let failure = described.unwrap_err();
        assert_eq!(failure.cause, Cause::AuthUnsupported);
        assert!(failure.detail.contains("Kerberos"), "{failure:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_answer_ends_in_a_verdict(mut answer in proptest::collection::vec(any::<u8>(), 0..600), shape in 0..3) {
            let start: &[u8] = match shape {
                0 => b"",
                1 => b"RTSP/1.0 ",
                _ => b"RTSP/1.0 401 X\r\nCSeq: 1\r\nWWW-Authenticate: Digest ",
            };
            answer.splice(0..0, start.iter().copied());
            answer.extend(b"\r\n\r\n");
            let (described, said) = against(vec![answer]);
            prop_assert!(described.is_err());
            prop_assert!(said.len() <= TRANSCRIPT_BYTES + 1);
        }
    }
}
