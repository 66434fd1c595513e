//! Every dependency has a licence we may ship, and none is on the list of what we do without.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::{collections::BTreeSet, process::Command};

/// Licences that permit use in a closed county network without further duty than to name them.
const PERMITTED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "0BSD",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "WTFPL",
];

/// Crates with a reason to stay out.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "rustls and RustCrypto do; no C TLS library"),
    ("rusqlite", "sqlx is the one way to SQLite"),
    ("chrono", "jiff does time zones"),
];

/// Who may need a banned crate nevertheless, because we cannot choose for it.
const TOLERATED: &[(&str, &str)] = &[("chrono", "object_store")];

#[test]
fn licences_are_permitted_and_bans_hold() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|n| n["id"].as_str().unwrap()).collect();
    let packages: Vec<&Value> =
        metadata["packages"].as_array().unwrap().iter().filter(|p| used.contains(p["id"].as_str().unwrap())).collect();
    assert!(packages.len() > 100, "the list of dependencies is not credible");

    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for needed in metadata["resolve"]["nodes"].as_array().unwrap().iter().filter(|n| n["id"] == package["id"]) {
            for needed in needed["deps"].as_array().unwrap() {
                let needed = needed["name"].as_str().unwrap().replace('_', "-");
                let banned = BANNED.iter().find(|(banned, _)| *banned == needed);
                if let Some((_, reason)) = banned.filter(|_| !TOLERATED.contains(&(needed.as_str(), name))) {
                    problems.push(format!("{needed} is banned ({reason}), {name} needs it"));
                }
            }
        }
        let licence = package["license"].as_str().unwrap_or("none given");
        if !permitted(licence) {
            problems.push(format!("{name} has licence {licence}"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Whether an SPDX expression can be satisfied; the old "/" means "OR".
fn permitted(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let any = |text: &str| text.split(" OR ").any(|l| PERMITTED.contains(&l.trim_matches(['(', ')', ' '])));
    // "(A OR B) AND C": every part joined by AND must be satisfied.
    expression.split(" AND ").all(any)
}

#[test]
fn licence_expressions_are_read_rightly() {
    assert!(permitted("MIT OR Apache-2.0"));
    assert!(permitted("Unlicense/MIT"));
    assert!(permitted("(Apache-2.0 OR MIT) AND BSD-3-Clause"));
    assert!(permitted("GPL-3.0 OR MIT"));
    assert!(!permitted("GPL-3.0"));
    assert!(!permitted("MIT AND GPL-3.0-only"));
    assert!(!permitted("none given"));
}
