//! The closed lists of the other floors as the API spells them, with their schemas and their texts.

use crate::outcome::PictureOutcome;
use fleet::{Cause, Codec, Confidence, Layer, LifeCycle, SiteKind, Status, StreamChoice, Transport};
use health::{
    LikelyCause, OwnPart, RuleScope, Severity, Shared, Situation, SnapshotClass,
    desk::{HoldReason, OrderState, Outcome},
};
use picture::{Level, Light, MeasureKind};
use serde::{Deserialize, Serialize};
use store::{ChangeKind, Every, ExportState, PictureKind, Role, Said};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($of:ty) = $codes:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) $of);

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                closed_list($codes)
            }
        }
        impl ToSchema for $name {}
        impl From<$of> for $name {
            fn from(value: $of) -> $name {
                $name(value)
            }
        }
    )*};
}

words! {
    /// Status of a camera.
    StatusWord(Status) = Status::ALL.map(Status::code);
    /// Rung of the ladder.
    LayerWord(Layer) = Layer::ALL.map(Layer::code);
    /// Why a camera does not deliver.
    CauseWord(Cause) = Cause::ALL.iter().map(|c| c.code());
    /// How sure a verdict is.
    ConfidenceWord(Confidence) = Confidence::ALL.map(Confidence::code);
    /// What a user may do.
    RoleWord(Role) = Role::ALL.map(Role::code);
    /// How urgent an incident is.
    SeverityWord(Severity) = SEVERITIES.iter().map(|w| code(&w.0));
    /// What probably lies behind an incident.
    LikelyWord(LikelyCause) = LIKELY.iter().map(|w| code(&w.0));
    /// Why a snapshot is kept.
    ClassWord(SnapshotClass) = CLASSES.iter().map(|w| code(&w.0));
    /// Part of our own machine.
    OwnWord(OwnPart) = PARTS.iter().map(|w| code(&w.0));
    /// How often a report is mailed.
    EveryWord(Every) = [Every::Day, Every::Week, Every::Month].iter().map(code);
    /// How far an export is.
    ExportWord(ExportState) = ExportState::ALL.map(ExportState::code);
    /// How the register was changed.
    ChangeWord(ChangeKind) = ChangeKind::ALL.map(ChangeKind::code);
    /// How bad a fault of the picture is.
    LevelWord(Level) = [Level::Slight, Level::Severe].map(Level::code);
    /// What came of diagnosing a camera's picture.
    PictureOutcomeWord(PictureOutcome) = PictureOutcome::ALL.map(PictureOutcome::code);
    /// By which light a camera sees.
    LightWord(Light) = Light::ALL.map(Light::code);
    /// What a figure of a picture is of.
    MeasureWord(MeasureKind) = MeasureKind::ALL.map(MeasureKind::code);
    /// What a person said of a verdict.
    SaidWord(Said) = Said::ALL.map(Said::code);
    /// Video codec.
    CodecWord(Codec) = [Codec::H264, Codec::H265, Codec::Jpeg].map(Codec::code);
    /// Village or central area.
    SiteKindWord(SiteKind) = [SiteKind::Village, SiteKind::CentralArea].map(SiteKind::code);
    /// In use, in repair, out of use, dismantled.
    LifeCycleWord(LifeCycle) =
        [LifeCycle::InUse, LifeCycle::Repair, LifeCycle::OutOfUse, LifeCycle::Dismantled].map(LifeCycle::code);
    /// Where a work order stands.
    OrderStateWord(OrderState) = OrderState::ALL.iter().map(code);
    /// How a work order ended.
    OrderOutcomeWord(Outcome) = [Outcome::Accepted, Outcome::FalseAlarm, Outcome::Merged].iter().map(code);
    /// Why a work order waits.
    HoldReasonWord(HoldReason) = HoldReason::ALL.iter().map(code);
    /// What a picture of a work order shows.
    PictureKindWord(PictureKind) = PictureKind::ALL.map(PictureKind::code);
    /// Main or sub stream.
    StreamWord(StreamChoice) = [StreamChoice::Main, StreamChoice::Sub].map(StreamChoice::code);
    /// How RTP travels.
    TransportWord(Transport) = [Transport::Tcp, Transport::Udp].map(Transport::code);
}

