//! A demo node as a child process, and a signed-in client of its API.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::print_stdout)]

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// Simulated cameras have fixed addresses: one demo at a time.
static ONE: Mutex<()> = Mutex::new(());

/// Runs the calling test again in a process with mounts and a network of its own, gone with it: cameras' addresses are
/// taken by nobody else there, and a small disk may be mounted. `false` in the outer process, which has nothing left to do.
/// That needs root, or a kernel that lets users have name spaces (Debian's does). `test` with its module.
pub fn in_own_space(test: &str) -> bool {
    const INSIDE: &str = "SHARPEYES_TEST_OWN_SPACE";
    if let Some(begun) = std::env::var_os(INSIDE) {
        std::fs::write(begun, "").unwrap();
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip (iproute2) is there");
        assert!(up.success(), "the loopback device comes up");
        return true;
    }
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--net"]).arg(std::env::current_exe().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let status = command.args(["--exact", test, "--nocapture"]).env(INSIDE, &begun).status().unwrap();
    assert!(status.success(), "{test} failed in its own space: {status}");
    assert!(begun.exists(), "there is a test of the name {test}");
    false
}

/// A running demo. Killed when dropped.
pub struct Demo {
    _only: MutexGuard<'static, ()>,
    child: Child,
    pub url: String,
    pub first_password: Option<String>,
}

/// Rendered scenes are kept between tests and runs.
pub fn scenes() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes")
}

impl Demo {
    /// Starts a demo with these options more, and waits until its dashboard answers.
    pub fn start(data: &Path, cameras: u32, more: &[&str]) -> Demo {
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let child = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
            .args(["demo", "--json", "--no-script", "--listen", "127.0.0.1:0"])
            .args(["--cameras", &cameras.to_string()])
            .arg("--data")
            .arg(data)
            .arg("--scenes")
            .arg(scenes())
            .args(more)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(data.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let mut demo = Demo { _only: only, child, url: String::new(), first_password: None };
        let (tell, lines) = mpsc::channel();
        let stdout = BufReader::new(demo.child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { break };
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        // Rendering the scenes takes a minute or two the first time.
        let until = Instant::now() + Duration::from_secs(600);
        loop {
            let line = lines.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_else(|_| {
                let log = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
                panic!("the demo did not start:\n{log}")
            });
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"] == "ready" {
                line["url"].as_str().unwrap().clone_into(&mut demo.url);
                demo.first_password = line["password"].as_str().map(str::to_owned);
                return demo;
            }
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop; gives the exit status and how long it took.
    pub fn stop(&mut self) -> (std::process::ExitStatus, Duration) {
        let asked = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        (self.child.wait().unwrap(), asked.elapsed())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The password every test uses after the first sign-in.
pub const PASSWORD: &str = "village-well-lantern-42";

/// Somebody who is signed in.
pub struct Session {
    client: Client,
    url: String,
}

impl Session {
    /// Signs in as administrator, choosing [`PASSWORD`] at the first sign-in.
    pub async fn administrator(demo: &Demo) -> Session {
        Session::sign_in(&demo.url, demo.first_password.as_deref()).await
    }

    /// As [`administrator`](Self::administrator), of any node.
    pub async fn sign_in(url: &str, first_password: Option<&str>) -> Session {
        let session = Session { client: Client::builder().cookie_store(true).build().unwrap(), url: url.to_owned() };
        let password = first_password.unwrap_or(PASSWORD);
        let signed_in = session.post("/session", json!({"name": "admin", "password": password})).await;
        if signed_in["must_change_password"] == true {
            session.post("/session/password", json!({"old": password, "new": PASSWORD})).await;
        }
        session
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn bytes(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let response = self.client.get(format!("{}/api/v1{path}", self.url)).send().await.unwrap();
        (response.status(), response.bytes().await.unwrap().to_vec())
    }

    /// Takes a CSV file into the register.
    pub async fn import(&self, csv: &str) {
        let request = self.client.post(format!("{}/api/v1/import?dry_run=false", self.url));
        let request = request.header("Origin", &self.url).header("Content-Type", "text/csv");
        let response = request.body(csv.to_owned()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success() && text.contains("\"applied\":true"), "import: {status} {text}");
    }

    /// As [`post`](Self::post), also if it is refused.
    pub async fn try_post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, text) = self.answer(Method::POST, path, Some(body)).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, text) = self.answer(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn answer(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String) {
        let mut request = self
            .client
            .request(method, format!("{}/api/v1{path}", self.url))
            .header("Origin", &self.url)
            .header("X-Reason", "test");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Asks again until `good` holds; fails with the last answer after `within`.
    pub async fn until(&self, what: &str, path: &str, within: Duration, good: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + within;
        loop {
            let answer = self.get(path).await;
            if good(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{what}: not within {within:?}; last answer of {path}: {answer:#}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Causes or lifts a fault of the simulation.
    pub async fn fault(&self, kind: &str, id: u64, fault: &str, on: bool) {
        self.post("/demo/fault", json!({"target": {"kind": kind, "id": id}, "fault": fault, "on": on})).await;
    }
}

/// The state of one camera in an answer of `/states`.
pub fn state(states: &Value, id: u64) -> &Value {
    states["cameras"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()
}
