//! A tiny RTSP client that shows what a camera really does.

use base64::Engine as _;
use md5::Digest as _;
use std::{collections::HashMap, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No wait in these tests is longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Client {
    socket: TcpStream,
    addr: SocketAddr,
    received: Vec<u8>,
    number: u32,
    pub(crate) account: Option<(String, String)>,
    pub(crate) session: Option<String>,
}

/// One interleaved packet.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) channel: u8,
    pub(crate) data: Vec<u8>,
}

impl Packet {
    pub(crate) fn seq(&self) -> u16 {
        u16::from_be_bytes([self.data[2], self.data[3]])
    }

    pub(crate) fn ends_picture(&self) -> bool {
        self.data[1] & 0x80 != 0
    }

    /// H.264 NAL unit type, looking through fragments.
    pub(crate) fn nal(&self) -> u8 {
        match self.data[12] & 0x1f {
            28 => self.data[13] & 0x1f,
            kind => kind,
        }
    }
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Client> {
        Client::connect_within(addr, LIMIT).await
    }

    pub(crate) async fn connect_within(addr: SocketAddr, limit: Duration) -> io::Result<Client> {
        let socket = timeout(limit, TcpStream::connect(addr)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Client { socket, addr, received: Vec::new(), number: 0, account: None, session: None })
    }

    pub(crate) fn with_account(mut self, name: &str, password: &str) -> Client {
        self.account = Some((name.into(), password.into()));
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtsp://{}{path}", self.addr)
    }

    /// Asks, and once more with the account if the camera wants it.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, more: &str) -> io::Result<Answer> {
        let answer = self.ask_once(method, path, more).await?;
        let (401, Some(account)) = (answer.status, self.account.clone()) else { return Ok(answer) };
        let authorization = authorize(&answer.headers["www-authenticate"], &account, method, &self.url(path));
        self.ask_once(method, path, &format!("{more}Authorization: {authorization}\r\n")).await
    }

    pub(crate) async fn ask_once(&mut self, method: &str, path: &str, more: &str) -> io::Result<Answer> {
        self.number += 1;
        let session = self.session.as_ref().map(|s| format!("Session: {s}\r\n")).unwrap_or_default();
        let text = format!("{method} {} RTSP/1.0\r\nCSeq: {}\r\n{session}{more}\r\n", self.url(path), self.number);
        self.socket.write_all(text.as_bytes()).await?;
        loop {
            while self.received.first() == Some(&b'$') {
                self.packet().await?;
            }
            if let Some(end) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                return self.answer(end).await;
            }
            if self.received.first().is_some_and(|&b| b != b'R') {
                return Err(io::Error::other("not RTSP"));
            }
            self.read().await?;
        }
    }

    async fn answer(&mut self, end: usize) -> io::Result<Answer> {
        let head = String::from_utf8(self.received.drain(..end + 4).collect()).map_err(io::Error::other)?;
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let mut words = first.splitn(3, ' ');
        let (Some("RTSP/1.0"), Some(Ok(status)), Some(reason)) =
            (words.next(), words.next().map(str::parse), words.next())
        else {
            return Err(io::Error::other("not RTSP"));
        };
        let headers: HashMap<_, _> = lines
            .filter_map(|l| l.split_once(':'))
            .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        assert_eq!(headers["cseq"], self.number.to_string());
        let length = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
        while self.received.len() < length {
            self.read().await?;
        }
        let body = String::from_utf8(self.received.drain(..length).collect()).map_err(io::Error::other)?;
        Ok(Answer { status, reason: reason.to_owned(), headers, body })
    }

    async fn read(&mut self) -> io::Result<()> {
        let n =
            timeout(LIMIT, self.socket.read_buf(&mut self.received)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if n == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The next interleaved packet.
    pub(crate) async fn packet(&mut self) -> io::Result<Packet> {
        loop {
            if let [b'$', channel, high, low, ..] = self.received[..] {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if self.received.len() >= 4 + length {
                    let whole: Vec<u8> = self.received.drain(..4 + length).collect();
                    return Ok(Packet { channel, data: whole[4..].to_vec() });
                }
            } else if self.received.first().is_some_and(|&b| b != b'$') {
                return Err(io::Error::other(format!(
                    "no packet: {:?}",
                    &self.received[..self.received.len().min(32)]
                )));
            }
            self.read().await?;
        }
    }

    /// Whether anything arrives within this time.
    pub(crate) async fn hears(&mut self, within: Duration) -> io::Result<bool> {
        let mut byte = [0; 65536];
        match timeout(within, self.socket.read(&mut byte)).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Reads until nothing came for half a second.
    pub(crate) async fn until_silent(&mut self) {
        let end = tokio::time::Instant::now() + LIMIT;
        while self.hears(Duration::from_millis(500)).await.unwrap() {
            assert!(tokio::time::Instant::now() < end, "still sending");
        }
        self.received.clear();
    }

    /// Reads until the connection ends, and tells how.
    pub(crate) async fn until_end(&mut self) -> io::ErrorKind {
        let end = tokio::time::Instant::now() + LIMIT;
        loop {
            assert!(tokio::time::Instant::now() < end, "the connection goes on");
            if let Err(error) = self.hears(LIMIT).await {
                return error.kind();
            }
        }
    }

    /// DESCRIBE, SETUP (interleaved), PLAY.
    pub(crate) async fn play(&mut self, path: &str) -> io::Result<Answer> {
        let answer = self.ask("DESCRIBE", path, "").await?;
        if answer.status != 200 {
            return Ok(answer);
        }
        let track = format!("{path}/trackID=1");
        let answer = self.ask("SETUP", &track, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n").await?;
        if answer.status != 200 {
            return Ok(answer);
        }
        self.session = Some(answer.headers["session"].split(';').next().unwrap().to_owned());
        self.ask("PLAY", path, "").await
    }

    /// Packets of so long.
    pub(crate) async fn packets(&mut self, for_long: Duration) -> Vec<Packet> {
        let end = tokio::time::Instant::now() + for_long;
        let mut packets = Vec::new();
        while let Ok(packet) = tokio::time::timeout_at(end, self.packet()).await {
            packets.push(packet.unwrap());
        }
        packets
    }
}

fn authorize(challenge: &str, (name, password): &(String, String), method: &str, url: &str) -> String {
    if challenge.starts_with("Basic") {
        return format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")));
    }
    let field = |key: &str| {
        let at = challenge.find(&format!("{key}=\"")).unwrap() + key.len() + 2;
        challenge[at..].split('"').next().unwrap()
    };
    let sha = challenge.contains("SHA-256");
    let hash = |text: String| {
        if sha { hex::encode(sha2::Sha256::digest(text)) } else { hex::encode(md5::Md5::digest(text)) }
    };
    let (realm, nonce) = (field("realm"), field("nonce"));
    let response =
        hash(format!("{}:{nonce}:{}", hash(format!("{name}:{realm}:{password}")), hash(format!("{method}:{url}"))));
    let algorithm = if sha { ", algorithm=SHA-256" } else { "" };
    format!(
        "Digest username=\"{name}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{url}\", response=\"{response}\"{algorithm}"
    )
}
