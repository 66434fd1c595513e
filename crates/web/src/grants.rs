//! Why somebody looks into the archive. A stated reason opens the archive to its session for a while, so that
//! pictures on a page need not repeat it. Kept in memory only, bounded.

use crate::session::TokenHash;
use archive::SnapshotId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// Sessions with a grant at once; the oldest gives way.
const GRANTS: usize = 4096;
/// Snapshots per grant whose viewing is remembered (and therefore audited once).
const VIEWS: usize = 20_000;

pub(crate) struct Grants {
    holds: Duration,
    by_session: Mutex<HashMap<TokenHash, Grant>>,
}

struct Grant {
    reason: String,
    given: Instant,
    viewed: HashSet<SnapshotId>,
}

impl Grants {
    pub(crate) fn new(holds: Duration) -> Grants {
        Grants { holds, by_session: Mutex::default() }
    }

    /// Opens the archive to a session for this reason.
    pub(crate) fn give(&self, session: TokenHash, reason: &str, now: Instant) {
        let mut grants = self.by_session.lock();
        grants.retain(|_, g| now.saturating_duration_since(g.given) < self.holds);
        if let Some(grant) = grants.get_mut(&session)
            && grant.reason == reason
        {
            grant.given = now;
            return;
        }
        if grants.len() >= GRANTS
            && let Some(oldest) = grants.iter().min_by_key(|(_, g)| g.given).map(|(s, _)| *s)
        {
            grants.remove(&oldest);
        }
        grants.insert(session, Grant { reason: reason.to_owned(), given: now, viewed: HashSet::new() });
    }

    /// The reason under which a session has the archive open.
    pub(crate) fn reason(&self, session: &TokenHash, now: Instant) -> Option<String> {
        let grants = self.by_session.lock();
        let grant = grants.get(session)?;
        (now.saturating_duration_since(grant.given) < self.holds).then(|| grant.reason.clone())
    }

    /// Whether a snapshot was viewed under the session's grant, and that is on record.
    pub(crate) fn has_viewed(&self, session: &TokenHash, snapshot: &SnapshotId) -> bool {
        self.by_session.lock().get(session).is_some_and(|grant| grant.viewed.contains(snapshot))
    }

    /// Notes that it is.
    pub(crate) fn note_view(&self, session: &TokenHash, snapshot: &SnapshotId) {
        let mut grants = self.by_session.lock();
        let Some(grant) = grants.get_mut(session) else { return };
        if grant.viewed.len() >= VIEWS {
            grant.viewed.clear();
        }
        grant.viewed.insert(*snapshot);
    }

    /// The session is over.
    pub(crate) fn forget(&self, session: &TokenHash) {
        self.by_session.lock().remove(session);
    }
}
