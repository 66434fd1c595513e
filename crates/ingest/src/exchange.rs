//! The conversation with a camera: one connection from OPTIONS or DESCRIBE to TEARDOWN.
//!
//! It keeps status lines, headers and the SDP as evidence, gives each answer its own absolute limit, and bounds what
//! a peer can make us read. It never follows a redirect, and never sends an account again that was refused.

use crate::{
    Config,
    description::{self, Video},
    failure::{Account, Step, failure, hints_at_lock, io_failure, scrub, status_failure},
    line::Line,
    message::{Answer, HEAD_BYTES, not_rtsp, parse_head},
    transcript::Transcript,
};
use fleet::{Cause, Credentials, SessionId, StreamUrl};
use health::Failure;
use http_auth::{PasswordClient, PasswordParams};
use std::{fmt::Write as _, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;
use url::Url;

/// Connects within the limit.
pub(crate) async fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, Failure> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(io_failure(Step::Connect, &error)),
        Err(_) => Err(failure(Cause::NoAnswer, format!("{address} did not answer within {} s", limit.as_secs_f32()))),
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
    pub(crate) video: Result<Video, Failure>,
    pub(crate) sdp_bytes: usize,
    pub(crate) took: Duration,
}

/// The conversation with one camera. Dropping it ends the session it set up, if any, in the background.
pub(crate) struct Exchange {
    /// `None` only while it is being dropped.
    line: Option<Line>,
    /// What came and was not yet looked at.
    buffer: Vec<u8>,
    sequence: u32,
    limit: Duration,
    teardown: Duration,
    user_agent: String,
    credentials: Option<Credentials>,
    account: Account,
    /// Set once the camera asked for the account.
    client: Option<PasswordClient>,
    /// Of the last answer.
    status: u16,
    /// The fastest answer so far.
    fastest: Option<Duration>,
    /// A request with the account was granted.
    accepted: bool,
    session: Option<Session>,
    leaving: TaskTracker,
}

/// What a camera calls the session it set up.
struct Session {
    id: String,
    /// What it called it later.
    other: Option<String>,
    policy: SessionId,
    aggregate: Url,
}

impl Exchange {
    /// Takes over a connection. Sessions that end are counted in `leaving` until they are gone.
    pub(crate) fn new(
        line: Line,
        config: &Config,
        credentials: Option<&Credentials>,
        refused_before: bool,
        leaving: &TaskTracker,
    ) -> Exchange {
        let account = match credentials {
            None => Account::None,
            Some(_) if refused_before => Account::RefusedBefore,
            Some(_) => Account::Given,
        };
        Exchange {
            line: Some(line),
            buffer: Vec::new(),
            sequence: 0,
            limit: config.limits.answer,
            teardown: config.teardown,
            user_agent: config.user_agent.clone(),
            credentials: credentials.cloned(),
            account,
            client: None,
            status: 0,
            fastest: None,
            accepted: false,
            session: None,
            leaving: leaving.clone(),
        }
    }

