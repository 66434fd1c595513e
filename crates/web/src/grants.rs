//! Why somebody looks into the archive. A reason is stated for one search, and opens to the session what that search has
//! shown, for a while: its further pages and its pictures need not repeat it. Kept in memory only, bounded.

use crate::session::TokenHash;
use archive::SnapshotId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// Searches of one session that are open at once; the oldest gives way.
const SEARCHES: usize = 16;
/// Snapshots that one search has open; what it showed first gives way.
const SHOWN: usize = 20_000;
/// Snapshots that all sessions have open together, about 60 MB; the oldest search gives way.
const SHOWN_BY_ALL: usize = 1_000_000;

/// What was asked for: the conditions of a search, or one snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Wanted([u8; 32]);

impl Wanted {
    /// Conditions as they are written down; whoever sends them again asks for the same.
    pub(crate) fn search(conditions: &str) -> Wanted {
        use sha2::{Digest, Sha256};
        Wanted(Sha256::digest(conditions).into())
    }

    pub(crate) fn snapshot(id: &SnapshotId) -> Wanted {
        Wanted::search(&format!("snapshot {id}"))
    }
}

pub(crate) struct Grants {
    holds: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// Newest last.
    by_session: HashMap<TokenHash, VecDeque<Search>>,
    shown: usize,
}

struct Search {
    wanted: Wanted,
    reason: String,
    given: Instant,
    /// It is in the audit log.
    on_record: bool,
    /// What it has shown, and whether that it was viewed is in the audit log.
    shown: HashMap<SnapshotId, bool>,
}

impl Grants {
    pub(crate) fn new(holds: Duration) -> Grants {
        Grants { holds, open: Mutex::default() }
    }

    /// Opens a search to a session for this reason. The same search for the same reason goes on.
    pub(crate) fn give(&self, session: TokenHash, wanted: &Wanted, reason: &str, now: Instant) {
        let mut open = self.open.lock();
        open.expire(self.holds, now);
        let searches = open.by_session.entry(session).or_default();
        let known = searches.iter().position(|s| s.wanted == *wanted);
        let same = known.and_then(|at| searches.remove(at));
        let (same, other) = match same {
            Some(search) if search.reason == reason => (Some(search), 0),
            Some(other) => (None, other.shown.len()),
            None => (None, 0),
        };
        let new = || Search {
            wanted: wanted.clone(),
            reason: reason.to_owned(),
            given: now,
            on_record: false,
            shown: HashMap::new(),
        };
        searches.push_back(Search { given: now, ..same.unwrap_or_else(new) });
        let oldest = if searches.len() > SEARCHES { searches.pop_front() } else { None };
        open.shown -= other + oldest.map_or(0, |search| search.shown.len());
    }

    /// The reason under which a session has this search open.
    pub(crate) fn reason(&self, session: &TokenHash, wanted: &Wanted, now: Instant) -> Option<String> {
        let open = self.open.lock();
        let search = open.by_session.get(session)?.iter().rfind(|s| s.wanted == *wanted)?;
        (now.saturating_duration_since(search.given) < self.holds).then(|| search.reason.clone())
    }

    /// The reason of the newest search that has shown this snapshot to the session.
    pub(crate) fn reason_for(&self, session: &TokenHash, snapshot: &SnapshotId, now: Instant) -> Option<String> {
        let open = self.open.lock();
        let search = open
            .by_session
            .get(session)?
            .iter()
            .rfind(|s| s.shown.contains_key(snapshot) && now.saturating_duration_since(s.given) < self.holds)?;
        Some(search.reason.clone())
    }

    /// Whether a session's search is in the audit log already.
    pub(crate) fn is_on_record(&self, session: &TokenHash, wanted: &Wanted) -> bool {
        let open = self.open.lock();
        open.by_session.get(session).is_some_and(|all| all.iter().any(|s| s.wanted == *wanted && s.on_record))
    }

    /// The search is in the audit log, and has shown these.
    pub(crate) fn show(&self, session: &TokenHash, wanted: &Wanted, snapshots: impl Iterator<Item = SnapshotId>) {
        let mut open = self.open.lock();
        let Open { by_session, shown } = &mut *open;
        let Some(searches) = by_session.get_mut(session) else { return };
        let Some(search) = searches.iter_mut().rfind(|s| s.wanted == *wanted) else { return };
        search.on_record = true;
        let before = search.shown.len();
        let new: Vec<SnapshotId> = snapshots.filter(|id| !search.shown.contains_key(id)).collect();
        if before + new.len() > SHOWN {
            search.shown.clear();
        }
        search.shown.extend(new.into_iter().map(|id| (id, false)));
        *shown = *shown + search.shown.len() - before;
        while open.shown > SHOWN_BY_ALL && open.drop_oldest() {}
    }

