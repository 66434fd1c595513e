//! The types of the dashboard are those of the service: `ui/src/api/schema.ts` is what its OpenAPI document gives.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{path::Path, process::Command};

#[test]
fn the_dashboard_knows_every_answer_of_the_service() {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let folder = tempfile::tempdir().unwrap();
    let (document, types) = (folder.path().join("openapi.json"), folder.path().join("schema.ts"));
    std::fs::write(&document, web::openapi().to_json().unwrap()).unwrap();
    let made = Command::new("node")
        .arg("scripts/schema.mjs")
        .args([&document, &types])
        .current_dir(&ui)
        .output()
        .expect("node is installed by ./task setup");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (wanted, found) =
        (std::fs::read_to_string(types).unwrap(), std::fs::read_to_string(ui.join("src/api/schema.ts")).unwrap());
    let first = wanted.lines().zip(found.lines()).find(|(a, b)| a != b);
    assert!(
        wanted == found,
        "the document has changed: run `cargo run -p sharpeyes-web --example openapi >FILE` and `npm run schema -- FILE` in crates/web/ui; first \
         difference: {first:?}"
    );
}
