//! A report as a table, for every kind of file: each formula is written out, so that a figure says what it is.

use super::{Figures, Group, GroupRow};
use fleet::Wall;
use jiff::{Timestamp, tz::Offset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Language of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) enum Language {
    /// Simplified Chinese.
    #[default]
    #[serde(rename = "zh-CN")]
    Chinese,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    pub(crate) fn pick(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Language::Chinese => zh,
            Language::English => en,
        }
    }
}

/// A cell.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
    /// 0–1.
    Rate(Option<f64>),
    Hours(Option<f64>),
}

/// A report to be written.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub(crate) language: Language,
    pub(crate) title: String,
    /// What it is about: name, value.
    pub(crate) about: Vec<(&'static str, String)>,
    pub(crate) headings: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Index of the first row of the groups; what is before is the sum.
    pub(crate) formulas: Vec<(&'static str, &'static str)>,
}

/// Heading in both languages, how to fill it.
type Column = (&'static str, &'static str, fn(&Figures) -> Cell);

const COLUMNS: [Column; 24] = [
    ("在线率（瞬时）", "online rate, instantaneous", |f| Cell::Rate(f.online_at_end)),
    ("在线率（时长）", "online rate, by duration", |f| Cell::Rate(f.online_by_duration)),
    ("在线率（整点采样）", "online rate, by hourly samples", |f| Cell::Rate(f.online_by_samples)),
    ("采样完整的机日", "camera-days sampled completely", |f| Cell::Number(f.days_complete.into())),
    ("采样不完整、未计入的机日", "camera-days incomplete, left out", |f| {
        Cell::Number(f.days_incomplete.into())
    }),
    ("完好率", "intact rate", |f| Cell::Rate(f.intact)),
    ("画面故障率", "picture fault rate", |f| Cell::Rate(f.picture_fault)),
    ("快照完整率", "snapshot completeness", |f| Cell::Rate(f.completeness)),
    ("已存快照", "snapshots stored", |f| Cell::Number(f.stored.into())),
    ("缺失快照", "snapshots missing", |f| Cell::Number(f.gaps.into())),
    ("离线次数", "outages", |f| Cell::Number(f.outages.into())),
    ("期初仍离线", "offline at the beginning", |f| Cell::Number(f.standing.into())),
    ("恢复次数", "outages ended", |f| Cell::Number(f.ended.into())),
    ("修复及时率", "repaired in time", |f| Cell::Rate(f.repaired_in_time)),
    ("应修复", "repairs due", |f| Cell::Number(f.due.into())),
    ("及时修复", "repairs in time", |f| Cell::Number(f.in_time.into())),
    ("重复故障率", "repeated outages", |f| Cell::Rate(f.repeated)),
    ("平均修复时长（小时）", "MTTR (hours)", |f| Cell::Hours(f.mttr_ms)),
    ("平均无故障时长（小时）", "MTBF (hours)", |f| Cell::Hours(f.mtbf_ms)),
    ("考核时长（小时）", "judged time (hours)", |f| Cell::Hours(Some(f.judged_ms as f64))),
    ("离线时长（小时）", "offline time (hours)", |f| Cell::Hours(Some(f.offline_ms as f64))),
    ("未知占比", "share unknown", |f| Cell::Rate(f.unknown)),
    ("停用占比", "share paused", |f| Cell::Rate(f.paused)),
    ("豁免占比", "share excused", |f| Cell::Rate(f.excused)),
];

/// The columns that a mail tells; the files have them all.
const MAIN: [usize; 8] = [1, 5, 6, 7, 10, 13, 17, 21];

