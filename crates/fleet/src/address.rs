//! Where a stream is: an RTSP URL without credentials.

use crate::{Credentials, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

/// An `rtsp://` or `rtsps://` address with a host and without user name or password.
///
/// ```
/// let (url, account) = fleet::StreamUrl::parse("rtsp://admin:pass@10.1.2.3/ch1")?;
/// assert_eq!(url.as_str(), "rtsp://10.1.2.3/ch1");
/// assert_eq!(account.expect("given in the address").username, "admin");
/// # Ok::<(), fleet::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamUrl(Url);

/// Why an address cannot be used. Never repeats the address: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL at all.
    #[error("not an address; expected rtsp://HOST[:PORT]/PATH")]
    Malformed,
    /// Another scheme than RTSP.
    #[error("only rtsp:// and rtsps:// addresses can be used")]
    Scheme,
    /// No host.
    #[error("the address names no host; expected rtsp://HOST[:PORT]/PATH")]
    NoHost,
    /// Longer than 2,000 characters.
    #[error("the address is longer than 2000 characters")]
    TooLong,
}

impl StreamUrl {
    /// Parses an address and takes the account out of it, if it holds one.
    pub fn parse(text: &str) -> Result<(StreamUrl, Option<Credentials>), AddressError> {
        if text.len() > 2000 {
            return Err(AddressError::TooLong);
        }
        let mut url = Url::parse(text.trim()).map_err(|_| AddressError::Malformed)?;
        if !matches!(url.scheme(), "rtsp" | "rtsps") {
            return Err(AddressError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(AddressError::NoHost);
        }
        let account = (!url.username().is_empty() || url.password().is_some()).then(|| Credentials {
            username: decode(url.username()),
            password: Secret::new(decode(url.password().unwrap_or_default())),
        });
        url.set_username("").map_err(|()| AddressError::NoHost)?;
        url.set_password(None).map_err(|()| AddressError::NoHost)?;
        url.set_fragment(None);
        Ok((StreamUrl(url), account))
    }

    /// The address as text; safe to show.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host as written: a name, or an IPv4 or (bracketed) IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// TCP port; 554 for rtsp and 322 for rtsps unless given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port().unwrap_or(if self.is_tls() { 322 } else { 554 })
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "rtsps"
    }

    /// The parsed URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// Percent-decodes user info; what is not UTF-8 is kept as written.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| {
                tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok())
            })
            .flatten();
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

impl TryFrom<String> for StreamUrl {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        StreamUrl::parse(&text).map(|(url, _)| url)
    }
}

impl From<StreamUrl> for String {
    fn from(url: StreamUrl) -> String {
        url.0.into()
    }
}

impl fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
