//! GB/T 28181 device codes: 20 digits, kept as text, judged but never rejected.
//!
//! Layout of GB/T 28181-2016 annex D rule A: 8 digits place (province, city, county, access unit), 2 industry,
//! 3 type, 1 network, 6 serial. 20 digits do not fit an integer.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A device code as somebody wrote it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GbCode(pub String);

/// What is wrong with a code 编码不合规.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GbFault {
    /// Not 20 characters.
    #[error("expected 20 digits")]
    Length,
    /// Something else than digits.
    #[error("expected digits only")]
    NotDigits,
    /// The type digits (11–13) name no video source.
    #[error("digits 11-13 name no camera, encoder or recorder (111-132)")]
    Type,
}

impl GbCode {
    /// What is wrong with it, if anything. A faulty code is shown as such and used all the same.
    #[must_use]
    pub fn fault(&self) -> Option<GbFault> {
        if !self.0.bytes().all(|b| b.is_ascii_digit()) {
            return Some(GbFault::NotDigits);
        }
        if self.0.len() != 20 {
            return Some(GbFault::Length);
        }
        let kind: u16 = self.0[10..13].parse().unwrap_or_default();
        (!(111..=132).contains(&kind)).then_some(GbFault::Type)
    }
}

impl fmt::Display for GbCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        let fault = |s: &str| GbCode(s.into()).fault();
        assert_eq!(fault("43022301001320000001"), None);
        assert_eq!(fault("4302230100132000001"), Some(GbFault::Length));
        assert_eq!(fault("4302230100132000000x"), Some(GbFault::NotDigits));
        assert_eq!(fault("43022301002150000001"), Some(GbFault::Type));
        assert_eq!(fault(""), Some(GbFault::Length));
    }
}
