//! A node that is told to keep JPEG: pictures of real streams are archived as JPEG and say what they were made from. Who
//! takes them out gets what was archived untouched, and has his name on the rendering.
#![allow(clippy::unwrap_used)]

use crate::demo::Session;
use camsim::{SimCamera, SimCodec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

const WITHIN: Duration = Duration::from_secs(120);

fn sharpeyes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sharpeyes")).args(args).output().unwrap()
}

fn address(id: u32) -> SocketAddr {
    ([127, 240, 0, id as u8], 8554).into()
}

/// Two cameras, one of each codec.
async fn farm() -> camsim::Farm {
    let camera = |id: u32, codec| SimCamera {
        id,
        name: format!("村口{id}"),
        addr: address(id),
        codec,
        main: "/main".into(),
        scene: Some(0),
        ..SimCamera::default()
    };
    let config = camsim::Config {
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes-jpeg"),
        cameras: vec![camera(1, SimCodec::H264), camera(2, SimCodec::H265)],
        scenes: 1,
        size: camsim::Size::Small,
        loop_gops: 1,
        workers: 1,
        ..camsim::Config::default()
    };
    camsim::Farm::start(config).await.unwrap()
}

/// A node that watches them, killed when dropped.
struct Node {
    child: Child,
    url: String,
    first_password: String,
}

impl Node {
    fn start(folder: &Path) -> Node {
        let config = folder.join("sharpeyes.toml");
        let text = format!(
            "[node]\ndata = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\nwatermark = true\n[archive]\nform = \"jpeg\"\n\
             [health]\nsnapshot_every = \"2s\"\n[picture]\nsandbox = \"prefer\"\nworkers = 1\n\
             [ingest]\nallow_networks = [\"127.0.0.0/8\"]\nallow_loopback = true\n",
            folder.join("data").to_str().unwrap()
        );
        std::fs::write(&config, text).unwrap();
        let csv = folder.join("cameras.csv");
        let row = |id: u32| format!("柳溪镇,河东村,村口{id},rtsp://{}/main\n", address(id));
        std::fs::write(&csv, format!("town,site,name,main_url\n{}{}", row(1), row(2))).unwrap();
        let config = config.to_str().unwrap();
        let done = sharpeyes(&["import", csv.to_str().unwrap(), "--config", config]);
        assert!(done.status.success(), "{done:?}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
            .args(["serve", "--config", config])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut next = |start: &str| {
            let after = |line: String| line.trim().strip_prefix(start).map(|rest| rest.trim().to_owned());
            said.by_ref().find_map(after).unwrap_or_else(|| panic!("it never said {start}"))
        };
        let (first_password, url) = (next("password:"), next("SharpEyes:"));
        Node { child, url, first_password }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_archived_as_jpeg_and_leave_with_a_name_on_the_rendering_only() {
    let folder = tempfile::tempdir().unwrap();
    let farm = farm().await;
    let node = Node::start(folder.path());
    let session = Session::sign_in(&node.url, Some(&node.first_password)).await;
    let of =
        |page: &Value, camera: u32| page["items"].as_array().unwrap().iter().find(|s| s["camera"] == camera).cloned();
    let both = |page: &Value| of(page, 1).is_some() && of(page, 2).is_some();
    let page = session.until("a snapshot of each", "/snapshots?kind=snapshot&limit=100", WITHIN, both).await;
    for (camera, codec) in [(1, "h264"), (2, "h265")] {
        let snapshot = of(&page, camera).unwrap();
        assert_eq!((&snapshot["codec"], &snapshot["converted_from"]), (&json!("jpeg"), &json!(codec)), "{snapshot:#}");
        let id = snapshot["id"].as_str().unwrap();
        let (status, original) = session.bytes(&format!("/snapshots/{id}/original")).await;
        assert_eq!(status.as_u16(), 200);
        assert_eq!(json!(hex::encode(Sha256::digest(&original))), snapshot["sha256"], "camera {camera}");
        let decoded = image::load_from_memory_with_format(&original, image::ImageFormat::Jpeg).unwrap();
        let (width, height) = (decoded.width().into(), decoded.height().into());
        assert_eq!((snapshot["width"].as_u64(), snapshot["height"].as_u64()), (Some(width), Some(height)));

        // Taken out: what was archived is in it as it was, the rendering beside it has the name on it.
        let purpose = json!({"snapshots": [id], "reason": "案件核查", "document": "公视调〔2026〕7号"});
        let export = session.post("/exports", purpose).await;
        let path = format!("/exports/{}", export["id"]);
        session.until("the package", &path, WITHIN, |e| e["state"] == "done").await;
        let package = folder.path().join(format!("{camera}.zip"));
        std::fs::write(&package, session.bytes(&format!("{path}/file")).await.1).unwrap();
        let said = sharpeyes(&["verify", package.to_str().unwrap()]);
        assert!(said.status.success(), "{said:?}");
        let inside = folder.path().join(format!("package-{camera}"));
        let unpack = ["-m", "zipfile", "-e", package.to_str().unwrap(), inside.to_str().unwrap()];
        assert!(Command::new("python3").args(unpack).status().unwrap().success());
        let jpegs: Vec<Vec<u8>> = files(&inside)
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "jpg"))
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        let (same, rendered): (Vec<_>, Vec<_>) = jpegs.into_iter().partition(|jpeg| *jpeg == original);
        assert_eq!((same.len(), rendered.len()), (1, 1), "original and rendering");
        let (plain, marked) = (decoded.into_luma8(), image::load_from_memory(&rendered[0]).unwrap().into_luma8());
        assert_eq!(plain.dimensions(), marked.dimensions());
        let written = plain.pixels().zip(marked.pixels()).filter(|(a, b)| a.0[0].abs_diff(b.0[0]) > 24).count();
        let all = plain.pixels().len();
        assert!(written * 200 > all && written * 3 < all, "{written} of {all} pixels are written on");
    }
    drop(node);
    farm.shutdown().await;
}
