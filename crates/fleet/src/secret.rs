//! Values that must never be printed.

use std::fmt;

/// A password or key. Neither `Debug` nor `Display` shows it; it is not serializable.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not leak.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself, for the one place that must send or hash it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// User name and password of a camera's account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Credentials {
    /// Account name.
    pub username: String,
    /// Its password.
    pub password: Secret,
}