    /// Whether a snapshot was viewed in an open search of the session, and that is on record.
    pub(crate) fn has_viewed(&self, session: &TokenHash, snapshot: &SnapshotId) -> bool {
        let open = self.open.lock();
        let newest = open.by_session.get(session).and_then(|all| all.iter().rev().find_map(|s| s.shown.get(snapshot)));
        newest.is_some_and(|viewed| *viewed)
    }

    /// Notes that it is.
    pub(crate) fn note_view(&self, session: &TokenHash, snapshot: &SnapshotId) {
        let mut open = self.open.lock();
        let Some(searches) = open.by_session.get_mut(session) else { return };
        if let Some(viewed) = searches.iter_mut().rev().find_map(|s| s.shown.get_mut(snapshot)) {
            *viewed = true;
        }
    }

    /// The session is over.
    pub(crate) fn forget(&self, session: &TokenHash) {
        let mut open = self.open.lock();
        let gone = open.by_session.remove(session);
        open.shown -= gone.iter().flatten().map(|search| search.shown.len()).sum::<usize>();
    }
}

impl Open {
    fn expire(&mut self, holds: Duration, now: Instant) {
        let Open { by_session, shown } = self;
        by_session.retain(|_, searches| {
            searches.retain(|search| {
                let stays = now.saturating_duration_since(search.given) < holds;
                *shown -= if stays { 0 } else { search.shown.len() };
                stays
            });
            !searches.is_empty()
        });
    }

    /// Whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let first = |all: &VecDeque<Search>| all.front().map(|search| search.given);
        let oldest = self.by_session.iter().filter_map(|(session, all)| Some((first(all)?, *session))).min();
        let Some((_, session)) = oldest else { return false };
        let Some(searches) = self.by_session.get_mut(&session) else { return false };
        self.shown -= searches.pop_front().map_or(0, |search| search.shown.len());
        if searches.is_empty() {
            self.by_session.remove(&session);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> SnapshotId {
        format!("{n:08x}0000019a00000000deadbeef").parse().unwrap()
    }

    #[test]
    fn a_reason_opens_its_search_and_what_that_has_shown_for_a_while() {
        let grants = Grants::new(Duration::from_secs(60));
        let (one, other) = (Wanted::search("camera=1"), Wanted::search("camera=2"));
        let (me, you, now) = ([1; 32], [2; 32], Instant::now());
        grants.give(me, &one, "核查", now);
        assert!(!grants.is_on_record(&me, &one));
        grants.show(&me, &one, [id(1)].into_iter());
        assert!(grants.is_on_record(&me, &one));
        assert_eq!(grants.reason(&me, &one, now).as_deref(), Some("核查"));
        assert_eq!(grants.reason(&me, &other, now), None);
        assert_eq!(grants.reason(&you, &one, now), None);
        assert_eq!(grants.reason_for(&me, &id(1), now).as_deref(), Some("核查"));
        assert_eq!(grants.reason_for(&me, &id(2), now), None);
        // Another search leaves the first open; what both have shown was shown for the newer reason.
        grants.give(me, &other, "审计", now);
        grants.show(&me, &other, [id(1), id(2)].into_iter());
        assert_eq!(grants.reason_for(&me, &id(1), now).as_deref(), Some("审计"));
        assert_eq!(grants.reason(&me, &one, now).as_deref(), Some("核查"));
        grants.note_view(&me, &id(1));
        assert!(grants.has_viewed(&me, &id(1)) && !grants.has_viewed(&me, &id(2)));
        // The same search for another reason is another one, which has shown nothing.
        grants.give(me, &other, "复查", now);
        assert!(!grants.is_on_record(&me, &other) && !grants.has_viewed(&me, &id(1)));
        let later = now + Duration::from_secs(61);
        assert_eq!((grants.reason(&me, &one, later), grants.reason_for(&me, &id(1), later)), (None, None));
        grants.forget(&me);
        assert_eq!(grants.open.lock().shown, 0);
    }

    #[test]
    fn what_is_open_is_bounded_whoever_searches_how_much() {
        let grants = Grants::new(Duration::from_secs(60));
        let now = Instant::now();
        for session in 0..8_u8 {
            for n in 0..20_usize {
                let wanted = Wanted::search(&format!("camera={n}"));
                grants.give([session; 32], &wanted, "核查", now + Duration::from_millis(n as u64));
                for page in 0..3 {
                    grants.show(&[session; 32], &wanted, (0..9000).map(|i| id(page * 9000 + i)));
                }
            }
            let open = grants.open.lock();
            let counted: usize = open.by_session.values().flatten().map(|s| s.shown.len()).sum();
            assert_eq!(counted, open.shown);
            assert!(open.shown <= SHOWN_BY_ALL, "{}", open.shown);
            assert!(open.by_session.values().all(|all| all.len() <= SEARCHES));
            assert!(open.by_session.values().flatten().all(|s| s.shown.len() <= SHOWN));
        }
    }
}
