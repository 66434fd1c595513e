//! Who may view: Basic (RFC 7617) and Digest with MD5, SHA-256 or SHA-512-256 (RFC 7616; without qop, as RFC 2069 and most cameras
//! have it, or with qop=auth).

use super::rtsp::Request;
use crate::{Account, Scheme};
use base64::Engine as _;
use md5::{Digest as _, Md5};
use rand::RngCore;
use sha2::{Sha256, Sha512_256};
use std::collections::VecDeque;

/// Nonces a camera remembers.
const NONCES: usize = 64;

/// The gate of one camera.
pub(crate) struct Gate {
    realm: String,
    nonces: VecDeque<String>,
}

/// What a request's account is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Granted,
    /// No account was named, or by an outdated nonce.
    Ask,
    /// The account is wrong.
    Refused,
}

impl Gate {
    pub(crate) fn new(id: u32) -> Gate {
        Gate { realm: format!("IP Camera({id:05})"), nonces: VecDeque::new() }
    }

    /// The value of `WWW-Authenticate`, with a fresh nonce.
    pub(crate) fn challenge(&mut self, scheme: Scheme) -> String {
        if scheme == Scheme::Basic {
            return format!("Basic realm=\"{}\"", self.realm);
        }
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        let nonce = hex::encode(bytes);
        let algorithm = match scheme {
            Scheme::DigestSha256 => ", algorithm=SHA-256",
            Scheme::DigestSha512Trunc256 => ", algorithm=SHA-512-256",
            Scheme::Basic | Scheme::DigestMd5 => "",
        };
        let value = format!("Digest realm=\"{}\", nonce=\"{nonce}\"{algorithm}", self.realm);
        self.nonces.push_back(nonce);
        if self.nonces.len() > NONCES {
            self.nonces.pop_front();
        }
        value
    }

    pub(crate) fn judge(&self, account: &Account, request: &Request) -> Verdict {
        let Some(value) = request.header("authorization") else { return Verdict::Ask };
        let Some((scheme, rest)) = value.split_once(' ') else { return Verdict::Refused };
        let good = match (account.scheme, scheme.to_ascii_lowercase().as_str()) {
            (Scheme::Basic, "basic") => {
                let expected = format!("{}:{}", account.username, account.password);
                base64::engine::general_purpose::STANDARD
                    .decode(rest.trim())
                    .is_ok_and(|given| given == expected.as_bytes())
            }
            (Scheme::DigestMd5 | Scheme::DigestSha256 | Scheme::DigestSha512Trunc256, "digest") => {
                let fields = fields(rest);
                let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
                if !self.nonces.iter().any(|n| n == field("nonce")) {
                    return Verdict::Ask;
                }
                field("username") == account.username
                    && field("realm") == self.realm
                    && field("response") == expected(account, &self.realm, &request.method, &field)
            }
            _ => false,
        };
        if good { Verdict::Granted } else { Verdict::Refused }
    }
}

fn expected<'a>(account: &Account, realm: &str, method: &str, field: &dyn Fn(&str) -> &'a str) -> String {
    let hash = |text: String| match account.scheme {
        Scheme::DigestSha256 => hex::encode(Sha256::digest(text)),
        Scheme::DigestSha512Trunc256 => hex::encode(Sha512_256::digest(text)),
        _ => hex::encode(Md5::digest(text)),
    };
    let who = hash(format!("{}:{realm}:{}", account.username, account.password));
    let what = hash(format!("{method}:{}", field("uri")));
    if field("qop").is_empty() {
        hash(format!("{who}:{}:{what}", field("nonce")))
    } else {
        hash(format!("{who}:{}:{}:{}:{}:{what}", field("nonce"), field("nc"), field("cnonce"), field("qop")))
    }
}

/// `name="value", name=value`, with names in lower case.
fn fields(mut text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        fields.push((name, value.trim().to_owned()));
        text = after;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::rtsp::Parsed;

    fn request(authorization: &str) -> Request {
        let text = format!("DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\nAuthorization: {authorization}\r\n\r\n");
        let Parsed::Request(request, _) = Request::parse(text.as_bytes()) else { panic!() };
        request
    }

    #[test]
    fn digest_is_that_of_rfc_7616() {
        let field = |name: &str| match name {
            "uri" => "/dir/index.html",
            "nonce" => "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "nc" => "00000001",
            "cnonce" => "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "qop" => "auth",
            _ => "",
        };
        let account = |scheme| Account { username: "Mufasa".into(), password: "Circle of Life".into(), scheme };
        assert_eq!(
            expected(&account(Scheme::DigestMd5), "http-auth@example.org", "GET", &field),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            expected(&account(Scheme::DigestSha256), "http-auth@example.org", "GET", &field),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn a_strange_nonce_is_asked_again_and_a_wrong_password_refused() {
        let mut gate = Gate::new(1);
        let account = Account { username: "u".into(), password: "p".into(), scheme: Scheme::DigestMd5 };
        assert_eq!(gate.judge(&account, &request("Digest username=\"u\", nonce=\"old\"")), Verdict::Ask);
        let challenge = gate.challenge(Scheme::DigestMd5);
        let nonce = fields(challenge.strip_prefix("Digest ").unwrap()).pop().unwrap().1;
        let wrong =
            format!("Digest username=\"u\", realm=\"IP Camera(00001)\", nonce=\"{nonce}\", uri=\"x\", response=\"00\"");
        assert_eq!(gate.judge(&account, &request(&wrong)), Verdict::Refused);
        let basic = Account { scheme: Scheme::Basic, ..account };
        assert_eq!(gate.judge(&basic, &request("Basic dTpw")), Verdict::Granted);
        assert_eq!(gate.judge(&basic, &request("Basic dTpx")), Verdict::Refused);
    }
}
