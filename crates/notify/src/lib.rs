//! Delivers what is to be told: signed webhooks, e-mail, the robots of DingTalk, WeCom and Feishu, Alertmanager.
//!
//! One try, with a limit: it arrives, or there is a reason. It connects only to addresses that the node permits, to
//! exactly the address that was checked, and follows no redirect. Never decides what is told, to whom or when, never
//! tries again by itself, never puts an address, a token or a password into an error.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod letter;
mod mail;
mod post;
mod robots;
mod target;

pub use letter::{Item, Language, Letter, OrderItem};
pub use mail::{File, MOST_ATTACHED, Mail};
pub use target::{Envelope, Security, Target, is_reader};

use std::{net::IpAddr, sync::Arc, time::Duration};

/// Longest try in all.
const LIMIT: Duration = Duration::from_secs(15);
/// Longest try of a mail with files, which may go over a slow link.
const LIMIT_OF_FILES: Duration = Duration::from_secs(90);

/// Why a delivery did not arrive. Fit to be shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The target's settings cannot be used.
    #[error("{0}")]
    Settings(&'static str),
    /// The name of the target does not resolve.
    #[error("the name of the server does not resolve")]
    Unresolved,
    /// The target lies outside the permitted networks.
    #[error("{0} is not in a permitted network (ingest.allow_networks)")]
    Forbidden(IpAddr),
    /// No connection, or no answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// The server answered, and cannot take it now: it is overloaded, out of order, or asked too often.
    #[error("the server cannot take it now: {0}")]
    Busy(String),
    /// The server answered, and refused: it will again, unless somebody changes something.
    #[error("the server refused: {0}")]
    Refused(String),
}

impl Refusal {
    /// Whether another try of the same message will fare the same, while another message may not.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Refusal::Refused(_) | Refusal::Settings(_))
    }
}

/// A reader whom the mail server does not take, while it took the mail for others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreached {
    /// The address.
    pub reader: String,
    /// What the server said.
    pub why: String,
    /// It will say so again; else another try may do.
    pub for_good: bool,
}

impl Unreached {
    /// All of them in one sentence, fit to be shown.
    #[must_use]
    pub fn told(them: &[Unreached]) -> String {
        them.iter().map(|one| format!("{} is not taken: {}", one.reader, one.why)).collect::<Vec<_>>().join("; ")
    }
}

/// Delivers letters. Cheap to clone.
#[derive(Clone)]
pub struct Courier {
    permits: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    node: String,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier of this node that goes only where `permits` says.
    #[must_use]
    pub fn new(node: String, permits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Courier {
        Courier { permits: Arc::new(permits), node }
    }

    /// Which node speaks.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Tries once. Gives the readers of a mail whom it does not reach while it reaches others.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn deliver(&self, target: &Target, letter: &Letter) -> Result<Vec<Unreached>, Refusal> {
        let trying = async {
            match target {
                Target::Email { .. } => return mail::send(self, target, letter).await,
                Target::Webhook { url, secret } => post::webhook(self, url, secret, letter).await,
                Target::DingTalk { url, secret } => robots::dingtalk(self, url, secret.as_deref(), letter).await,
                Target::WeCom { url } => robots::wecom(self, url, letter).await,
                Target::Feishu { url, secret } => robots::feishu(self, url, secret.as_deref(), letter).await,
                Target::Alertmanager { url, token } => post::alertmanager(self, url, token.as_deref(), letter).await,
            }
            .map(|()| Vec::new())
        };
        within(LIMIT, trying).await
    }

    /// Tries once to send a mail with files, through a mail server. Gives the readers whom it does not reach while it
    /// reaches others.
    ///
    /// # Errors
    /// Why it did not arrive; the target is none of mail, among others.
    pub async fn mail(&self, target: &Target, mail: Mail) -> Result<Vec<Unreached>, Refusal> {
        within(LIMIT_OF_FILES, mail::send_whole(self, target, mail)).await
    }

    /// The address to connect to: resolved once, and permitted.
    async fn locate(&self, host: &str, port: u16) -> Result<std::net::SocketAddr, Refusal> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<_> = match host.parse::<IpAddr>() {
            Ok(ip) => vec![std::net::SocketAddr::new(ip, port)],
            Err(_) => tokio::net::lookup_host((host, port)).await.map_err(|_| Refusal::Unresolved)?.take(16).collect(),
        };
        let first = found.first().ok_or(Refusal::Unresolved)?.ip();
        found.into_iter().find(|a| (self.permits)(a.ip())).ok_or(Refusal::Forbidden(first))
    }
}

async fn within<T>(limit: Duration, trying: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    match tokio::time::timeout(limit, trying).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::Unreachable(format!("no answer within {} s", limit.as_secs()))),
    }
}
