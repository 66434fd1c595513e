//! `sharpeyes verify`: checks an evidence package without any archive, config or network.

use crate::output::{self, Failure};
use archive::evidence::{self, Verdict};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The package, as it was received.
    file: PathBuf,
    /// The node's public key as you know it from elsewhere: a file such as node.pub, or 64 hexadecimal digits.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The certificate of the authority whose time stamps you believe, PEM or DER.
    #[arg(long, value_name = "CERTIFICATE")]
    tsa: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let expected = args.key.as_deref().map(key).transpose()?;
    let named = |e| Failure::setup(format!("{}: {e}", args.file.display()));
    let file = File::open(&args.file).map_err(named)?;
    let authority = args.tsa.as_deref().map(authority).transpose()?;
    let mut verdict = evidence::verify_package(BufReader::new(file), authority.as_ref()).map_err(named)?;
    let known = |key: &String| *key == verdict.key || verdict.other_keys.contains(key);
    if let Some(expected) = expected.filter(|expected| !known(expected) && !verdict.key.is_empty()) {
        let what = format!("signed with the key {}, not with {expected}: perhaps by somebody else", verdict.key);
        verdict.faults.push(evidence::Fault { file: None, what });
        verdict.authentic = false;
    }
    if args.json {
        output::json(&verdict);
    } else {
        tell(&args.file, &verdict, args.key.is_some(), args.tsa.is_some());
    }
    Ok(if verdict.authentic { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn tell(file: &Path, verdict: &Verdict, key_known: bool, authority_given: bool) {
    for fault in &verdict.faults {
        output::line(format_args!("{fault}"));
    }
    if let Some(purpose) = &verdict.purpose {
        output::line(format_args!(
            "exported by {:?} for {:?}, document {:?}",
            purpose.by, purpose.reason, purpose.document
        ));
        output::line(format_args!(
            "{} snapshots hold, {} gaps, node {:?}",
            verdict.snapshots.len(),
            verdict.gaps,
            verdict.node
        ));
        let converted = verdict.snapshots.iter().filter(|s| s.converted_from.is_some()).count();
        if converted > 0 {
            output::line(format_args!(
                "{converted} of them were converted by the node before they were archived: what is proved is the converted \
                 picture, not what the camera coded"
            ));
        }
        for stamp in &verdict.stamps {
            let at = jiff::Timestamp::from_millisecond(stamp.at.0).unwrap_or_default();
            let whose = if stamp.checked { "by the authority given" } else { "unchecked: give its certificate, --tsa" };
            output::line(format_args!("{} was stamped at {at} ({whose})", stamp.manifest));
        }
        if authority_given && verdict.stamps.is_empty() {
            output::line(format_args!("no manifest in it has a time stamp"));
        }
        output::line(format_args!("signed with {}", verdict.key));
        for key in &verdict.other_keys {
            output::line(format_args!("which took over from {key}"));
        }
    }
    let file = file.display();
    match (verdict.authentic, key_known) {
        (true, true) => output::line(format_args!("{file}: authentic")),
        (true, false) => {
            output::line(format_args!("{file}: authentic, if that key is the node's (compare it, or give --key)"));
        }
        (false, _) => output::line(format_args!("{file}: NOT authentic")),
    }
}

/// The authority that is believed.
fn authority(file: &Path) -> Result<archive::Authority, Failure> {
    let named = |e: &dyn std::fmt::Display| Failure::setup(format!("{}: {e}", file.display()));
    let certificate = std::fs::read(file).map_err(|e| named(&e))?;
    archive::Authority::parse(&certificate).map_err(|e| named(&e))
}

/// The key that is expected, as hexadecimal text.
fn key(given: &str) -> Result<String, Failure> {
    if given.len() == 64 && given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(given.to_ascii_lowercase());
    }
    let text = std::fs::read_to_string(given).map_err(|e| Failure::setup(format!("--key {given}: {e}")))?;
    archive::evidence::public_key(&text)
        .ok_or_else(|| Failure::setup(format!("--key {given}: not an Ed25519 public key in PEM")))
}
