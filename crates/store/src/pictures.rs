//! What cameras usually show, and what people said of verdicts on pictures.

use crate::Result;
use fleet::{CameraId, Cause, Wall};
use serde::{Deserialize, Serialize};

/// What a camera usually shows, as stored. Never a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaselineRecord {
    /// Whose.
    pub camera: CameraId,
    /// When it was handed to the store.
    pub saved: Wall,
    /// In the form of the diagnosis, which alone can read it.
    pub data: Vec<u8>,
    /// Archived snapshots that show what was learned or accepted, as far as known: by day, in colour in the dark, by
    /// infrared.
    pub references: [Option<String>; 3],
    /// Who accepted it and when, if a person did.
    pub accepted: Option<(String, Wall)>,
}

/// A change to the stored baseline of one camera.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BaselineChange {
    /// Replaces it.
    Put(BaselineRecord),
    /// Drops it: reset by a person, or the camera left the register.
    Drop(CameraId),
}

/// What a person said of a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// 属实: the picture has this fault.
    Confirmed,
    /// 误报: it has not.
    FalseAlarm,
}

impl Said {
    /// Both.
    pub const ALL: [Said; 2] = [Said::Confirmed, Said::FalseAlarm];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Said::Confirmed => "confirmed",
            Said::FalseAlarm => "false_alarm",
        }
    }

    /// The word with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Said> {
        Said::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// A person's word on one verdict: a class of a camera since an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// Of which camera.
    pub camera: CameraId,
    /// Of which class.
    pub cause: Cause,
    /// Since when the verdict held.
    pub since: Wall,
    /// What was said.
    pub said: Said,
    /// When.
    pub at: Wall,
    /// By whom: name to sign in with.
    pub who: String,
    /// Full name and unit at that time.
    pub who_detail: String,
    /// Why.
    pub reason: String,
    /// Of a false alarm: until when the class is not told for this camera.
    pub until: Option<Wall>,
}

/// How many verdicts of one class people confirmed and called false alarms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WordCount {
    /// The class.
    pub cause: Cause,
    /// Verdicts confirmed.
    pub confirmed: u64,
    /// Verdicts called false alarms.
    pub false_alarms: u64,
}

/// What judging pictures needs to have kept.
#[async_trait::async_trait]
pub trait Pictures: Send + Sync {
    /// Every baseline.
    async fn baselines(&self) -> Result<Vec<BaselineRecord>>;
    /// Replaces and drops baselines, all or nothing.
    async fn change_baselines(&self, changes: Vec<BaselineChange>) -> Result<()>;
    /// Records what a person said; replaces an earlier word on the same verdict. Whatever is said of a class ends the
    /// exceptions of that camera and class that earlier words made.
    async fn say(&self, word: &Word) -> Result<()>;
    /// The words on one camera's verdicts, newest first, at most `most`.
    async fn words_on(&self, camera: CameraId, most: u32) -> Result<Vec<Word>>;
    /// Every exception in force at an instant: false alarms whose time is not over.
    async fn exceptions(&self, now: Wall) -> Result<Vec<Word>>;
    /// Ends the exceptions of a camera and class now; whether there was one.
    async fn end_exception(&self, camera: CameraId, cause: Cause, now: Wall) -> Result<bool>;
    /// Counts the verdicts on which a word was said since an instant, by class.
    async fn count_words(&self, since: Wall) -> Result<Vec<WordCount>>;
}
