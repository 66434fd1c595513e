//! Passwords: argon2id, rules after NIST SP 800-63B (length and a list of common ones, no composition rules),
//! one-time passwords. Hashing never blocks the runtime and never takes more than its share of cores.

use crate::{
    Breached,
    problem::{Problem, Result},
};
use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{SaltString, rand_core::OsRng},
};
use axum::http::StatusCode;
use fleet::Secret;
use rand::Rng;
use std::{sync::OnceLock, time::Duration};
use tokio::sync::Semaphore;

/// Shortest password, in characters.
pub(crate) const SHORTEST: usize = 12;
/// Longest password, in characters; more is only work for us.
const LONGEST: usize = 256;
/// Hashes computed at once: each takes 19 MiB and some 50 ms.
const AT_ONCE: usize = 2;
/// How long a sign-in waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Hashes and verifies, a few at a time.
pub(crate) struct Hasher {
    turns: Semaphore,
}

impl Hasher {
    pub(crate) fn new() -> Hasher {
        Hasher { turns: Semaphore::new(AT_ONCE) }
    }

    /// The PHC string of a password (argon2id, 19 MiB, 2 passes, 1 lane: the OWASP minimum).
    pub(crate) async fn hash(&self, password: Secret) -> Result<Secret> {
        self.run(move || hash_now(&password)).await?.map_err(|e| Problem::internal("a password could not be hashed", e))
    }

    /// Whether the password fits. Without a hash (no such user) the same work is done and the answer is no.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<Secret>) -> Result<bool> {
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| nobody().clone());
            let fits = PasswordHash::new(hash.expose())
                .is_ok_and(|h| Argon2::default().verify_password(password.expose().as_bytes(), &h).is_ok());
            fits && known
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = tokio::time::timeout(TURN, self.turns.acquire())
            .await
            .map_err(|_| Problem::busy("too many sign-ins at once; try again in a moment"))?
            .expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(work).await;
        drop(turn);
        done.map_err(|e| Problem::internal("hashing failed", e))
    }
}

/// Hashes on this thread: for command-line programs.
pub(crate) fn hash_now(password: &Secret) -> Result<Secret, argon2::password_hash::Error> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt)?;
    Ok(Secret::new(hash.to_string()))
}

/// The hash that an unknown user is checked against, so that he costs as much time as a known one.
fn nobody() -> &'static Secret {
    static HASH: OnceLock<Secret> = OnceLock::new();
    HASH.get_or_init(|| hash_now(&one_time()).expect("argon2's defaults are valid"))
}

/// Makes the hash of [`nobody`] ahead of the first sign-in.
pub(crate) fn warm_up() {
    nobody();
}

/// A random password to be used once: 16 characters that cannot be mistaken for one another (79 bits).
pub(crate) fn one_time() -> Secret {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut text = String::with_capacity(19);
    for i in 0..16 {
        if i > 0 && i % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    }
    Secret::new(text)
}

/// Whether a password may be chosen.
pub(crate) fn check_rules(password: &str, name: &str, old: &str, breached: Option<&Breached>) -> Result<()> {
    let refuse = |why: &'static str| Err(Problem::new(StatusCode::BAD_REQUEST, "weak_password", why));
    let length = password.chars().count();
    if length < SHORTEST {
        return refuse("too short: choose 12 characters or more; several words are fine");
    }
    if length > LONGEST {
        return refuse("too long: at most 256 characters");
    }
    let plain = password.to_lowercase();
    if plain == name.to_lowercase() {
        return refuse("the password is the name: choose another");
    }
    if password == old {
        return refuse("that is the password you have: choose another");
    }
    let mut letters: Vec<char> = plain.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let known = common().any(|word| word == plain) || breached.is_some_and(|list| list.contains(password));
    if letters.len() < 4 || known {
        return refuse("this password is among the first that are guessed: choose another");
    }
    Ok(())
}

/// Common passwords long enough for our rules.
fn common() -> impl Iterator<Item = &'static str> {
    include_str!("common_passwords.txt").lines().map(str::trim).filter(|l| !l.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_ask_for_length_and_refuse_what_is_guessed_first() {
        assert!(check_rules("correct horse battery", "li", "", None).is_ok());
        for (bad, name) in [
            ("short", "li"),
            ("aaaaaaaaaaaaaaaa", "li"),
            ("Password1234", "li"),
            ("ZhangWeiZhangWei", "zhangweizhangwei"),
            ("123456789012", "li"),
        ] {
            assert_eq!(check_rules(bad, name, "", None).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad}");
        }
        assert!(check_rules("correct horse battery", "li", "correct horse battery", None).is_err());
        assert!(check_rules(&"长城".repeat(6), "li", "", None).is_err(), "twelve characters of two are guessed first");
        assert!(check_rules("北国风光千里冰封万里雪飘", "li", "", None).is_ok(), "characters are counted, not bytes");
    }

    #[test]
    fn the_list_only_holds_what_the_length_rule_lets_through() {
        for word in common() {
            assert!(word.chars().count() >= SHORTEST, "{word} never gets as far as the list");
            assert_eq!(word, word.to_lowercase(), "{word} would never match");
        }
    }

    #[test]
    fn one_time_passwords_pass_the_rules_and_differ() {
        let (a, b) = (one_time(), one_time());
        assert_ne!(a, b);
        assert!(check_rules(a.expose(), "admin", "", None).is_ok());
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_an_unknown_user_fits_nothing() {
        let hasher = Hasher::new();
        let hash = hasher.hash(Secret::new("correct horse battery")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.verify(Secret::new("correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("Correct horse battery"), Some(hash)).await.unwrap());
        assert!(!hasher.verify(Secret::new("correct horse battery"), None).await.unwrap());
    }
}
