//! Where a channel's messages go, and with which secrets. Kept encrypted; hostile until checked.

use crate::{Language, Letter, robots};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

/// How a mail server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// In the clear: only within a network one trusts.
    None,
    /// In the clear first, then TLS, or not at all.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// A channel's target.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// JSON by POST, signed.
    Webhook {
        /// Where to.
        url: String,
        /// Key of the signature.
        secret: String,
    },
    /// A mail server.
    Email {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// How it is spoken to.
        security: Security,
        /// Account, if it wants one.
        user: Option<String>,
        /// Its password.
        password: Option<String>,
        /// Sender.
        from: String,
        /// Readers.
        to: Vec<String>,
    },
    /// 钉钉 robot of a group.
    DingTalk {
        /// Its address with the access token.
        url: String,
        /// Key of the signature 加签, if the robot asks for one.
        secret: Option<String>,
    },
    /// 企业微信 robot of a group.
    WeCom {
        /// Its address with the key.
        url: String,
    },
    /// 飞书 robot of a group.
    Feishu {
        /// Its address with the token.
        url: String,
        /// Key of the signature 签名校验, if the robot asks for one.
        secret: Option<String>,
    },
    /// Prometheus Alertmanager, API v2.
    Alertmanager {
        /// Its base address.
        url: String,
        /// Bearer token, if it wants one.
        token: Option<String>,
    },
}

/// A target and the language of its readers, as they are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Language of what is sent.
    pub language: Language,
    /// Where it is sent.
    pub target: Target,
}

impl Envelope {
    /// To be kept encrypted.
    #[must_use]
    pub fn seal(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it was kept; `None` if this is none.
    #[must_use]
    pub fn open(kept: &str) -> Option<Envelope> {
        serde_json::from_str(kept).ok()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({} {})", self.kind(), self.shown())
    }
}

impl Target {
    /// A letter in as many as the target takes it in, none of which it would cut.
    #[must_use]
    pub fn parts(&self, letter: Letter) -> Vec<Letter> {
        robots::parts(self, letter)
    }

    /// The word for it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Webhook { .. } => "webhook",
            Target::Email { .. } => "email",
            Target::DingTalk { .. } => "dingtalk",
            Target::WeCom { .. } => "wecom",
            Target::Feishu { .. } => "feishu",
            Target::Alertmanager { .. } => "alertmanager",
        }
    }

    /// What may be shown of it: the server, and who reads mail. The rest of an address may be a token.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Target::Email { host, port, to, .. } => format!("{} → {host}:{port}", to.join(", ")),
            Target::Webhook { url, .. }
            | Target::DingTalk { url, .. }
            | Target::WeCom { url }
            | Target::Feishu { url, .. }
            | Target::Alertmanager { url, .. } => Url::parse(url)
                .ok()
                .and_then(|u| Some(format!("{}://{}{}", u.scheme(), u.host_str()?, port(&u))))
                .unwrap_or_default(),
        }
    }

    /// The first thing that is wrong with it, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            Target::Email { host, port, from, to, user, password, .. } => {
                if host.trim().is_empty() || host.len() > 253 || host.contains(['/', ':', '@', ' ']) || *port == 0 {
                    Some("host, port: expected the mail server's name or address and its port")
                } else if to.is_empty() || to.len() > 50 {
                    Some("to: expected 1 to 50 readers")
                } else if !std::iter::once(from).chain(to).all(|a| is_reader(a)) {
                    Some("from, to: expected mail addresses such as duty@example.org")
                } else if user.is_some() != password.is_some() {
                    Some("user, password: expected both or neither")
                } else {
                    None
                }
            }
            Target::Webhook { url, secret } => {
                if secret.chars().count() < 16 {
                    Some("secret: expected at least 16 characters to sign with")
                } else {
                    bad_url(url)
                }
            }
            Target::DingTalk { url, .. }
            | Target::WeCom { url }
            | Target::Feishu { url, .. }
            | Target::Alertmanager { url, .. } => bad_url(url),
        }
    }
}

/// Whether mail can be addressed to it.
#[must_use]
pub fn is_reader(address: &str) -> bool {
    address.len() <= 254 && address.parse::<lettre::Address>().is_ok()
}

fn bad_url(text: &str) -> Option<&'static str> {
    let good = text.len() <= 2000
        && Url::parse(text).is_ok_and(|u| {
            matches!(u.scheme(), "http" | "https")
                && u.host_str().is_some()
                && u.username().is_empty()
                && u.password().is_none()
        });
    (!good).then_some("url: expected an http or https address without a user name in it")
}

fn port(url: &Url) -> String {
    url.port().map_or_else(String::new, |p| format!(":{p}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let targets = [
            Target::Webhook {
                url: "https://10.0.0.9:8443/hook/TOKEN?k=TOKEN".into(),
                secret: "TOKEN TOKEN TOKEN".into(),
            },
            Target::DingTalk {
                url: "https://oapi.dingtalk.com/robot/send?access_token=TOKEN".into(),
                secret: Some("TOKEN".into()),
            },
            Target::WeCom { url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=TOKEN".into() },
            Target::Feishu { url: "https://open.feishu.cn/open-apis/bot/v2/hook/TOKEN".into(), secret: None },
        ];
        for target in targets {
            assert_eq!(target.fault(), None, "{target:?}");
            assert!(!format!("{} {target:?}", target.shown()).contains("TOKEN"));
        }
    }

    #[test]
    fn what_cannot_be_a_target_is_refused() {
        for url in ["", "ftp://a/", "file:///etc/passwd", "http://user:pw@a/", "javascript:alert(1)", "http://", "a"] {
            assert!(Target::WeCom { url: url.into() }.fault().is_some(), "{url}");
        }
        assert!(Target::Webhook { url: "http://a/".into(), secret: "short".into() }.fault().is_some());
        let mail = |from: &str, to: &[&str]| Target::Email {
            host: "mail".into(),
            port: 25,
            security: Security::None,
            user: None,
            password: None,
            from: from.into(),
            to: to.iter().map(|t| (*t).to_owned()).collect(),
        };
        assert_eq!(mail("a@b.org", &["c@d.org"]).fault(), None);
        for bad in [mail("a@b.org", &[]), mail("a", &["c@d.org"]), mail("a@b.org", &["c@d.org\r\nBcc: x@y.org"])] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