/// Severities, most urgent first: Chinese, English.
pub(crate) const SEVERITIES: [(Severity, &str, &str); 3] =
    [(Severity::Critical, "紧急", "critical"), (Severity::Major, "重要", "major"), (Severity::Minor, "一般", "minor")];

/// Likely causes: Chinese, English.
pub(crate) const LIKELY: [(LikelyCause, &str, &str); 16] = [
    (LikelyCause::PowerOrFibre, "停电或光缆中断", "power cut or cut fibre"),
    (LikelyCause::Power, "停电", "power cut"),
    (LikelyCause::Fibre, "光缆中断", "cut fibre"),
    (LikelyCause::Switch, "交换机或录像机", "switch or recorder"),
    (LikelyCause::Lightning, "雷击", "lightning"),
    (LikelyCause::BorrowedPower, "借用电源定时断电", "borrowed power, switched off each day"),
    (LikelyCause::Trunk, "上联干线或 OLT 故障", "trunk or line terminal"),
    (LikelyCause::Camera, "摄像机、网线或 PoE 端口", "camera, its cable or PoE port"),
    (LikelyCause::Firmware, "摄像机服务或固件", "camera service or firmware"),
    (LikelyCause::Account, "账号或密码", "account or password"),
    (LikelyCause::IpConflict, "IP 地址冲突", "IP address conflict"),
    (LikelyCause::Settings, "参数设置", "settings"),
    (LikelyCause::Sessions, "会话数被占满", "session limit reached"),
    (LikelyCause::Link, "链路质量差", "poor link"),
    (LikelyCause::Lens, "镜头、补光或环境", "lens, lamp or surroundings"),
    (LikelyCause::Own, "本机故障", "our own machine"),
];

/// Parts of our own machine: Chinese, English.
pub(crate) const PARTS: [(OwnPart, &str, &str); 7] = [
    (OwnPart::Network, "本机网络", "our network"),
    (OwnPart::Disk, "本机磁盘", "our disk"),
    (OwnPart::Archive, "存档内容", "what is archived"),
    (OwnPart::Database, "本机数据库", "our database"),
    (OwnPart::Decoder, "本机解码", "our decoder"),
    (OwnPart::Clock, "本机时钟", "our clock"),
    (OwnPart::Machine, "本机处理能力", "our processor"),
];

/// States of a work order: Chinese, English.
pub(crate) const ORDER_STATES: [(OrderState, &str, &str); 8] = [
    (OrderState::Reported, "待确认", "to be confirmed"),
    (OrderState::Confirmed, "待派单", "to be assigned"),
    (OrderState::Assigned, "已派单", "assigned"),
    (OrderState::Accepted, "已接单", "accepted"),
    (OrderState::Working, "处理中", "in progress"),
    (OrderState::OnHold, "挂起", "on hold"),
    (OrderState::Repaired, "待验收", "to be verified"),
    (OrderState::Closed, "已关闭", "closed"),
];

/// How a work order ended: Chinese, English.
pub(crate) const OUTCOMES: [(Outcome, &str, &str); 3] = [
    (Outcome::Accepted, "验收通过", "repair accepted"),
    (Outcome::FalseAlarm, "误报", "false alarm"),
    (Outcome::Merged, "已合并", "merged"),
];

/// Why a work order waits: Chinese, English.
pub(crate) const HOLD_REASONS: [(HoldReason, &str, &str); 7] = [
    (HoldReason::PowerCut, "停电", "power cut"),
    (HoldReason::RoadWorks, "修路施工", "road works"),
    (HoldReason::Demolition, "拆迁", "demolition"),
    (HoldReason::CarrierFibre, "运营商断缆", "carrier's fibre is cut"),
    (HoldReason::Parts, "等待备件", "waiting for parts"),
    (HoldReason::Weather, "天气原因", "weather"),
    (HoldReason::NoAccess, "现场无法进入", "no access to the place"),
];

