//! SeaweedFS as the object store: a real server, on loopback only, which can be killed and started again.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const ACCOUNT: &str = "SHARPEYESTESTACCOUNT";
pub const SECRET: &str = "not-to-be-seen-anywhere-0123456789abcdef";

pub struct Weed {
    folder: PathBuf,
    ports: [u16; 9],
    child: Option<Child>,
}

fn program() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.setup/weed/bin/weed");
    assert!(ours.exists(), "SeaweedFS is missing: run ./task setup");
    ours
}

/// Ports that are free now, all held at once so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|n| held[n].local_addr().unwrap().port())
}

impl Weed {
    /// Starts a server with an empty store in `folder`.
    pub fn start(folder: &Path) -> Weed {
        let folder = folder.to_owned();
        fs::create_dir_all(&folder).unwrap();
        let identity = format!(
            r#"{{"identities":[{{"name":"archive","credentials":[{{"accessKey":"{ACCOUNT}","secretKey":"{SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        fs::write(folder.join("s3.json"), identity).unwrap();
        let mut weed = Weed { folder, ports: free_ports(), child: None };
        weed.start_again();
        weed.make_bucket();
        weed
    }

    /// Starts it again on what it stored.
    pub fn start_again(&mut self) {
        let [master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc, _] = self.ports;
        let log = File::create(self.folder.join("log")).unwrap();
        let mut command = Command::new(program());
        command.current_dir(&self.folder).arg("server");
        for setting in [
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-dir=.".to_owned(),
            "-master.telemetry=false".to_owned(),
            "-master.volumeSizeLimitMB=64".to_owned(),
            "-volume.max=60".to_owned(),
            "-s3".to_owned(),
            "-s3.config=s3.json".to_owned(),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            "-s3.iam=false".to_owned(),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={s3_grpc}"),
        ] {
            command.arg(setting);
        }
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(180);
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], s3))).is_err() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap();
            assert!(Instant::now() < deadline, "SeaweedFS does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// As an administrator of the store does once.
    fn make_bucket(&self) {
        let deadline = Instant::now() + Duration::from_secs(180);
        loop {
            let mut answer = String::new();
            if let Ok(mut filer) = TcpStream::connect(("127.0.0.1", self.ports[4])) {
                filer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let ask = "POST /buckets/snapshots/ HTTP/1.1\r\nHost: filer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = filer.write_all(ask.as_bytes()).and_then(|()| filer.read_to_string(&mut answer));
            }
            if answer.starts_with("HTTP/1.1 201") {
                return;
            }
            assert!(Instant::now() < deadline, "no bucket: {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Uploads in parts that the store holds unfinished.
    pub fn uploads(&self) -> usize {
        let mut answer = String::new();
        if let Ok(mut filer) = TcpStream::connect(("127.0.0.1", self.ports[4])) {
            filer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let ask = "GET /buckets/snapshots/.uploads/?limit=1000 HTTP/1.1\r\nHost: filer\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
            let _ = filer.write_all(ask.as_bytes()).and_then(|()| filer.read_to_string(&mut answer));
        }
        answer.matches("\"FullPath\":").count()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        self.kill();
    }
}
