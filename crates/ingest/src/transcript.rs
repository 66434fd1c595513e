//! What was said with a camera: secrets removed, bounded, fit to be shown and downloaded.

use crate::failure::{printable, scrub};
use fleet::Credentials;

/// Longest transcript, in bytes.
pub(crate) const TRANSCRIPT_BYTES: usize = 64 << 10;

/// The exchange as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    /// Adds a line of ours.
    pub(crate) fn note(&mut self, text: &str) {
        if self.0.len() + text.len() < TRANSCRIPT_BYTES {
            self.0.push_str(text);
            self.0.push('\n');
        }
    }

    /// Adds what the peer said: printable, and without the account should it be echoed.
    pub(crate) fn said(
        &mut self,
        line: &str,
        headers: &[(String, String)],
        body: &[u8],
        account: Option<&Credentials>,
    ) {
        let head: String =
            headers.iter().map(|(n, v)| format!("{}: {}\n", printable(n, 100), printable(v, 1000))).collect();
        let body: String = String::from_utf8_lossy(body).lines().map(|l| format!("{}\n", printable(l, 2000))).collect();
        self.note(&scrub(&format!("{}\n{head}\n{body}", printable(line, 300)), account));
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}
