//! RTSP 1.0 messages (RFC 2326), as a server reads and writes them.

use std::fmt::Write as _;

/// A request head longer than this is no request.
const MAX_HEAD: usize = 16 * 1024;
/// So is a body.
const MAX_BODY: usize = 64 * 1024;

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    headers: Vec<(String, String)>,
}

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not yet a whole message.
    More,
    /// An interleaved packet of so many bytes, all in all.
    Interleaved(usize),
    /// A request of so many bytes.
    Request(Request, usize),
    /// Nothing we understand.
    Bad,
}

impl Request {
    pub(crate) fn parse(data: &[u8]) -> Parsed {
        match data {
            [] => return Parsed::More,
            [b'$', _, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                return if rest.len() < length { Parsed::More } else { Parsed::Interleaved(4 + length) };
            }
            [b'$', ..] => return Parsed::More,
            _ => {}
        }
        let window = &data[..data.len().min(MAX_HEAD)];
        let Some(end) = window.windows(4).position(|w| w == b"\r\n\r\n") else {
            return if data.len() >= MAX_HEAD { Parsed::Bad } else { Parsed::More };
        };
        let Ok(head) = std::str::from_utf8(&data[..end]) else { return Parsed::Bad };
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(url), Some("RTSP/1.0"), None) =
            (first.next(), first.next(), first.next(), first.next())
        else {
            return Parsed::Bad;
        };
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let request = Request { method: method.to_owned(), url: url.to_owned(), headers };
        let body = match request.header("content-length").map(str::parse::<usize>) {
            None => 0,
            Some(Ok(length)) if length <= MAX_BODY => length,
            Some(_) => return Parsed::Bad,
        };
        if data.len() < end + 4 + body { Parsed::More } else { Parsed::Request(request, end + 4 + body) }
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Path and query of the URL.
    pub(crate) fn path(&self) -> &str {
        match self.url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &self.url,
        }
    }
}

/// An answer under construction.
pub(crate) struct Answer {
    text: String,
    body: String,
}

impl Answer {
    /// With the request's CSeq.
    pub(crate) fn new(status: &str, request: &Request) -> Answer {
        let mut text = format!("RTSP/1.0 {status}\r\n");
        if let Some(number) = request.header("cseq") {
            let _ = write!(text, "CSeq: {number}\r\n");
        }
        Answer { text, body: String::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Answer {
        let _ = write!(self.text, "{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: String) -> Answer {
        self.body = body;
        self.header("Content-Type", kind)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut text = self.text;
        if !self.body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", self.body.len());
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_arrive_in_pieces() {
        let text =
            b"PLAY rtsp://127.0.0.1:8554/a/b?c=1 RTSP/1.0\r\nCSeq: 7\r\nSession: 12\r\nContent-Length: 2\r\n\r\nhi$";
        for length in 0..text.len() - 1 {
            assert_eq!(Request::parse(&text[..length]), Parsed::More, "{length}");
        }
        let Parsed::Request(request, used) = Request::parse(text) else { panic!() };
        assert_eq!((request.method.as_str(), request.path(), used), ("PLAY", "/a/b?c=1", text.len() - 1));
        assert_eq!(request.header("session"), Some("12"));
        assert_eq!(Request::parse(b"$\x01\x00\x02ab"), Parsed::Interleaved(6));
        assert_eq!(Request::parse(b"GET / HTTP/1.1\r\n\r\n"), Parsed::Bad);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            Request::parse(&data);
        }
    }
}