    /// The connection.
    pub(crate) fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("taken only while being dropped")
    }

    /// The status of the last answer.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// How long its fastest answer took: the way to the camera and back is no longer.
    pub(crate) fn round_trip(&self) -> Duration {
        self.fastest.unwrap_or_default()
    }

    /// Takes what came beyond the last answer.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// The connection is of no more use: no TEARDOWN is tried.
    pub(crate) fn gone(&mut self) {
        self.session = None;
    }

    /// From now on there is a session to end.
    pub(crate) fn begin_session(&mut self, id: String, aggregate: Url, policy: SessionId) {
        self.session = Some(Session { id, other: None, policy, aggregate });
    }

    /// The camera calls the session so in a later answer.
    fn named(&mut self, id: &str) {
        let Some(session) = self.session.as_mut().filter(|s| s.id != id) else { return };
        match session.policy {
            SessionId::Latest => session.id = id.to_owned(),
            SessionId::Auto => session.other = Some(id.to_owned()),
            SessionId::First => {}
        }
    }

    /// The session is not known by its first name any more: goes by the other one, if there is one.
    pub(crate) fn rename(&mut self) -> bool {
        let Some(session) = &mut self.session else { return false };
        session.other.take().map(|other| session.id = other).is_some()
    }

    /// Ends the session that was set up, so that another may be. How the camera takes it does not matter.
    pub(crate) async fn leave(&mut self, transcript: &mut Transcript) {
        if let Some(url) = self.session.as_ref().map(|s| s.aggregate.clone()) {
            let _ = self.request(Step::Teardown, &url, "", transcript).await;
            self.session = None;
        }
    }

    /// Asks what the peer can do; any RTSP answer will do.
    pub(crate) async fn options(&mut self, url: &Url, transcript: &mut Transcript) -> Result<String, Failure> {
        Ok(self.request(Step::Options, url, "", transcript).await?.line)
    }

    /// Asks for the description, with the account if the camera wants one.
    pub(crate) async fn describe(&mut self, url: &Url, transcript: &mut Transcript) -> Result<Described, Failure> {
        let began = Instant::now();
        let answer = self.ask(Step::Describe, url, "Accept: application/sdp\r\n", transcript).await?;
        if answer.body.is_empty() {
            return Err(failure(Cause::SdpMalformed, "DESCRIBE was answered without a description"));
        }
        let admission = match &self.client {
            None => Admission::NotAsked,
            Some(PasswordClient::Basic(_)) => Admission::Accepted("Basic"),
            Some(PasswordClient::Digest(_)) => Admission::Accepted("Digest"),
            Some(_) => Admission::Accepted("another scheme"),
        };
        Ok(Described {
            admission,
            video: description::video(&answer, url),
            sdp_bytes: answer.body.len(),
            took: began.elapsed(),
            status_line: answer.line,
        })
    }

    /// Sends a request, with the account once the camera has asked for it, and returns a good answer.
    pub(crate) async fn ask(
        &mut self,
        step: Step,
        url: &Url,
        headers: &str,
        transcript: &mut Transcript,
    ) -> Result<Answer, Failure> {
        let mut renewed = false;
        loop {
            let answer = self.request(step, url, headers, transcript).await?;
            if (200..300).contains(&answer.status) {
                self.accepted |= self.client.is_some();
                return Ok(answer);
            }
            if answer.status != 401 || self.credentials.is_none() || hints_at_lock(&answer.line) {
                return Err(self.refused(step, &answer));
            }
            let sent = self.client.is_some();
            let client = match challenge(&answer) {
                Ok(client) => client,
                Err(_) if sent => return Err(self.refused(step, &answer)),
                Err(failure) => return Err(failure),
            };
            // Once more only if not the account was refused but its nonce (RFC 7616 §3.3), which cameras that give a
            // new nonce with each answer do not always say.
            let stale = matches!(&client, PasswordClient::Digest(fresh) if fresh.stale() || self.accepted);
            if sent && (renewed || !stale) {
                return Err(self.refused(step, &answer));
            }
            renewed = sent;
            self.client = Some(client);
        }
    }

    fn refused(&self, step: Step, answer: &Answer) -> Failure {
        let mut line = scrub(&answer.line, self.credentials.as_ref());
        if (300..400).contains(&answer.status) {
            line = format!("{line}, to {}", answer.header("Location").next().map_or("nowhere".to_owned(), redacted));
        }
        // Some makers say in the body what the status line does not.
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]);
        if matches!(answer.status, 401 | 403) && !body.trim().is_empty() {
            line = format!("{line}: {}", scrub(body.trim(), self.credentials.as_ref()));
        }
        // Without a request that carried it, the account was not refused.
        let account = if step == Step::Describe && self.client.is_none() { Account::None } else { self.account };
        status_failure(step, answer.status, &line, account)
    }

    /// A request's text, and what of it may be kept.
    fn compose(&mut self, method: &str, url: &Url, headers: &str) -> Result<(String, String), Failure> {
        self.sequence += 1;
        let mut shown = format!(
            "{method} {url} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: {}\r\n{headers}",
            self.sequence, self.user_agent
        );
        if let Some(session) = &self.session {
            let _ = write!(shown, "Session: {}\r\n", session.id);
        }
        // Only what goes over the wire holds the account, should it stand in the address.
        let uri = StreamUrl::filled(url.as_str(), self.credentials.as_ref());
        let mut text = shown.replacen(url.as_str(), &uri, 1);
        if let (Some(client), Some(account)) = (&mut self.client, &self.credentials) {
            let value = client
                .respond(&PasswordParams {
                    username: &account.username,
                    password: account.password.expose(),
                    uri: &uri,
                    method,
                    body: Some(&[]),
                })
                .map_err(|why| failure(Cause::AuthUnsupported, why))?;
            let _ = write!(shown, "Authorization: {} (removed)\r\n", value.split(' ').next().unwrap_or_default());
            let _ = write!(text, "Authorization: {value}\r\n");
        }
        text.push_str("\r\n");
        Ok((text, shown))
    }

    /// A request that asks nothing but keeps the session alive.
    pub(crate) fn keepalive(&mut self, method: &str) -> Option<String> {
        let url = self.session.as_ref()?.aggregate.clone();
        self.compose(method, &url, "").ok().map(|(text, _)| text)
    }

    /// An answer in the middle of the stream: a keepalive may have been refused for its nonce.
    pub(crate) fn answered(&mut self, answer: &Answer) {
        if answer.status == 454 {
            self.rename();
        } else if let Some(id) = session_name(answer) {
            self.named(id);
        }
        if answer.status == 401
            && self.accepted
            && let Ok(client @ PasswordClient::Digest(_)) = challenge(answer)
        {
            self.client = Some(client);
        }
    }

    /// Sends one request and reads its answer, both within one absolute limit.
    async fn request(
        &mut self,
        step: Step,
        url: &Url,
        headers: &str,
        transcript: &mut Transcript,
    ) -> Result<Answer, Failure> {
        let (text, shown) = self.compose(step.name(), url, headers)?;
        // A camera may have echoed the account in the addresses of its answers.
        transcript.note(&scrub(&shown.replace('\r', ""), self.credentials.as_ref()));
        let (began, limit) = (Instant::now(), self.limit);
        let answer = async {
            self.line().write_all(text.as_bytes()).await.map_err(|e| io_failure(step, &e))?;
            self.line().flush().await.map_err(|e| io_failure(step, &e))?;
            self.answer(step).await
        };
        let answer = match timeout_at(began + limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(failure(
                Cause::RtspNoAnswer,
                format!(
                    "{} was not answered within {} s ({} bytes came)",
                    step.name(),
                    limit.as_secs_f32(),
                    self.buffer.len()
                ),
            )),
        };
        match &answer {
            Ok(answer) => {
                let took = began.elapsed();
                self.status = answer.status;
                if let Some(id) = session_name(answer) {
                    self.named(id);
                }
                self.fastest = Some(self.fastest.map_or(took, |fastest| fastest.min(took)));
                let line = format!("{} ({} ms)", answer.line, began.elapsed().as_millis());
                transcript.said(&line, &answer.headers, &answer.body, self.credentials.as_ref());
            }
            Err(failure) => transcript.note(&format!("({})", failure.detail)),
        }
        answer
    }

    /// Reads the answer to the last request; answers to earlier ones are passed over.
    async fn answer(&mut self, step: Step) -> Result<Answer, Failure> {
        loop {
            let head = self.head(step).await?;
            let mut answer = parse_head(&head).map_err(|f| beyond_rtsp(step, f))?;
            let length = answer.length()?;
            while self.buffer.len() < length {
                self.read(step).await?;
            }
            answer.body = self.buffer.drain(..length).collect();
            match answer.sequence() {
                Ok(sequence) if sequence == self.sequence => return Ok(answer),
                Ok(sequence) if sequence < self.sequence => {}
                got => {
                    let got = got.map_or_else(|why| why, |n| n.to_string());
                    return Err(failure(Cause::RtspError, format!("answer to CSeq {got}, expected {}", self.sequence)));
                }
            }
        }
    }

    /// Reads up to and with the empty line that ends the head. Packets of a stream in between are passed over: of
    /// one whose PLAY is still to be answered, or of an older session whose connection number the camera mistakes
    /// for ours (old live555).
    async fn head(&mut self, step: Step) -> Result<Vec<u8>, Failure> {
        let mut searched = 0;
        loop {
            let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            self.buffer.drain(..blank);
            searched -= blank.min(searched);
            if let [b'$', _, high, low, ..] = *self.buffer.as_slice() {
                let length = 4 + usize::from(u16::from_be_bytes([high, low]));
                while self.buffer.len() < length {
                    self.read(step).await?;
                }
                self.buffer.drain(..length);
                continue;
            }
            let known = self.buffer.len().min(5);
            if self.buffer.first() != Some(&b'$') && self.buffer[..known] != b"RTSP/"[..known] {
                return Err(beyond_rtsp(step, not_rtsp(&self.buffer)));
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
            self.read(step).await?;
        }
    }

    async fn read(&mut self, step: Step) -> Result<(), Failure> {
        let mut chunk = [0; 4096];
        match self.line().read(&mut chunk).await {
            Ok(0) => {
                let error = io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("closed by the camera after {} bytes of an answer", self.buffer.len()),
                );
                self.gone();
                Err(io_failure(step, &error))
            }
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(error) => {
                self.gone();
                Err(io_failure(step, &error))
            }
        }
    }
}