/// What a rule of causes is about: Chinese, English.
pub(crate) const RULE_SCOPES: [(RuleScope, &str, &str); 7] = [
    (RuleScope::Camera, "单台摄像机", "one camera"),
    (RuleScope::Link, "一条链路", "one link"),
    (RuleScope::Site, "多链路点位", "a site with several links"),
    (RuleScope::Olt, "一台局端设备（OLT）", "one line terminal"),
    (RuleScope::Town, "一个乡镇", "one town"),
    (RuleScope::County, "全县", "the county"),
    (RuleScope::Own, "本系统", "this system"),
];

/// In which situation a rule of causes speaks: Chinese, English.
pub(crate) const SITUATIONS: [(Situation, &str, &str); 7] = [
    (Situation::Any, "任何情形", "always"),
    (Situation::Alone, "链路上仅此一台", "nothing else is behind the link"),
    (Situation::SiblingsAlive, "同链路有正常的", "others behind the link deliver"),
    (Situation::SiblingsSilent, "同链路全部无视频", "nothing behind the link delivers"),
    (Situation::AfterReturn, "链路已恢复而此台未恢复", "the link returned and this camera did not"),
    (Situation::SameHour, "前 3 天中至少 2 天同一时刻中断", "silent at the same hour on two of the three days before"),
    (Situation::DeliveredBefore, "该地址此前能取流", "the address delivered its video before"),
];

/// What the members of one incident share: Chinese, English.
pub(crate) const SHARED: [(Shared, &str, &str); 5] = [
    (Shared::Link, "同一链路（或链路不明的同一点位）", "one link, or one site without a known link"),
    (Shared::Site, "同一点位的多条链路", "several links of one site"),
    (Shared::Olt, "同一局端设备（OLT）", "one line terminal"),
    (Shared::Town, "同一乡镇，不同局端设备", "one town, of no common line terminal"),
    (Shared::County, "全县，不同局端设备", "the county, of no common line terminal"),
];

/// Roles: Chinese, English.
pub(crate) fn role_text(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Operator => ("值班员", "operator"),
        Role::Technician => ("维护员", "technician"),
        Role::Auditor => ("审计员", "auditor"),
        Role::Administrator => ("管理员", "administrator"),
        Role::Security => ("安全管理员", "security administrator"),
    }
}

/// Why a snapshot is kept: Chinese, English.
pub(crate) const CLASSES: [(SnapshotClass, &str, &str); 3] = [
    (SnapshotClass::Routine, "定时", "routine"),
    (SnapshotClass::StatusChange, "状态变化", "status change"),
    (SnapshotClass::Incident, "事件", "incident"),
];

/// The code word of a value of a closed list: what it serializes to.
pub(crate) fn code<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value of a closed list with this code word.
pub(crate) fn from_code<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

pub(crate) fn closed_list<W: Into<String>>(codes: impl IntoIterator<Item = W>) -> RefOr<Schema> {
    let codes: Vec<String> = codes.into_iter().map(Into::into).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).build().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_an_order_has_a_text_on_the_page_in_both_languages() {
        for text in [include_str!("../ui/src/i18n/zh-CN.ts"), include_str!("../ui/src/i18n/en.ts")] {
            let steps = text.split_once("    steps: {\n      open:").unwrap().1.split_once("\n    },").unwrap().0;
            for word in health::desk::Act::WORDS.into_iter().skip(1) {
                assert!(steps.contains(&format!("\n      {word}: '")), "{word}");
            }
        }
    }

    #[test]
    fn every_code_word_reads_back_and_matches_its_serialized_form() {
        for status in Status::ALL {
            assert_eq!(code(&status), status.code());
        }
        for cause in Cause::ALL {
            assert_eq!(code(cause), cause.code());
        }
        for (likely, ..) in LIKELY {
            assert_eq!(from_code::<LikelyCause>(&code(&likely)), Some(likely));
        }
        for (part, ..) in PARTS {
            assert_eq!(from_code::<OwnPart>(&code(&part)), Some(part));
        }
        assert_eq!(from_code::<SnapshotClass>("no such class"), None);
    }
}
