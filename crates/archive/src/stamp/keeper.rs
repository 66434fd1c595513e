//! Asks the authority for the stamps that are lacking: one after another, for as long as the archive is open. While it
//! is away, ever less often; nothing else waits for it.

use super::{Stamp, StampConfig, StampFault, request, token};
use crate::{
    command::Shared,
    custody::{Manifest, manifest_hash},
    folder::{Day, Folder, replace_file},
    merkle::Hash,
};
use fleet::Wall;
use rand::Rng as _;
use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

/// First and longest pause after a failure.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));
/// How often is looked for days that are over.
const LOOK: Duration = Duration::from_secs(60);
/// Longest wait for an answer, and its largest size.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_MOST: usize = 256 << 10;

/// Why there is no stamp yet.
#[derive(Debug, thiserror::Error)]
enum Lacking {
    #[error("the time stamping authority does not answer: {0}")]
    Away(String),
    #[error("the time stamping authority: {0}")]
    Fault(#[from] StampFault),
    #[error("cannot keep a time stamp: {0}")]
    Local(#[from] std::io::Error),
}

/// Runs until the archive closes.
pub(crate) async fn run(shared: Arc<Shared>, config: StampConfig) {
    let mut closed = shared.closed.subscribe();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(ANSWER_WITHIN)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "no time stamps: there is no HTTP client"),
    };
    let mut keeper = Keeper { folder: shared.folder.clone(), config, client, stamped: BTreeMap::new() };
    let mut pause = RETRY.0;
    loop {
        let turn = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            turn = keeper.turn(&shared) => turn,
        };
        let wait = match turn {
            Ok(()) => {
                pause = RETRY.0;
                LOOK
            }
            Err(error) => {
                tracing::warn!(%error, "a manifest has no time stamp yet; trying again");
                let text = error.to_string();
                tell(&shared, |stats| stats.detail = text);
                let wait = pause.mul_f64(rand::rng().random_range(0.5..1.0));
                pause = (pause * 2).min(RETRY.1);
                wait
            }
        };
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn tell(shared: &Shared, change: impl FnOnce(&mut super::StampStats)) {
    change(shared.stats().stamps.get_or_insert_default());
}

struct Keeper {
    folder: Folder,
    config: StampConfig,
    client: reqwest::Client,
    /// Days whose stamp was seen to be of their manifest, and over what.
    stamped: BTreeMap<Day, Hash>,
}

impl Keeper {
    /// Gets every stamp that is lacking.
    async fn turn(&mut self, shared: &Shared) -> Result<(), Lacking> {
        let lacking = self.lacking()?;
        let (mut waiting, stamped) = (lacking.len() as u64, self.stamped.len() as u64);
        tell(shared, |stats| (stats.waiting, stats.stamped) = (waiting, stamped));
        for (day, hash) in lacking {
            let token = self.ask(&hash).await?;
            replace_file(&self.folder.stamp(day), &token, 0o644)?;
            tracing::info!(%day, "the day's manifest has its time stamp");
            self.stamped.insert(day, hash);
            waiting -= 1;
            tell(shared, |stats| {
                (stats.waiting, stats.stamped) = (waiting, stats.stamped + 1);
                (stats.last_stored, stats.detail) = (Some(Wall::read()), String::new());
            });
        }
        tell(shared, |stats| stats.detail.clear());
        Ok(())
    }

    /// Days that are over and have no stamp over their manifest, oldest first. The newest may still grow.
    fn lacking(&mut self) -> Result<Vec<(Day, Hash)>, Lacking> {
        let mut days = Folder::days(&self.folder.manifests(), "txt").map_err(|e| Lacking::Away(e.to_string()))?;
        let today = Day::of(Wall::read());
        days.retain(|day| *day < today);
        let mut lacking = Vec::new();
        for day in days {
            let text = fs::read_to_string(self.folder.manifest(day))?;
            // One that cannot be believed is not vouched for.
            if Manifest::of_day(&text, day).is_err() {
                continue;
            }
            let hash = manifest_hash(&text);
            // A day's manifest may grow after midnight: what was sealed before is catalogued late, or the clock was set.
            if self.stamped.get(&day) == Some(&hash) {
                continue;
            }
            let token = fs::read(self.folder.stamp(day)).unwrap_or_default();
            match Stamp::parse(&token).filter(|stamp| stamp.is_of(&hash)) {
                Some(_) => drop(self.stamped.insert(day, hash)),
                None => {
                    self.stamped.remove(&day);
                    lacking.push((day, hash));
                }
            }
        }
        Ok(lacking)
    }

    async fn ask(&self, hash: &Hash) -> Result<Vec<u8>, Lacking> {
        let away = |e: reqwest::Error| Lacking::Away(e.without_url().to_string());
        let (nonce, began) = (rand::rng().random::<u64>(), Instant::now());
        let asked = self.client.post(&self.config.url).header("content-type", "application/timestamp-query");
        let mut answer =
            asked.body(request(hash, nonce)).send().await.map_err(away)?.error_for_status().map_err(away)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_MOST || began.elapsed() > ANSWER_WITHIN {
                return Err(Lacking::Away("its answer has no end".to_owned()));
            }
        }
        let token = token(&bytes, hash, nonce)?;
        if let (Some(authority), Some(stamp)) = (&self.config.authority, Stamp::parse(&token)) {
            stamp.check(authority)?;
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        custody::{AuditHead, Custody},
        keys::Missing,
    };

    #[test]
    fn a_manifest_that_grew_after_its_day_needs_another_stamp() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        folder.prepare().unwrap();
        let now = Wall::read();
        let yesterday = Wall(now.0 - 86_400_000);
        let mut custody = Custody::open(&folder, "test", None, Missing::Refuse, now).unwrap();
        custody.anchor(AuditHead { seq: 1, hash: [1; 32] }, yesterday).unwrap();
        let config = StampConfig { url: String::new(), authority: None };
        let mut keeper = Keeper { folder, config, client: reqwest::Client::new(), stamped: BTreeMap::new() };
        let lacking = keeper.lacking().unwrap();
        assert_eq!(lacking.len(), 1);
        keeper.stamped.extend(lacking.clone());
        assert_eq!(keeper.lacking().unwrap(), []);
        custody.anchor(AuditHead { seq: 2, hash: [2; 32] }, yesterday).unwrap();
        let again = keeper.lacking().unwrap();
        assert!(again.len() == 1 && again != lacking);
        assert!(keeper.stamped.is_empty(), "it counts as lacking until it has come");
    }
}
