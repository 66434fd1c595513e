//! Signed-in browsers: a random token in a cookie, its SHA-256 in the store, a short-lived copy in memory.
//!
//! The copy keeps pages working while the database is away and is dropped at once when a session ends or a
//! user changes; open event streams are told through [`Sessions::revocations`].

use crate::{api::orders::given_to, scope::Scope, services::elapsed};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fleet::Wall;
use parking_lot::Mutex;
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Role, SessionRecord, Store, StoreError, User, UserId};
use tokio::sync::broadcast;

/// Name of the cookie.
pub(crate) const COOKIE: &str = "sharpeyes_session";
/// The copy in memory is checked against the store again after this long.
const FRESH: Duration = Duration::from_secs(5);
/// While the database is away, the copy counts for this long.
const STALE: Duration = Duration::from_secs(15 * 60);
/// The store hears of a session's use at most this often.
const TOUCH: Duration = Duration::from_secs(60);
/// Sessions copied into memory.
const COPIES: usize = 4096;

pub(crate) type TokenHash = [u8; 32];

/// A session that holds, with its user and what he may see.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) token: TokenHash,
    pub(crate) user: Arc<User>,
    pub(crate) scope: Arc<Scope>,
    /// He has a second factor.
    pub(crate) enrolled: bool,
}

pub(crate) struct Sessions {
    store: Arc<dyn Store>,
    idle: Duration,
    longest: Duration,
    copies: Mutex<Copies>,
    revoked: broadcast::Sender<()>,
}

#[derive(Default)]
struct Copies {
    by_token: HashMap<TokenHash, Held>,
    /// Grows with every revocation: a copy made from an older reading must not be kept.
    generation: u64,
}

/// Whether a look at a session counts as its use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Yes,
    No,
}