/// Name and formula: Chinese, English.
const FORMULAS: [(&str, &str, &str, &str); 9] = [
    (
        "在线率（瞬时）",
        "期末时刻在线与异常的摄像机数 ÷ 在线、异常与离线的摄像机数",
        "online rate, instantaneous",
        "cameras online or impaired at the end of the range / cameras online, impaired or offline",
    ),
    (
        "在线率（时长）",
        "在线与异常时长 ÷ 在线、异常与离线时长；停用、豁免、未知时长不计入分母，未豁免的检修按离线计",
        "online rate, by duration",
        "time online or impaired / time online, impaired or offline; paused, excused and unknown time is not counted, maintenance that is not excused counts as offline",
    ),
    (
        "在线率（整点采样）",
        "每天 24 个整点采样，在线与异常的次数 ÷ 有效次数；采样不完整的机日标出且不计入",
        "online rate, by hourly samples",
        "of 24 samples a day at full hours, those online or impaired; incomplete camera-days are shown and left out",
    ),
    (
        "完好率",
        "在线且无任何异常的时长 ÷ 在线、异常与离线时长",
        "intact rate",
        "time online without any fault / judged time",
    ),
    (
        "画面故障率",
        "画面或解码故障时长 ÷ 有画面的时长；未检测、登录失败、取流失败属于连通问题，不计入",
        "picture fault rate",
        "time with a fault of picture or decoding / time with a picture; not checked, refused sign-in and missing stream are connectivity",
    ),
    (
        "快照完整率",
        "已存快照 ÷（已存 + 缺失）；停用期间不计",
        "snapshot completeness",
        "stored / (stored + missing); not while paused",
    ),
    (
        "修复及时率",
        "在限时内恢复的离线 ÷ 期内恢复或到期的离线；停用、豁免、未知时停表",
        "repaired in time",
        "outages repaired within the limit / outages that ended or became overdue; the clock stops while paused, excused or unknown",
    ),
    (
        "重复故障率",
        "恢复后在约定时间内再次离线的次数 ÷ 离线次数",
        "repeated outages",
        "outages that began within the agreed time after a recovery / outages",
    ),
    (
        "平均修复时长、平均无故障时长",
        "已恢复离线的离线时长 ÷ 恢复次数；在线与异常时长 ÷ 离线次数",
        "MTTR, MTBF",
        "offline time of ended outages / outages ended; time with video / outages",
    ),
];

impl Sheet {
    /// Places of the columns that a mail tells: the names, how many cameras, and the main figures.
    pub(crate) fn main(&self) -> Vec<usize> {
        let first = self.headings.len() - COLUMNS.len();
        (0..first).chain(MAIN.iter().map(|n| first + n)).collect()
    }

    /// The main figures of a sum beside those of the period before: name, now, before.
    pub(crate) fn compared(
        language: Language,
        now: &Figures,
        before: Option<&Figures>,
    ) -> Vec<(&'static str, Cell, Option<Cell>)> {
        let column = |n: &usize| {
            let (zh, en, fill) = COLUMNS[*n];
            (language.pick(zh, en), fill(now), before.map(fill))
        };
        MAIN.iter().map(column).collect()
    }

    /// Puts a report into a table: the sum first, then the groups.
    pub(crate) fn new(
        language: Language,
        title: String,
        about: Vec<(&'static str, String)>,
        by: Group,
        total: (u32, &Figures),
        groups: &[GroupRow],
    ) -> Sheet {
        let pick = |zh, en| language.pick(zh, en);
        let mut headings = match by {
            Group::Town => vec![pick("乡镇/街道", "town")],
            Group::Site => vec![pick("乡镇/街道", "town"), pick("村/中心区域", "site")],
            Group::Contractor => vec![pick("维护单位", "contractor")],
            Group::Camera => {
                vec![
                    pick("乡镇/街道", "town"),
                    pick("村/中心区域", "site"),
                    pick("编号", "number"),
                    pick("摄像机", "camera"),
                ]
            }
        };
        let names = headings.len();
        headings.push(pick("摄像机数", "cameras"));
        headings.extend(COLUMNS.iter().map(|(zh, en, _)| pick(zh, en)));
        let line = |mut cells: Vec<Cell>, cameras: u32, figures: &Figures| {
            cells.push(Cell::Number(cameras.into()));
            cells.extend(COLUMNS.iter().map(|(.., fill)| fill(figures)));
            cells
        };
        let mut sum = vec![Cell::Text(String::new()); names];
        sum[0] = Cell::Text(pick("合计", "total").to_owned());
        let mut rows = vec![line(sum, total.0, total.1)];
        for group in groups {
            let text = |t: &Option<String>| Cell::Text(t.clone().unwrap_or_default());
            let name = match (by, group.name.is_empty()) {
                (Group::Contractor, true) => pick("（未登记）", "(none)").to_owned(),
                _ => group.name.clone(),
            };
            let cells = match by {
                Group::Town | Group::Contractor => vec![Cell::Text(name)],
                Group::Site => vec![text(&group.town), Cell::Text(name)],
                Group::Camera => {
                    let number = group.id.map(|id| fleet::CameraId(id).to_string()).unwrap_or_default();
                    vec![text(&group.town), text(&group.site), Cell::Text(number), Cell::Text(name)]
                }
            };
            rows.push(line(cells, group.cameras, &group.figures));
        }
        let formulas = FORMULAS.iter().map(|(zh, zh_is, en, en_is)| (pick(zh, en), pick(zh_is, en_is))).collect();
        Sheet { language, title, about, headings, rows, formulas }
    }
}

/// An instant on the county's clock, as people and spreadsheets write it.
pub(crate) fn local(at: Wall) -> String {
    Timestamp::from_millisecond(at.0)
        .map(|t| Offset::constant(8).to_datetime(t).strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
