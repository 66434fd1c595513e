//! RTSP messages (RFC 2326) in the bytes of a connection, between interleaved packets.
//!
//! Sans-I/O: bytes in, what they are out. Bounded: a head or body beyond its limit is an error before it is read.

use crate::failure::failure;
use fleet::Cause;
use health::Failure;

/// Longest head of an answer.
pub(crate) const HEAD_BYTES: usize = 64 << 10;
/// Longest body of an answer.
pub(crate) const BODY_BYTES: usize = 256 << 10;
/// Longest message of a peer in the middle of its stream.
const INTERLUDE_BYTES: usize = 16 << 10;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line without the protocol.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The values of a header, whatever its case.
    pub(crate) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The number it answers.
    pub(crate) fn sequence(&self) -> Result<u32, String> {
        match self.header("CSeq").next() {
            None => Err("none".to_owned()),
            Some(text) => text.trim().parse().map_err(|_| "no number".to_owned()),
        }
    }

    /// How long its body is.
    pub(crate) fn length(&self) -> Result<usize, Failure> {
        match self.header("Content-Length").next() {
            None => Ok(0),
            Some(text) => match text.trim().parse::<u64>() {
                Ok(length) if length <= BODY_BYTES as u64 => Ok(length as usize),
                _ => Err(failure(Cause::SdpMalformed, format!("Content-Length: {text}"))),
            },
        }
    }
}

/// Reads the head of an answer.
pub(crate) fn parse_head(head: &[u8]) -> Result<Answer, Failure> {
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

/// These bytes begin no RTSP message.
pub(crate) fn not_rtsp(bytes: &[u8]) -> Failure {
    let shown: String = bytes.iter().take(32).flat_map(|b| b.escape_ascii()).map(char::from).collect();
    failure(Cause::NotRtsp, format!("the answer begins with \"{shown}\""))
}

/// What stands in the middle of a stream.
#[derive(Debug)]
pub(crate) enum Interlude {
    /// Not all of it has come.
    More,
    /// So many bytes that mean nothing: line breaks, or a request of the peer, which is left without an answer.
    Skip(usize),
    /// An answer, body included, of so many bytes.
    Answer(Answer, usize),
}

/// Reads what is no interleaved packet in the middle of a stream, or says why it is nothing at all.
pub(crate) fn interlude(bytes: &[u8]) -> Result<Interlude, String> {
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    if blank > 0 {
        return Ok(Interlude::Skip(blank));
    }
    // A method's name or "RTSP/1.0".
    let word = bytes.iter().take(16).take_while(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'/' | b'.')).count();
    if word < bytes.len().min(3) {
        let shown: String = bytes.iter().take(16).flat_map(|b| b.escape_ascii()).map(char::from).collect();
        return Err(format!("neither a packet nor a message: \"{shown}\""));
    }
    let Some(end) = bytes[..bytes.len().min(INTERLUDE_BYTES)].windows(4).position(|w| w == b"\r\n\r\n") else {
        return if bytes.len() < INTERLUDE_BYTES {
            Ok(Interlude::More)
        } else {
            Err(format!("a message whose head does not end within {INTERLUDE_BYTES} bytes"))
        };
    };
    let end = end + 4;
    let is_answer = bytes.starts_with(b"RTSP/");
    let mut answer = if is_answer {
        parse_head(&bytes[..end]).map_err(|f| f.detail)?
    } else {
        // A request of the peer: only its length matters.
        let text = String::from_utf8_lossy(&bytes[..end]);
        let headers = text.split("\r\n").skip(1).filter_map(|l| l.split_once(':'));
        let headers = headers.map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).collect();
        Answer { status: 0, line: String::new(), headers, body: Vec::new() }
    };
    let length = answer.length().ok().filter(|l| *l <= INTERLUDE_BYTES);
    let length = length.ok_or_else(|| "a message longer than any that belongs here".to_owned())?;
    if bytes.len() < end + length {
        return Ok(Interlude::More);
    }
    answer.body = bytes[end..end + length].to_vec();
    Ok(if is_answer { Interlude::Answer(answer, end + length) } else { Interlude::Skip(end + length) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stands_between_packets_is_told_apart() {
        assert!(matches!(interlude(b"\r\n$\0"), Ok(Interlude::Skip(2))));
        assert!(matches!(interlude(b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n"), Ok(Interlude::More)));
        match interlude(b"RTSP/1.0 200 OK\r\ncseq: 4\r\n\r\n$\0\0\x01") {
            Ok(Interlude::Answer(answer, 28)) => assert_eq!((answer.status, answer.sequence()), (200, Ok(4))),
            got => panic!("{got:?}"),
        }
        let asked = b"ANNOUNCE rtsp://x RTSP/1.0\r\nContent-Length: 2\r\n\r\nv=$";
        assert!(matches!(interlude(asked), Ok(Interlude::Skip(51))), "{:?}", interlude(asked));
        assert!(interlude(&[0xff; 40]).is_err());
        assert!(interlude(b"RTSP/1.0 200 OK\r\nContent-Length: 2147483648\r\n\r\n").is_err());
        assert!(interlude(&[b"RTSP/1.0 200 ".as_slice(), &[b'x'; INTERLUDE_BYTES]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_within_their_bounds(data in proptest::collection::vec(any::<u8>(), 1..400), rtsp in any::<bool>()) {
            let data = if rtsp { [b"RTSP/1.0 200 OK\r\n".as_slice(), &data, b"\r\n\r\n"].concat() } else { data };
            match interlude(&data) {
                Ok(Interlude::Skip(n) | Interlude::Answer(_, n)) => prop_assert!(n > 0 && n <= data.len()),
                Ok(Interlude::More) | Err(_) => {}
            }
        }
    }
}
