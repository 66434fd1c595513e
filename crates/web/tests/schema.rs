//! The types of the dashboard are those of the service: `ui/src/api/schema.ts` is what its OpenAPI document gives.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, path::Path, process::Command};

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

/// Two types of one name: the document would hold one of them, and say it of both.
#[test]
fn no_two_answers_or_questions_share_a_name() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut named = BTreeMap::<String, Vec<String>>::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (mut told, mut alias) = (false, None);
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                if line.trim_start().starts_with("#[derive(") {
                    (told, alias) = (line.contains("ToSchema"), None);
                } else if let Some((_, name)) = line.split_once("schema(as = ") {
                    alias = name.split(')').next().map(str::to_owned);
                } else if let Some(name) = type_name(line).filter(|_| told) {
                    named.entry(alias.take().unwrap_or(name)).or_default().push(path.display().to_string());
                    told = false;
                }
            }
        }
    }
    assert!(named.len() > 100, "{}", named.len());
    let twice: Vec<_> = named.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "give one of them a name with #[schema(as = …)]: {twice:?}");
}

/// The name of a type that this line begins.
fn type_name(line: &str) -> Option<String> {
    let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    let rest = words.strip_prefix("struct ").or_else(|| words.strip_prefix("enum "))?;
    Some(rest.chars().take_while(|c| c.is_alphanumeric()).collect())
}
