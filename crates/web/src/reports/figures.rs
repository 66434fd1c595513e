//! Figures as the API gives them.

use crate::words::CauseWord;
use health::ledger::{Kind, Moment, Tally};
use serde::Serialize;
use utoipa::ToSchema;

/// Rates are 0–1 and null without a denominator; times are milliseconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// 在线率 (a), instantaneous at the end of the range (or now): online or impaired / judged cameras.
    pub(crate) online_at_end: Option<f64>,
    /// 在线率 (b), by duration: time online or impaired / judged time.
    pub(crate) online_by_duration: Option<f64>,
    /// 在线率 (c), by samples at full hours of complete days.
    pub(crate) online_by_samples: Option<f64>,
    /// Camera-days whose samples are complete.
    pub(crate) days_complete: u32,
    /// Camera-days left out of (c) because samples are missing or unknown.
    pub(crate) days_incomplete: u32,
    /// 完好率: time online without any fault / judged time.
    pub(crate) intact: Option<f64>,
    /// 画面故障率: time with a fault of the picture / time with a picture.
    pub(crate) picture_fault: Option<f64>,
    pub(crate) picture_fault_by_class: Vec<PictureFault>,
    /// 快照完整率.
    pub(crate) completeness: Option<f64>,
    pub(crate) stored: u32,
    pub(crate) gaps: u32,
    /// 修复及时率: in time / due.
    pub(crate) repaired_in_time: Option<f64>,
    pub(crate) due: u32,
    pub(crate) in_time: u32,
    /// 重复故障率: repeats / outages.
    pub(crate) repeated: Option<f64>,
    pub(crate) repeats: u32,
    /// Outages that began in the range.
    pub(crate) outages: u32,
    /// Outages that lasted when it began.
    pub(crate) standing: u32,
    /// Outages that ended in it.
    pub(crate) ended: u32,
    pub(crate) mttr_ms: Option<f64>,
    pub(crate) mtbf_ms: Option<f64>,
    /// Time in the denominators.
    pub(crate) judged_ms: i64,
    pub(crate) offline_ms: i64,
    /// Shares of recorded time that are in no rate.
    pub(crate) unknown: Option<f64>,
    pub(crate) paused: Option<f64>,
    pub(crate) excused: Option<f64>,
}

/// One class of fault of the picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PictureFault {
    pub(crate) cause: CauseWord,
    pub(crate) rate: f64,
}

impl Figures {
    pub(crate) fn of(tally: &Tally, moment: &Moment) -> Figures {
        let rates = tally.rates();
        Figures {
            online_at_end: moment.online_rate(),
            online_by_duration: rates.online_by_duration,
            online_by_samples: rates.online_by_samples,
            days_complete: tally.days_complete,
            days_incomplete: tally.days_incomplete,
            intact: rates.intact,
            picture_fault: rates.picture_fault,
            picture_fault_by_class: rates
                .picture_fault_by_class
                .into_iter()
                .map(|(cause, rate)| PictureFault { cause: cause.into(), rate })
                .collect(),
            completeness: rates.completeness,
            stored: tally.stored,
            gaps: tally.gaps,
            repaired_in_time: rates.repaired_in_time,
            due: tally.due,
            in_time: tally.in_time,
            repeated: rates.repeated,
            repeats: tally.repeats,
            outages: tally.began,
            standing: tally.standing,
            ended: tally.ended,
            mttr_ms: rates.mttr_ms,
            mtbf_ms: rates.mtbf_ms,
            judged_ms: tally.judged(),
            offline_ms: tally.of(Kind::Offline),
            unknown: rates.unknown,
            paused: rates.paused,
            excused: rates.excused,
        }
    }
}
