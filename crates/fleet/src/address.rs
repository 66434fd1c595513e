//! Where a stream is: an RTSP URL without credentials.

use crate::{Credentials, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

/// Stands for the user name in the address of a camera that is given its account in the path.
const USERNAME: &str = "$username";
/// Stands for the password there.
const PASSWORD: &str = "$password";

/// An `rtsp://` or `rtsps://` address with a host and without user name or password. Cameras that are given their account
/// in the path (XM: `/user=NAME&password=WORD&channel=1`) keep a `$username` and `$password` there; only
/// [`StreamUrl::filled`] puts the account in.
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
        let (path, in_path) = without_account(url.path());
        url.set_path(&path);
        let in_query = url.query().map(without_account);
        if let Some((query, _)) = &in_query {
            url.set_query(Some(query));
        }
        let account = account.or(in_path).or(in_query.and_then(|(_, account)| account));
        Ok((StreamUrl(url), account))
    }

    /// An address of this camera as it is said to it: with the account where `$username` and `$password` stand. Never to
    /// be shown or logged.
    #[must_use]
    pub fn filled(text: &str, account: Option<&Credentials>) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let (name, word) = account.map_or(("", ""), |a| (a.username.as_str(), a.password.expose()));
        text.replace(USERNAME, &escaped(name)).replace(PASSWORD, &escaped(word))
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

/// A path or query with stand-ins where it names an account, and that account. Both must be named.
fn without_account(text: &str) -> (String, Option<Credentials>) {
    let find = |names: [&str; 3]| names.iter().find_map(|name| value(text, name));
    let (Some(name), Some(word)) = (find(["user", "username", "usr"]), find(["password", "passwd", "pwd"])) else {
        return (text.to_owned(), None);
    };
    if (&text[name.clone()], &text[word.clone()]) == (USERNAME, PASSWORD) {
        return (text.to_owned(), None);
    }
    let account =
        Credentials { username: decode(&text[name.clone()]), password: Secret::new(decode(&text[word.clone()])) };
    let mut out = text.to_owned();
    let mut both = [(name, USERNAME), (word, PASSWORD)];
    both.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, stand_in) in both {
        out.replace_range(range, stand_in);
    }
    (out, Some(account))
}

/// Where the value of `name=` lies. XM writes pairs behind `&` or behind `_`, which a value may hold as well.
fn value(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let key = format!("{name}=");
    let (at, _) = text.match_indices(&key).find(|(at, _)| *at == 0 || text[..*at].ends_with(['/', '?', '&', '_']))?;
    let start = at + key.len();
    let rest = &text[start..];
    let ends = ["&", "/", "?", "_password=", "_channel=", "_stream="];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    Some(start..start + end)
}

/// Percent-encodes what would end or break an address.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_graphic() && !matches!(c, '%' | '#' | '?' | '&' | '/' | '"' | '<' | '>') {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<(String, String)>) {
        let (url, account) = StreamUrl::parse(text).unwrap();
        (url.to_string(), account.map(|a| (a.username, a.password.expose().to_owned())))
    }

    #[test]
    fn an_account_in_the_path_is_taken_out_and_put_in_only_for_the_camera() {
        for (written, kept) in [
            (
                "rtsp://10.1.1.1/user=admin&password=tlJw_bo6&channel=1&stream=0.sdp?real_stream",
                "rtsp://10.1.1.1/user=$username&password=$password&channel=1&stream=0.sdp?real_stream",
            ),
            (
                "rtsp://10.1.1.1/user=admin_password=tlJw_bo6_channel=1_stream=0.sdp",
                "rtsp://10.1.1.1/user=$username_password=$password_channel=1_stream=0.sdp",
            ),
            (
                "rtsp://10.1.1.1/live?username=admin&channel=1&passwd=tlJw_bo6",
                "rtsp://10.1.1.1/live?username=$username&channel=1&passwd=$password",
            ),
        ] {
            let (url, account) = read(written);
            assert_eq!(url, kept);
            assert_eq!(account, Some(("admin".into(), "tlJw_bo6".into())));
            assert_eq!(read(&url), (url.clone(), None), "what is kept reads as itself");
            let account = Credentials { username: "admin".into(), password: Secret::new("tlJw_bo6") };
            assert_eq!(StreamUrl::filled(&url, Some(&account)), written);
            let odd = Credentials { username: "admin".into(), password: Secret::new("a b&c") };
            assert!(StreamUrl::filled(&url, Some(&odd)).contains("a%20b%26c"));
        }
        assert_eq!(StreamUrl::filled("rtsp://h/user=$username&password=$password", None), "rtsp://h/user=&password=");
    }

    #[test]
    fn what_names_no_account_stays_as_it_is() {
        for text in
            ["rtsp://10.1.1.1/cam/realmonitor?channel=1&subtype=0", "rtsp://10.1.1.1/user=admin", "rtsp://h/a$b?c=$d"]
        {
            assert_eq!(read(text), (text.to_owned(), None));
        }
    }
}
