//! The dashboard in a real browser: headless Chromium signs in, sees the fleet, causes an outage, watches the incident
//! appear and resolve. The journey itself is `crates/web/ui/e2e`; this starts the demo it runs against.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::demo::{Demo, PASSWORD};
use std::{path::Path, process::Command};

#[test]
fn an_operator_sees_an_outage_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let demo = Demo::start(&data, 60, &["--snapshot-every", "30s"]);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("npm")
        .args(["run", "--silent", "e2e"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/web/ui"))
        .env("SHARPEYES_URL", &demo.url)
        .env("SHARPEYES_USER", "admin")
        .env("SHARPEYES_PASSWORD", demo.first_password.as_deref().unwrap())
        .env("SHARPEYES_NEW_PASSWORD", PASSWORD)
        .env("SHARPEYES_SHOTS", &pictures)
        .output()
        .expect("npm is installed by ./task setup");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
