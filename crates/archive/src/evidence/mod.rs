//! Evidence packages: snapshots taken out of the archive so that anybody can check them without it.
//!
//! ```text
//! cover.html                          what it is, in Chinese and English
//! verify.html                         checks the package offline, in a browser
//! snapshots/C00042-…/original.h265    the picture as it was archived, bit for bit: as the camera coded it, unless
//!                                     record.json says what it was converted from
//!                     rendering.jpg   the same for the eye; made at export
//!                     record.json     what is known of it, and the proof that leads to a manifest
//! manifests/2026-11-24.txt            the signed manifests that the proofs lead to
//!           2026-11-24.tst            an authority's time stamp (RFC 3161) over that manifest, if there is one by then
//! keys.json                           changes of the key that signs, each signed with the key before
//! gaps.json                           scheduled snapshots that were not taken, and why
//! left-out.json                       snapshots that could not be read or proved, and why
//! custody.json                        what the audit log says about these snapshots
//! package.json                        every file above with its SHA-256, who took it out, and why
//! package.sig                         the node's Ed25519 signature over package.json
//! ```
//!
//! It shows that the pictures are those that the node archived, and that nothing in the package was altered since. It
//! does not show that the camera was truthful, nor who holds the node's key: the key must be known from elsewhere.
//!
//! What this never does: render a picture or ask who may take it out. The caller brings both.

mod cover;
mod custody;
mod package;
mod verify;
pub(crate) mod zip;

pub use custody::{CustodyExtract, CustodyRecord};
pub use package::{Exported, Label, LeftOut, Package, Purpose};
pub use verify::{Fault, Stamped, Taken, Verdict, public_key, verify_package};

use crate::{SnapshotId, merkle::Hash};
use fleet::{CameraClock, CameraId, Cause, Codec, Status, StreamChoice, Wall};
use health::SnapshotClass;
use serde::{Deserialize, Serialize};

/// The page that checks packages offline. Hand it out apart from any package: one who alters a package can alter the
/// page in it.
pub const VERIFIER_PAGE: &str = include_str!("verifier.html");

const FORMAT: &str = "sharpeyes evidence 1";
const INVENTORY: &str = "package.json";
const SIGNATURE: &str = "package.sig";
const CUSTODY: &str = "custody.json";
const KEYS: &str = "keys.json";
const GAPS: &str = "gaps.json";
const LEFT_OUT: &str = "left-out.json";
/// What a time stamp's name ends with, where its manifest's ends with `.txt`.
const STAMP: &str = ".tst";

/// What `package.json` says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Inventory {
    format: String,
    node: String,
    #[serde(with = "hex")]
    key: [u8; 32],
    /// Algorithms by name: others may be asked for one day.
    hash: String,
    signature: String,
    created: Wall,
    snapshots: u64,
    gaps: u64,
    purpose: Purpose,
    files: Vec<Listed>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Listed {
    name: String,
    bytes: u64,
    #[serde(with = "hex")]
    sha256: Hash,
}

/// What `record.json` says of one snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Record {
    id: SnapshotId,
    camera: CameraId,
    label: Label,
    stream: StreamChoice,
    slot: Wall,
    captured: Wall,
    /// What the camera's clock showed, and how sure that is; `null` if its stream did not tell.
    camera_clock: Option<CameraClock>,
    class: SnapshotClass,
    codec: Codec,
    /// The picture is no longer as the camera coded it: the node decoded this and coded it anew before archiving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    converted_from: Option<Codec>,
    width: u32,
    height: u32,
    status: Status,
    cause: Option<Cause>,
    original: String,
    rendering: Option<String>,
    proof: Inclusion,
}

/// A [`Proof`](crate::Proof) whose manifest is a file of the package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Inclusion {
    #[serde(with = "hex")]
    header: Vec<u8>,
    leaf: u64,
    path: Vec<String>,
    #[serde(with = "hex")]
    seal: Vec<u8>,
    manifest: String,
}

/// The bytes that the node signs for a package.
fn signed(inventory: &[u8]) -> Vec<u8> {
    [FORMAT.as_bytes(), b"\n", inventory].concat()
}