impl Drop for Exchange {
    /// Takes leave of the camera, so that its session is free for whoever comes next.
    fn drop(&mut self) {
        let (Some(url), Ok(handle)) = (self.session.as_ref().map(|s| s.aggregate.clone()), Handle::try_current())
        else {
            return;
        };
        let Ok((text, _)) = self.compose(Step::Teardown.name(), &url, "") else { return };
        let Some(mut line) = self.line.take() else { return };
        let limit = self.teardown;
        let leave = async move {
            let _ = timeout(limit, async {
                if line.write_all(text.as_bytes()).await.is_err() || line.flush().await.is_err() {
                    return;
                }
                // Its answer ends a flood of packets; a camera that has closed the session often just hangs up.
                let mut tail: Vec<u8> = Vec::new();
                let mut chunk = [0; 4096];
                while let Ok(n @ 1..) = line.read(&mut chunk).await {
                    tail.extend_from_slice(&chunk[..n]);
                    if tail.windows(7).any(|w| w == b"RTSP/1.") {
                        return;
                    }
                    tail.drain(..tail.len().saturating_sub(6));
                }
            })
            .await;
        };
        self.leaving.spawn_on(leave, &handle);
    }
}

/// After DESCRIBE the peer is known to speak RTSP: what cannot be read is an error of it.
fn beyond_rtsp(step: Step, failed: Failure) -> Failure {
    if matches!(step, Step::Options | Step::Describe) { failed } else { failure(Cause::RtspError, failed.detail) }
}

/// What an answer calls the session.
pub(crate) fn session_name(answer: &Answer) -> Option<&str> {
    let id = answer.header("Session").next()?.split(';').next()?.trim();
    // It goes into our requests as it is.
    (!id.is_empty() && id.len() <= 256 && id.bytes().all(|b| b.is_ascii_graphic())).then_some(id)
}

/// The address of a redirect without account and query, which may hold secrets.
fn redacted(location: &str) -> String {
    match Url::parse(location) {
        Ok(url) => format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path()),
        Err(_) => "an address that cannot be read".to_owned(),
    }
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

#[cfg(test)]
mod tests;
