//! Lengths of time as people write them: `"500ms"`, `"5s"`, `"5m"`, `"24h"`.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// A length of time in the config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn secs(secs: u64) -> Span {
        Span(Duration::from_secs(secs))
    }

    /// Whether it lies within so many milliseconds.
    pub(crate) fn within(self, least: u64, most: u64) -> bool {
        (u128::from(least)..=u128::from(most)).contains(&self.0.as_millis())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok()).map(Span).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no length of time; write one such as \"4s\", \"500ms\" or \"5m\""))
        })
    }
}
