//! A mistake in the config file, told in one line.

use std::{fmt, io, path::Path};

/// What is wrong and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
        ConfigError(format!(
            "cannot read the config file {}: {error}; name another with --config, or copy config/sharpeyes.toml there",
            path.display()
        ))
    }

    pub(super) fn value(path: &Path, key: &str, expected: &str) -> ConfigError {
        ConfigError(format!("{}: {key} cannot be used; expected {expected}", path.display()))
    }

    pub(super) fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |s| s.start.min(text.len()));
        let line = 1 + text.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count();
        let what = unknown_key(error.message()).unwrap_or_else(|| error.message().trim().replace('\n', "; "));
        ConfigError(format!("{}, line {line}: {what}", path.display()))
    }
}

/// Rewords serde's message about an unknown key, with the known key that looks most like it.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let likeness = |k: &str| strsim::jaro_winkler(key, k);
    let nearest = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Some(match nearest {
        Some(nearest) if likeness(nearest) > 0.8 => format!("unknown key {key:?}; did you mean {nearest:?}?"),
        _ => format!("unknown key {key:?}; known here: {}", known.join(", ")),
    })
}
