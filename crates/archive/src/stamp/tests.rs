//! Against a real authority: `openssl ts`, behind a small HTTP server.

use super::*;
use crate::{
    Archive, Config, Entry,
    command::Index,
    custody::manifest_hash,
    evidence::{CustodyExtract, Label, Purpose, Stamped, verify_package},
    folder::{Day, Folder},
    keys::Missing,
    writer::Writer,
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

const CONFIG: &str = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4.1\n\
    digests = sha256\nsigner_digest = sha256\nordering = yes\ness_cert_id_alg = sha256\naccuracy = secs:1\n";

/// An authority with a key of its own.
struct Tsa {
    folder: PathBuf,
}

impl Tsa {
    fn new(folder: &Path, key: &[&str]) -> Tsa {
        fs::create_dir_all(folder).unwrap();
        let tsa = Tsa { folder: folder.to_owned() };
        fs::write(folder.join("tsa.cnf"), CONFIG).unwrap();
        fs::write(folder.join("serial"), "01\n").unwrap();
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=County TSA", "-newkey"];
        arguments.extend(key);
        arguments.extend([
            "-keyout",
            "key.pem",
            "-out",
            "tsa.pem",
            "-addext",
            "extendedKeyUsage=critical,timeStamping",
        ]);
        tsa.openssl(&arguments);
        tsa
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn reply(&self, query: &[u8]) -> Vec<u8> {
        fs::write(self.folder.join("q"), query).unwrap();
        self.openssl(&[
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "q",
            "-signer",
            "tsa.pem",
            "-inkey",
            "key.pem",
            "-out",
            "r",
        ]);
        fs::read(self.folder.join("r")).unwrap()
    }

    fn authority(&self) -> Authority {
        Authority::parse(&fs::read(self.folder.join("tsa.pem")).unwrap()).unwrap()
    }

    /// Answers by HTTP; the first `failing` requests with an error.
    fn serve(self, failing: u32) -> (String, Arc<AtomicU32>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/tsa", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).to_lowercase();
                assert!(head.contains("content-type: application/timestamp-query"), "{head}");
                let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                let mut query = vec![0; length.unwrap()];
                stream.read_exact(&mut query).unwrap();
                let n = counted.fetch_add(1, Ordering::SeqCst);
                let answer = if n < failing { Vec::new() } else { self.reply(&query) };
                let status = if n < failing { "503 Busy" } else { "200 OK" };
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer));
            }
        });
        (url, asked)
    }
}

const RSA: &[&str] = &["rsa:2048"];
const EC: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn stamps_of_a_real_authority_hold_and_any_change_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    for (n, kind) in [RSA, EC].into_iter().enumerate() {
        let tsa = Tsa::new(&folder.path().join(n.to_string()), kind);
        let other = Tsa::new(&folder.path().join(format!("other{n}")), kind);
        let hash = [7; 32];
        let answer = tsa.reply(&request(&hash, 42));
        let stamped = token(&answer, &hash, 42).unwrap();
        let stamp = Stamp::parse(&stamped).unwrap();
        assert!(stamp.is_of(&hash) && !stamp.is_of(&[8; 32]));
        assert!(stamp.at.millis_since(Wall::read()).abs() < 3_600_000, "{:?}", stamp.at);
        assert_eq!(stamp.check(&tsa.authority()), Ok(()));
        assert_eq!(stamp.check(&other.authority()), Err(StampFault::OtherCertificate));
        assert_eq!(token(&answer, &[8; 32], 42), Err(StampFault::OtherImprint));
        assert_eq!(token(&answer, &hash, 43), Err(StampFault::OtherRequest));
        // No byte of what is signed can be changed. Certificates that come along are not believed, and not needed.
        for part in [stamp.info, &stamp.attributes[4..], stamp.signature] {
            let begin = stamped.windows(part.len()).position(|w| w == part).unwrap();
            for at in begin..begin + part.len() {
                let mut altered = stamped.clone();
                altered[at] ^= 1;
                let good = Stamp::parse(&altered).is_some_and(|s| s.is_of(&hash) && s.check(&tsa.authority()).is_ok());
                assert!(!good, "byte {at} was changed unseen");
            }
        }
    }
}

