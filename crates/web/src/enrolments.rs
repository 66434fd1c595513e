//! Second factors being set up: shown to their user, not yet in force. In memory only, bounded in number and time.

use crate::session::TokenHash;
use fleet::Secret;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long somebody may look for his phone.
const HOLDS: Duration = Duration::from_secs(600);
/// Enrolments at once; the oldest gives way.
const MOST: usize = 256;

/// Secrets by the session that asked for them.
#[derive(Default)]
pub(crate) struct Enrolments(Mutex<HashMap<TokenHash, (Instant, Secret)>>);

impl Enrolments {
    /// A secret was shown.
    pub(crate) fn begin(&self, session: TokenHash, secret: Secret, now: Instant) {
        let mut open = self.0.lock();
        open.retain(|_, (since, _)| now.saturating_duration_since(*since) < HOLDS);
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, (since, _))| *since).map(|(session, _)| *session)
        {
            open.remove(&oldest);
        }
        open.insert(session, (now, secret));
    }

    /// The secret shown to this session, while it holds.
    pub(crate) fn secret(&self, session: &TokenHash, now: Instant) -> Option<Secret> {
        let open = self.0.lock();
        let (since, secret) = open.get(session)?;
        (now.saturating_duration_since(*since) < HOLDS).then(|| secret.clone())
    }

    /// It is in force, or given up.
    pub(crate) fn forget(&self, session: &TokenHash) {
        self.0.lock().remove(session);
    }
}
