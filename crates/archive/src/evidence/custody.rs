//! The custody extract: records of the audit log that concern what is in a package, each with what its hash covers.
//!
//! The hashes show that each record is as it was logged. Whoever has the whole log finds each at its number; the
//! manifests name the log's head day by day.

use crate::merkle::Hash;
use fleet::Wall;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const LOG: &str = "sharpeyes audit 1";

/// Records of the audit log, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustodyExtract {
    /// How the log is chained.
    log: String,
    /// So many older records on the same are in the log and not here: the newest are.
    #[serde(default)]
    pub left_out: u64,
    /// The records.
    pub records: Vec<CustodyRecord>,
}

/// One record with the hash of the record before it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustodyRecord {
    /// Number in the log.
    pub seq: u64,
    /// When.
    pub at: Wall,
    /// Who: name to sign in with.
    pub who: String,
    /// Full name and unit.
    pub who_detail: String,
    /// From which address.
    pub address: String,
    /// What.
    pub action: String,
    /// On what.
    pub object: String,
    /// Why 事由.
    pub reason: String,
    /// Whether it was allowed and done.
    pub success: bool,
    /// More.
    pub detail: String,
    /// Hash of the record before.
    #[serde(with = "hex")]
    pub previous: Hash,
    /// Hash of this record.
    #[serde(with = "hex")]
    pub hash: Hash,
}

impl CustodyRecord {
    /// The hash that the log must have given this record.
    fn computed(&self) -> Hash {
        let mut hash = Sha256::new();
        hash.update(LOG);
        hash.update(b"\n");
        hash.update(self.previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.0.to_be_bytes());
        hash.update([u8::from(self.success)]);
        let texts =
            [&self.who, &self.who_detail, &self.address, &self.action, &self.object, &self.reason, &self.detail];
        for text in texts {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

impl CustodyExtract {
    /// An extract of these records, in the order of the log.
    #[must_use]
    pub fn new(mut records: Vec<CustodyRecord>) -> CustodyExtract {
        records.sort_unstable_by_key(|r| r.seq);
        CustodyExtract { log: LOG.to_owned(), left_out: 0, records }
    }

    /// The same, of which so many older records were left out.
    #[must_use]
    pub fn cut(self, left_out: u64) -> CustodyExtract {
        CustodyExtract { left_out, ..self }
    }

    /// The number of the first record that is not as it was logged, or does not follow the one before it.
    #[must_use]
    pub fn first_altered(&self) -> Option<u64> {
        let before = std::iter::once(None).chain(self.records.iter().map(Some));
        let altered = self.records.iter().zip(before).find(|(record, before)| {
            let follows = before.is_none_or(|b| match record.seq.checked_sub(b.seq) {
                Some(1) => record.previous == b.hash,
                Some(more) => more > 1,
                None => false,
            });
            !follows || record.computed() != record.hash
        });
        altered.map(|(record, _)| record.seq).or((self.log != LOG).then_some(0))
    }
}
