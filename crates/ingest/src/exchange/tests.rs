use super::*;
use crate::transcript::TRANSCRIPT_BYTES;
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
            let line = Line::Tcp(stream);
            let mut exchange = Exchange::new(line, &config, Some(&account), false, &TaskTracker::new());
            exchange.describe(&Url::parse("rtsp://camera/x").unwrap(), &mut transcript).await
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
