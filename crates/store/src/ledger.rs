//! The availability ledger as it is kept: roll-ups of the status intervals, excuses, frozen months.
//!
//! Intervals and excuses are the truth; roll-ups are made from them and can be made again at any time. Only a frozen
//! month is kept as it was: what was reported stays reported.

use crate::{Result, StatusInterval};
use fleet::{CameraId, Wall};
use health::ledger::{Carry, Excuse, Kind, Rules, Tally};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How long roll-ups of single hours are kept, in days. Ranges that begin before are widened to whole days.
pub const HOURS_KEPT_DAYS: i64 = 62;
/// A month is frozen so long after its end: time to hand in excuses.
pub const FREEZE_AFTER_DAYS: i64 = 5;

/// The part of a store that keeps the ledger.
#[async_trait::async_trait]
pub trait LedgerStore: Send + Sync {
    /// Rolls up at most one day of whatever is not rolled up yet, oldest first, in one transaction; to be called
    /// again until [`RolledUp::caught_up`]. Stopping in the middle loses nothing. Freezes months that are ripe. Takes in
    /// what maintenance windows say by now: excused ones are out of the figures, others count as time without video.
    /// Nothing is counted after the last [`Fact::Alive`](crate::Fact::Alive), if there is one: it may not be on record yet.
    async fn roll_up(&self, work: &RollUp) -> Result<RolledUp>;

    /// Forgets roll-ups from an instant on, so that they are made again; frozen months stay.
    async fn forget_roll_ups(&self, from: Wall) -> Result<()>;

    /// Takes time out of the figures. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if it ends before it begins or reaches into a frozen month.
    async fn excuse(&self, excuses: &[Excuse]) -> Result<()>;

    /// Excuses that overlap a range, oldest first; at most 10,000.
    async fn excuses(&self, range: Range<Wall>) -> Result<Vec<Excuse>>;

    /// What was counted of each camera within a range, widened to whole hours (whole days where hours are not kept).
    /// A range that is exactly one frozen month is answered from what was frozen.
    async fn ledger(&self, range: Range<Wall>) -> Result<Ledger>;

    /// The sums of some cameras (all if `None`) by hour, day or month within a range, oldest first.
    async fn ledger_trend(
        &self,
        range: Range<Wall>,
        step: Step,
        cameras: Option<&[CameraId]>,
    ) -> Result<Vec<(Wall, Tally)>>;

    /// What one camera's figures are counted from.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if the range holds more intervals than can be handed out at once.
    async fn ledger_history(&self, camera: CameraId, range: Range<Wall>) -> Result<LedgerHistory>;
}

/// What a roll-up needs beside the store's own records.
#[derive(Clone, PartialEq, Debug)]
pub struct RollUp {
    /// Now.
    pub now: Wall,
    /// What the figures go by. When they change, everything that is not frozen is rolled up again.
    pub rules: Rules,
    /// Snapshots counted anew; replaces the counts of these hours and cameras.
    pub snapshots: Vec<SnapshotCount>,
    /// Our clock has been steady for long enough to do what cannot be taken back: months freeze, and hours that are
    /// kept in their days go.
    pub for_good: bool,
}

/// Scheduled snapshots of one camera in one hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotCount {
    /// The hour's beginning.
    pub hour: Wall,
    /// Which camera.
    pub camera: CameraId,
    /// Stored.
    pub stored: u32,
    /// Missing.
    pub gaps: u32,
}

/// How far roll-ups are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RolledUp {
    /// Everything before is rolled up; `None` if there is no history yet.
    pub upto: Option<Wall>,
    /// Nothing is left to do now.
    pub caught_up: bool,
    /// The newest hour that snapshots were counted of.
    pub snapshots_upto: Option<Wall>,
}

/// Length of the steps of a trend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// By hour; only what is kept.
    Hour,
    /// By day.
    Day,
    /// By month.
    Month,
}

/// The figures of a range.
#[derive(Clone, PartialEq, Debug)]
pub struct Ledger {
    /// The range as counted.
    pub range: Range<Wall>,
    /// Rolled up so far; `None` if nothing is.
    pub upto: Option<Wall>,
    /// One line a camera with any record in the range, by number.
    pub lines: Vec<LedgerLine>,
    /// What the figures go by.
    pub rules: Rules,
    /// The month was frozen.
    pub frozen: Option<Frozen>,
}

/// One camera's figures.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Which camera.
    pub camera: CameraId,
    /// What was counted.
    pub tally: Tally,
    /// What it was at the end of the range, or now if that is to come.
    pub last: Option<Kind>,
    /// Where it belonged when the month was frozen.
    pub place: Option<FrozenPlace>,
}

/// Where a camera belonged when a month was frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FrozenPlace {
    /// Its name.
    pub name: String,
    /// Number of its site.
    pub site: u32,
    /// The site's name.
    pub site_name: String,
    /// Number of its town.
    pub town: u32,
    /// The town's name.
    pub town_name: String,
    /// Who looked after it.
    pub contractor: Option<String>,
}

/// When and as what a month was frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frozen {
    /// When.
    pub at: Wall,
    /// What the figures went by.
    pub rules: Rules,
    /// SHA-256 over the hash of the month before and the lines.
    pub hash: [u8; 32],
}

/// What one camera's figures are counted from.
#[derive(Clone, PartialEq, Debug)]
pub struct LedgerHistory {
    /// Begins with the day that holds the range's beginning.
    pub from: Wall,
    /// What the time before says.
    pub carry: Carry,
    /// Intervals from there to the range's end, oldest first.
    pub intervals: Vec<StatusInterval>,
    /// Excuses in that time.
    pub excuses: Vec<Excuse>,
    /// Scheduled snapshots of the range's hours, oldest first.
    pub snapshots: Vec<SnapshotCount>,
}
