//! Tokens of machines: a random secret, told once; its SHA-256 in the store. Whoever shows one acts in its role and
//! scope until it ends or is revoked, and never as a person: he cannot sign in, administer or make further tokens.

use crate::{scope::Scope, services::elapsed, session::TokenHash};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fleet::{Secret, Wall};
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use store::{MachineToken, Store, StoreError, User, UserId};

/// What every token begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "spk_";
/// The use of a token is noted at most so often.
const TOUCH: Duration = Duration::from_secs(300);

/// A new token; `None` if the system gives no randomness.
pub(crate) fn new() -> Option<(Secret, TokenHash)> {
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).ok()?;
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash(&text)?;
    Some((Secret::new(text), hash))
}

/// The hash under which a token is stored; `None` if it cannot be one of ours.
pub(crate) fn hash(token: &str) -> Option<TokenHash> {
    let rest = token.strip_prefix(PREFIX)?;
    (rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')))
        .then(|| Sha256::digest(token.as_bytes()).into())
}

/// The token that a request shows.
pub(crate) fn shown(headers: &axum::http::HeaderMap) -> Option<&str> {
    headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whoever the token speaks for, if it is valid now.
pub(crate) async fn check(store: &dyn Store, hash: &TokenHash) -> Result<Option<(Arc<User>, Arc<Scope>)>, StoreError> {
    let now = Wall::read();
    let Some(MachineToken { id, token, used, .. }) =
        store.token(hash).await?.filter(|t| t.revoked.is_none() && now < t.token.expires)
    else {
        return Ok(None);
    };
    if used.is_none_or(|used| elapsed(now, used) >= TOUCH) {
        // Not worth failing for; a failing store is shown elsewhere.
        store.touch_token(id, now).await.ok();
    }
    let user = User {
        // No person has this number.
        id: UserId(0),
        name: format!("token:{}", token.name),
        full_name: token.name,
        // Not the maker: whoever has a unit has its work orders.
        unit: String::new(),
        role: token.role,
        towns: token.towns,
        sites: token.sites,
        password_hash: Secret::new(""),
        must_change_password: false,
        active: true,
        expires: Some(token.expires),
        created: token.created,
    };
    let scope = Arc::new(Scope::of(&user));
    Ok(Some((Arc::new(user), scope)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_our_form_are_hashed() {
        let (token, hashed) = new().unwrap();
        assert_eq!(hash(token.expose()), Some(hashed));
        for bad in ["", "spk_", &token.expose()[1..], &format!("{}x", token.expose()), "spk_ä"] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }
}
