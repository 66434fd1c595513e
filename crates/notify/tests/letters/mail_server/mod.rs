//! A mail server of the tests, of `web` too: real SMTP by mailin's state machine, every mail kept.
#![allow(unreachable_pub, clippy::unwrap_used)]

use mailin::{Action, Handler, SessionBuilder, response};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A reader who is never taken.
pub const NOBODY: &str = "nobody@county.example";
/// A reader who is taken only when asked for again, as by a server that greylists.
pub const LATER: &str = "later@county.example";

/// A mail that was taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    /// Head and body as they came.
    pub text: String,
}

#[derive(Default)]
struct Kept {
    mails: Vec<Taken>,
    asked_for_later: bool,
}

/// What the server has taken.
#[derive(Clone, Default)]
pub struct Mails(Arc<Mutex<Kept>>);

impl Mails {
    /// All of them, oldest first; they are forgotten then.
    pub fn take(&self) -> Vec<Taken> {
        std::mem::take(&mut self.0.lock().unwrap().mails)
    }
}

/// Serves for as long as the test runs.
pub fn serve(listener: TcpListener) -> Mails {
    let mails = Mails::default();
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((peer, address)) = listener.accept().await {
            let post = Post { mails: kept.clone(), from: String::new(), to: Vec::new(), data: Vec::new() };
            tokio::spawn(converse(peer, address.ip(), post));
        }
    });
    mails
}

struct Post {
    mails: Mails,
    from: String,
    to: Vec<String>,
    data: Vec<u8>,
}

impl Handler for Post {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> mailin::Response {
        from.clone_into(&mut self.from);
        response::OK
    }
    fn rcpt(&mut self, to: &str) -> mailin::Response {
        if to == NOBODY {
            return response::NO_MAILBOX;
        }
        if to == LATER && !std::mem::replace(&mut self.mails.0.lock().unwrap().asked_for_later, true) {
            return response::INTERNAL_ERROR;
        }
        self.to.push(to.to_owned());
        response::OK
    }
    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.data.extend_from_slice(line);
        Ok(())
    }
    fn data_end(&mut self) -> mailin::Response {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned();
        let taken = Taken { from: self.from.clone(), to: std::mem::take(&mut self.to), text };
        self.mails.0.lock().unwrap().mails.push(taken);
        response::OK
    }
}

/// A conversation as RFC 5321 has it: mailin decides what is answered.
async fn converse(peer: TcpStream, address: IpAddr, post: Post) {
    let (from, mut to) = peer.into_split();
    let mut from = BufReader::new(from);
    let mut session = SessionBuilder::new("county.example").build(address, post);
    to.write_all(&session.greeting().buffer().unwrap()).await.unwrap();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.unwrap_or(0) > 0 {
        let answer = session.process(&line);
        line.clear();
        if !matches!(answer.action, Action::NoReply) && to.write_all(&answer.buffer().unwrap()).await.is_err() {
            return;
        }
        if matches!(answer.action, Action::Close) {
            return;
        }
    }
}
