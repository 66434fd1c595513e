//! Mail over TLS, from the first byte and by STARTTLS, to a real local server with a certificate of its own making.
//!
//! Which authorities are trusted is the machine's to say. So the test starts itself anew as a process whose authorities
//! are the one it made (`SSL_CERT_FILE`, as the system's own tools read it), and one that trusts somebody else.
#![allow(clippy::unwrap_used, missing_docs)]

use base64::{Engine, engine::general_purpose::STANDARD};
use fleet::Wall;
use mailin::{Action, AuthMechanism, Handler, SessionBuilder, response};
use notify::{Courier, Language, Letter, Refusal, Security, Target};
use std::{
    net::IpAddr,
    path::Path,
    process::Command,
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

const PASSWORD: &str = "p@ss 口令";

/// What the server saw of one conversation.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    /// Name and password that somebody signed in with, and whether that was encrypted.
    SignedIn(String, String, bool),
    /// Readers of a mail that was taken, and whether it was encrypted.
    Mail(Vec<String>, bool),
}

struct Post {
    tell: mpsc::Sender<Seen>,
    encrypted: Arc<std::sync::atomic::AtomicBool>,
    to: Vec<String>,
}

impl Post {
    fn encrypted(&self) -> bool {
        self.encrypted.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Handler for Post {
    fn rcpt(&mut self, to: &str) -> mailin::Response {
        self.to.push(to.to_owned());
        response::OK
    }
    fn data_end(&mut self) -> mailin::Response {
        let _ = self.tell.send(Seen::Mail(std::mem::take(&mut self.to), self.encrypted()));
        response::OK
    }
    fn auth_plain(&mut self, _: &str, user: &str, password: &str) -> mailin::Response {
        let _ = self.tell.send(Seen::SignedIn(user.to_owned(), password.to_owned(), self.encrypted()));
        if password == PASSWORD { response::AUTH_OK } else { response::INVALID_CREDENTIALS }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A conversation as RFC 5321 and RFC 3207 have it: mailin decides what is answered.
async fn converse(peer: tokio::net::TcpStream, address: IpAddr, tls: TlsAcceptor, wrapped: bool, mut post: Post) {
    post.encrypted = Arc::new(wrapped.into());
    let encrypted = Arc::clone(&post.encrypted);
    let mut builder = SessionBuilder::new("county.example");
    builder.enable_auth(AuthMechanism::Plain);
    if !wrapped {
        builder.enable_start_tls();
    }
    let mut session = builder.build(address, post);
    let mut stream: Box<dyn Stream> = Box::new(peer);
    if wrapped {
        let Ok(secured) = tls.accept(stream).await else { return };
        stream = Box::new(secured);
        session.tls_active();
    }
    stream.write_all(&session.greeting().buffer().unwrap()).await.unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.unwrap_or(0) > 0 {
        let answer = session.process(&line);
        line.clear();
        if !matches!(answer.action, Action::NoReply) && lines.write_all(&answer.buffer().unwrap()).await.is_err() {
            return;
        }
        let _ = lines.flush().await;
        match answer.action {
            Action::Close => return,
            Action::UpgradeTls => {
                let Ok(secured) = tls.accept(lines.into_inner()).await else { return };
                encrypted.store(true, std::sync::atomic::Ordering::Relaxed);
                session.tls_active();
                lines = BufReader::new(Box::new(secured) as Box<dyn Stream>);
            }
            Action::Reply | Action::NoReply => {}
        }
    }
}

/// A server with the certificate in `folder`; its port, and what it sees.
async fn server(folder: &Path, name: &str, wrapped: bool) -> (u16, mpsc::Receiver<Seen>) {
    let read = |what: &str| std::fs::read(folder.join(format!("{name}.{what}"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![read("der").into()], read("key").try_into().unwrap())
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, seen) = mpsc::channel();
    tokio::spawn(async move {
        while let Ok((peer, address)) = listener.accept().await {
            let post = Post { tell: tell.clone(), encrypted: Arc::default(), to: Vec::new() };
            tokio::spawn(converse(peer, address.ip(), tls.clone(), wrapped, post));
        }
    });
    (port, seen)
}

fn target(port: u16, security: Security, password: &str) -> Target {
    Target::Email {
        host: "127.0.0.1".into(),
        port,
        security,
        user: Some("sharpeyes".into()),
        password: Some(password.into()),
        from: "sharpeyes@county.example".into(),
        to: vec!["duty@county.example".into()],
    }
}

async fn send(target: &Target) -> Result<(), Refusal> {
    let letter = Letter::trial("node-1", Language::Chinese, Wall(1_760_000_000_000));
    Courier::new("node-1".into(), |ip: IpAddr| ip.is_loopback()).deliver(target, &letter).await.map(drop)
}

/// Runs in a process of its own that trusts what is in `SSL_CERT_FILE` and nothing else.
async fn inside(folder: &Path, trusts: bool) {
    for (security, wrapped) in [(Security::Tls, true), (Security::StartTls, false)] {
        let (port, seen) = server(folder, "good", wrapped).await;
        let done = send(&target(port, security, PASSWORD)).await;
        if !trusts {
            assert!(matches!(done, Err(Refusal::Unreachable(_))), "{security:?}: {done:?}");
            assert_eq!(seen.try_recv().ok(), None, "{security:?}: not a word to a server that is not trusted");
            continue;
        }
        assert_eq!(done, Ok(()), "{security:?}");
        let next = || seen.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(next(), Seen::SignedIn("sharpeyes".into(), PASSWORD.into(), true), "{security:?}");
        assert_eq!(next(), Seen::Mail(vec!["duty@county.example".into()], true), "{security:?}");

        let refused = send(&target(port, security, "wrong")).await.unwrap_err();
        assert!(matches!(refused, Refusal::Refused(_)) && !refused.to_string().contains("wrong"), "{refused:?}");
        assert_eq!(next(), Seen::SignedIn("sharpeyes".into(), "wrong".into(), true));

        // The same authority, another server's name.
        let (port, seen) = server(folder, "other", wrapped).await;
        let done = send(&target(port, security, PASSWORD)).await;
        assert!(matches!(done, Err(Refusal::Unreachable(_))), "{security:?}: {done:?}");
        assert_eq!(seen.try_recv().ok(), None, "{security:?}: no password to somebody else's server");
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_encrypted_to_whom_the_machine_trusts_and_to_nobody_else() {
    if let Ok(folder) = std::env::var("SHARPEYES_MAIL_FOLDER") {
        return inside(Path::new(&folder), std::env::var("SHARPEYES_MAIL_TRUSTS").is_ok()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut authorities = String::new();
    for (name, host) in [("good", "127.0.0.1"), ("other", "mail.elsewhere.example"), ("stranger", "127.0.0.1")] {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.der")), made.cert.der()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_der()).unwrap();
        if name == "stranger" {
            std::fs::write(folder.path().join("stranger.pem"), pem(made.cert.der())).unwrap();
        } else {
            authorities += &pem(made.cert.der());
        }
    }
    std::fs::write(folder.path().join("trusted.pem"), authorities).unwrap();
    for (authorities, trusts) in [("trusted.pem", true), ("stranger.pem", false)] {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again
            .args([
                "--exact",
                "mail_over_tls::mail_goes_encrypted_to_whom_the_machine_trusts_and_to_nobody_else",
                "--nocapture",
            ])
            .env("SSL_CERT_FILE", folder.path().join(authorities))
            .env_remove("SSL_CERT_DIR")
            .env("SHARPEYES_MAIL_FOLDER", folder.path());
        if trusts {
            again.env("SHARPEYES_MAIL_TRUSTS", "1");
        }
        let ended = tokio::task::spawn_blocking(move || again.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && said.contains("1 passed"), "with {authorities}: {said}");
    }
}