#[derive(Clone)]
struct Held {
    signed: Signed,
    record: SessionRecord,
    checked: Instant,
    touched: Wall,
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn Store>, idle: Duration, longest: Duration) -> Sessions {
        Sessions { store, idle, longest, copies: Mutex::default(), revoked: broadcast::channel(16).0 }
    }

    /// The session of a token, if it still holds. A page that is merely left open does not keep it alive.
    pub(crate) async fn check_only(&self, token: &TokenHash) -> Result<Option<Signed>, StoreError> {
        self.look_up(token, Use::No).await
    }

    /// The session of a token, if it still holds.
    pub(crate) async fn look_up(&self, token: &TokenHash, usage: Use) -> Result<Option<Signed>, StoreError> {
        let now = Wall::read();
        let (copy, generation) = {
            let copies = self.copies.lock();
            (copies.by_token.get(token).cloned(), copies.generation)
        };
        if let Some(copy) = &copy
            && copy.checked.elapsed() < FRESH
        {
            return Ok(self.hold(copy, now, generation, usage).await);
        }
        let read = async {
            let Some(record) = self.store.session(token).await? else { return Ok(None) };
            let Some(user) = self.store.user(record.user).await? else { return Ok(None) };
            let enrolled = self.store.second_factor(user.id).await?.is_some();
            let mut scope = Scope::of(&user);
            if user.role == Role::Technician && !scope.is_everything() {
                scope = scope.with(given_to(self.store.as_ref(), &user).await?);
            }
            Ok(Some((record, user, scope, enrolled)))
        };
        match read.await {
            Ok(None) => {
                self.copies.lock().by_token.remove(token);
                Ok(None)
            }
            Ok(Some((mut record, user, scope, enrolled))) => {
                let touched = record.used;
                if let Some(copy) = copy {
                    record.used = record.used.max(copy.record.used);
                }
                let signed = Signed { token: *token, user: Arc::new(user), scope: Arc::new(scope), enrolled };
                let copy = Held { signed, record, checked: Instant::now(), touched };
                Ok(self.hold(&copy, now, generation, usage).await)
            }
            Err(error) => match copy {
                Some(copy) if copy.checked.elapsed() < STALE => Ok(self.hold(&copy, now, generation, usage).await),
                _ => Err(error),
            },
        }
    }

    /// Applies the limits and notes the use.
    async fn hold(&self, copy: &Held, now: Wall, generation: u64, usage: Use) -> Option<Signed> {
        let Held { signed, record, .. } = copy;
        let user = &signed.user;
        let over = now >= record.expires
            || elapsed(now, record.created) >= self.longest
            || elapsed(now, record.used) >= self.idle
            || !user.active
            || user.expires.is_some_and(|end| now >= end);
        if over {
            self.end(&signed.token).await.ok();
            return None;
        }
        let mut kept = copy.clone();
        if usage == Use::Yes {
            kept.record.used = now;
        }
        let tell = usage == Use::Yes && elapsed(now, copy.touched) >= TOUCH.min(self.idle / 4);
        if tell {
            kept.touched = now;
        }
        {
            let mut copies = self.copies.lock();
            if copies.generation != generation {
                // Somebody was revoked meanwhile. Ask again next time rather than keep what may be out of date;
                // this request is answered as of before.
                copies.by_token.remove(&signed.token);
            } else {
                if copies.by_token.len() >= COPIES && !copies.by_token.contains_key(&signed.token) {
                    let oldest = copies.by_token.iter().min_by_key(|(_, c)| c.record.used).map(|(t, _)| *t);
                    oldest.and_then(|t| copies.by_token.remove(&t));
                }
                copies.by_token.insert(signed.token, kept);
            }
        }
        if tell {
            // The idle limit is counted from memory as well; a failing store is shown elsewhere.
            self.store.touch_session(&signed.token, now).await.ok();
        }
        Some(signed.clone())
    }

    /// Begins a session and returns the token for the cookie.
    pub(crate) async fn begin(&self, user: UserId, address: String, agent: &str) -> Result<String, StoreError> {
        let mut token = [0u8; 32];
        rand::rngs::OsRng
            .try_fill_bytes(&mut token)
            .map_err(|e| StoreError::Database(format!("the system gives no randomness: {e}")))?;
        let now = Wall::read();
        let text = URL_SAFE_NO_PAD.encode(token);
        let record = SessionRecord {
            token_hash: hash(&text).expect("just encoded"),
            user,
            created: now,
            used: now,
            expires: now + self.longest,
            address,
            agent: agent.chars().take(200).collect(),
        };
        self.store.add_session(&record).await?;
        Ok(text)
    }

    /// Ends one session, at once.
    pub(crate) async fn end(&self, token: &TokenHash) -> Result<(), StoreError> {
        self.forget(|t, _| t == token);
        let ended = self.store.end_session(token).await;
        // Once more: a request may have read the store between the two steps.
        self.forget(|t, _| t == token);
        match ended {
            Err(StoreError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// The user's record changed or his sessions ended in the store: nothing remembered of him counts any more.
    pub(crate) fn forget_user(&self, user: UserId) {
        self.forget(|_, copy| copy.record.user == user);
    }

    /// Some right may have ended that is not a session: whoever holds something open looks again.
    pub(crate) fn announce(&self) {
        // Nobody listening is fine.
        let _ = self.revoked.send(());
    }

    fn forget(&self, which: impl Fn(&TokenHash, &Held) -> bool) {
        {
            let mut copies = self.copies.lock();
            copies.generation += 1;
            copies.by_token.retain(|token, copy| !which(token, copy));
        }
        self.announce();
    }

    /// Told whenever some session may have ended.
    pub(crate) fn revocations(&self) -> broadcast::Receiver<()> {
        self.revoked.subscribe()
    }
}

/// The hash under which a cookie's token is stored; `None` if it cannot be one of ours.
pub(crate) fn hash(token: &str) -> Option<TokenHash> {
    (token.len() == 43 && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')))
        .then(|| Sha256::digest(token.as_bytes()).into())
}

/// The session token among the cookies of a request.
pub(crate) fn token_of(headers: &axum::http::HeaderMap) -> Option<&str> {
    headers
        .get_all(axum::http::header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}

/// The `Set-Cookie` line of a token; without a token, of its removal.
pub(crate) fn cookie(token: Option<&str>, secure: bool, longest: Duration) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let (token, age) = token.map_or(("", 0), |t| (t, longest.as_secs()));
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn only_tokens_of_our_form_are_hashed() {
        assert!(hash(&"a".repeat(43)).is_some());
        assert!(hash(&"a".repeat(42)).is_none());
        assert!(hash(&format!("{};", "a".repeat(42))).is_none());
        assert!(hash("").is_none());
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; sharpeyes_session=abc ; x"));
        assert_eq!(token_of(&headers), Some("abc"));
    }

    #[test]
    fn the_cookie_is_strict() {
        let line = cookie(Some("t"), true, Duration::from_secs(60));
        assert_eq!(line, "sharpeyes_session=t; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure");
        assert!(cookie(None, false, Duration::from_secs(60)).contains("Max-Age=0"));
    }
}
