//! Locks the calling process up: no files, no network, no new processes, bounded memory and time.

use serde::{Deserialize, Serialize};

/// Which layers of the sandbox hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Every layer, in the order it was put up.
    pub layers: Vec<LayerReport>,
}

/// One layer of the sandbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerReport {
    /// `no_new_privs`, `capabilities`, `landlock`, `limits`, `seccomp`.
    pub name: String,
    /// Whether it holds.
    pub active: bool,
    /// What it holds, or why it does not.
    pub detail: String,
}

impl SandboxReport {
    /// Names of the layers that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().filter(|l| !l.active).map(|l| l.name.as_str())
    }
}
