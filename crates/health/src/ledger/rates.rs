//! Rates and times of a tally, each with its formula. A rate without a denominator is none, never 0 or 100 %.

use super::{Kind, Tally};
use fleet::Cause;
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures of an assessment. Rates are 0–1.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Rates {
    /// 在线率, by duration: time online or impaired / time judged.
    pub online_by_duration: Option<f64>,
    /// 在线率, by samples: of the samples at full hours of complete days, those online or impaired.
    pub online_by_samples: Option<f64>,
    /// 完好率: time online (without any fault) / time judged.
    pub intact: Option<f64>,
    /// 画面故障率: time with a fault of the picture / time in which there was a picture.
    pub picture_fault: Option<f64>,
    /// … of each class.
    pub picture_fault_by_class: BTreeMap<Cause, f64>,
    /// 快照完整率: stored / (stored and missing).
    pub completeness: Option<f64>,
    /// 修复及时率: outages repaired in time / outages due.
    pub repaired_in_time: Option<f64>,
    /// 重复故障率: outages that repeat / outages that began.
    pub repeated: Option<f64>,
    /// Mean time to repair: offline time of the ended outages / their number, in milliseconds.
    pub mttr_ms: Option<f64>,
    /// Mean time between failures: time with video / outages that began, in milliseconds.
    pub mtbf_ms: Option<f64>,
    /// Share of recorded time that is unknown.
    pub unknown: Option<f64>,
    /// Share of recorded time that is paused.
    pub paused: Option<f64>,
    /// Share of recorded time that is excused.
    pub excused: Option<f64>,
}

impl Tally {
    /// The figures.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let seen = self.up();
        let share = |kind| rate(self.of(kind), self.recorded());
        Rates {
            online_by_duration: rate(self.up(), self.judged()),
            online_by_samples: rate(self.day_up.into(), self.day_judged.into()),
            intact: rate(self.of(Kind::Online), self.judged()),
            picture_fault: rate(self.picture_faults(), seen),
            picture_fault_by_class: self
                .picture
                .iter()
                .filter_map(|(cause, millis)| rate(*millis, seen).map(|r| (*cause, r)))
                .collect(),
            completeness: rate(self.stored.into(), i64::from(self.stored) + i64::from(self.gaps)),
            repaired_in_time: rate(self.in_time.into(), self.due.into()),
            repeated: rate(self.repeats.into(), self.began.into()),
            mttr_ms: rate(self.repair_ms, self.ended.into()),
            mtbf_ms: rate(self.up(), self.began.into()),
            unknown: share(Kind::Unknown),
            paused: share(Kind::Paused),
            excused: share(Kind::Excused),
        }
    }
}

/// How many cameras were what at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Moment {
    /// 在线.
    pub online: u32,
    /// 异常.
    pub impaired: u32,
    /// 离线.
    pub offline: u32,
    /// 未知.
    pub unknown: u32,
    /// 停用/检修.
    pub paused: u32,
    /// 豁免.
    pub excused: u32,
}

impl Moment {
    /// Counts one camera.
    pub fn add(&mut self, kind: Kind) {
        *match kind {
            Kind::Online => &mut self.online,
            Kind::Impaired => &mut self.impaired,
            Kind::Offline => &mut self.offline,
            Kind::Unknown => &mut self.unknown,
            Kind::Paused => &mut self.paused,
            Kind::Excused => &mut self.excused,
        } += 1;
    }

    /// 在线率, instantaneous: online or impaired / judged.
    #[must_use]
    pub fn online_rate(&self) -> Option<f64> {
        let up = self.online + self.impaired;
        rate(up.into(), (up + self.offline).into())
    }
}

fn rate(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