#[test]
fn what_an_authority_refuses_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tsa = Tsa::new(folder.path(), EC);
    // A hash that this authority does not take.
    let mut bad = request(&[7; 32], 1);
    let at = bad.windows(SHA256.len()).position(|w| w == SHA256).unwrap();
    bad[at + SHA256.len() - 1] = 3;
    assert_eq!(token(&tsa.reply(&bad), &[7; 32], 1), Err(StampFault::Refused(2)));
    for nonsense in [&b""[..], b"<html>", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x03, 0x02, 0x01, 0x00]] {
        assert_eq!(token(nonsense, &[7; 32], 1), Err(StampFault::Malformed));
    }
    let web = folder.path().join("web");
    fs::create_dir(&web).unwrap();
    let mut plain = Command::new("openssl");
    plain.args(["req", "-x509", "-nodes", "-days", "3", "-subj", "/CN=web", "-newkey", "rsa:2048"]);
    plain.args(["-keyout", "k", "-out", "c"]).current_dir(&web);
    assert!(plain.output().unwrap().status.success());
    assert_eq!(Authority::parse(&fs::read(web.join("c")).unwrap()), Err(StampFault::Purpose));
    assert_eq!(Authority::parse(b"no certificate"), Err(StampFault::Certificate));
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_are_no_stamp_and_break_nothing(bytes: Vec<u8>, length in 0..2_usize) {
        let framed = der::value(SEQUENCE, &bytes.repeat(length));
        for hostile in [&bytes[..], &framed] {
            proptest::prop_assert!(Stamp::parse(hostile).is_none());
            proptest::prop_assert!(Authority::parse(hostile).is_err());
            proptest::prop_assert!(token(hostile, &[0; 32], 0).is_err());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_over_gets_its_stamp_though_the_authority_is_away_at_first() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Tsa::new(&root.path().join("tsa"), RSA);
    let (authority, other) = (tsa.authority(), Tsa::new(&root.path().join("other"), RSA).authority());
    let (url, asked) = tsa.serve(2);
    let folder = Folder::new(&root.path().join("archive"));
    let plain = Config { node: "test".to_owned(), ..Config::default() };
    // A snapshot that was sealed yesterday.
    let yesterday = Wall(Wall::read().0 - 86_400_000);
    let (mut writer, _) = Writer::open(folder.clone(), plain.clone(), Index::Keep, Missing::Refuse).await.unwrap();
    let (store, answer) = crate::writer::tests::store(3);
    writer.commit(vec![store]).await;
    let row = answer.await.unwrap().unwrap();
    writer.seal(yesterday).await.unwrap();
    writer.finish().await;
    let Entry::Snapshot(stored) = row.entry() else { panic!("a snapshot was stored") };
    let text = fs::read_to_string(folder.manifest(Day::of(yesterday))).unwrap();

    let stamps = Some(StampConfig { url, authority: Some(authority.clone()) });
    let archive = Archive::open(folder.root(), Config { stamps, ..plain }).await.unwrap();
    let (mut told, deadline) = (String::new(), Instant::now() + Duration::from_secs(180));
    while archive.stats().stamps.is_none_or(|s| s.stamped == 0) {
        if let Some(stats) = archive.stats().stamps.filter(|s| !s.detail.is_empty()) {
            told = stats.detail;
        }
        assert!(Instant::now() < deadline, "{:?}", archive.stats().stamps);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told.contains("does not answer") && told.contains("503"), "the outage was told: {told}");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "asked again after each failure, and then no more");
    let stats = archive.stats().stamps.unwrap();
    assert_eq!((stats.stamped, stats.waiting, stats.detail.as_str()), (1, 0, ""));
    let token = fs::read(folder.stamp(Day::of(yesterday))).unwrap();
    let stamp = Stamp::parse(&token).unwrap();
    assert!(stamp.is_of(&manifest_hash(&text)));
    assert_eq!(stamp.check(&authority), Ok(()));

    // It leaves with the snapshot, and is checked with the certificate that somebody has.
    let path = root.path().join("package.zip");
    let mut package = archive.package(&path, Purpose::default(), Wall::read()).unwrap();
    let (read, proof) = (archive.read(&stored.id).await.unwrap(), archive.proof(&stored.id).await.unwrap());
    package.add(&read, &proof, Label::default(), None).unwrap();
    package.finish(&[], &[], &CustodyExtract::new(Vec::new())).unwrap();
    archive.close().await;
    let verify = |tsa: Option<&Authority>| verify_package(fs::File::open(&path).unwrap(), tsa).unwrap();
    let stamped =
        |checked| Stamped { manifest: format!("manifests/{}.txt", Day::of(yesterday)), at: stamp.at, checked };
    for (tsa, checked) in [(None, false), (Some(&authority), true)] {
        let verdict = verify(tsa);
        assert!(verdict.authentic, "{:?}", verdict.faults);
        assert_eq!(verdict.stamps, [stamped(checked)]);
    }
    let verdict = verify(Some(&other));
    assert!(!verdict.authentic && verdict.faults[0].to_string().contains("not made with this certificate"));
}
