//! What probably lies behind an incident: a small table of rules, each a stated practice with its confidence.
//!
//! The rules are data. A rule speaks when its scope, its situation and its causes fit; every rule that speaks
//! becomes evidence, and the most confident one names the likely cause. The practice comes from how county
//! maintenance units narrow a fault down: everything behind one link at once means power or fibre, several
//! links of one line terminal mean the trunk, one camera among healthy siblings means that camera.

use crate::{Evidence, LikelyCause};
use fleet::{Cause, Layer};
use serde::Serialize;

/// Which incidents a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleScope {
    /// One camera's.
    Camera,
    /// One uplink's, or a site's without a known uplink.
    Link,
    /// A site's with several uplinks.
    Site,
    /// One line terminal's.
    Olt,
    /// A town's.
    Town,
    /// The county's.
    County,
    /// Our own machine's.
    Own,
}

/// What must be true of the siblings behind the same link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Situation {
    /// Nothing in particular.
    Any,
    /// There are none.
    Alone,
    /// At least one delivers video.
    SiblingsAlive,
    /// There are some, and none delivers video.
    SiblingsSilent,
    /// The link came back and this camera did not.
    AfterReturn,
    /// The same fell silent at the same hour on at least two of the three days before.
    SameHour,
    /// This address delivered the camera's video before.
    DeliveredBefore,
}

/// Which causes a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Every cause.
    Everything,
    /// One cause.
    Cause(Cause),
    /// All causes of one rung.
    Layer(Layer),
}

/// One rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Rule {
    /// Stable name.
    pub name: &'static str,
    /// Which incidents.
    pub scope: RuleScope,
    /// Which causes.
    pub about: About,
    /// Which situation.
    pub situation: Situation,
    /// What it concludes.
    pub likely: LikelyCause,
    /// How sure it is, in percent.
    pub confidence: u8,
    /// Its sentence in Chinese, with `{n}` cameras of `{total}`, `{alive}` healthy, `{links}` links,
    /// `{spread}` seconds, `{days}` earlier days, `{place}` and `{cause}` to be filled in.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}

/// What the sentences and conditions refer to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Facts {
    pub(crate) scope: RuleScope,
    pub(crate) cause: Cause,
    pub(crate) n: u32,
    pub(crate) total: u32,
    pub(crate) alive: u32,
    pub(crate) links: u32,
    pub(crate) spread_s: f64,
    /// The name of the line terminal.
    pub(crate) place: String,
    pub(crate) after_return: bool,
    /// On how many of the three days before it fell silent at the same hour.
    pub(crate) same_hour: u32,
    /// The registered address delivered its video before.
    pub(crate) delivered: bool,
}

/// The rules' conclusion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Conclusion {
    pub(crate) likely: LikelyCause,
    pub(crate) confidence: u8,
    pub(crate) evidence: Vec<Evidence>,
}

impl Rule {
    fn speaks(&self, facts: &Facts) -> bool {
        let situation = match self.situation {
            Situation::Any => true,
            Situation::Alone => facts.total <= 1 && !facts.after_return,
            Situation::SiblingsAlive => facts.alive > 0 && !facts.after_return,
            Situation::SiblingsSilent => facts.total > 1 && facts.alive == 0 && !facts.after_return,
            Situation::AfterReturn => facts.after_return,
            Situation::SameHour => facts.same_hour >= 2,
            Situation::DeliveredBefore => facts.delivered,
        };
        let about = match self.about {
            About::Everything => true,
            About::Cause(cause) => cause == facts.cause,
            About::Layer(layer) => layer == facts.cause.layer(),
        };
        self.scope == facts.scope && situation && about
    }
}

/// Applies the table.
pub(crate) fn conclude(facts: &Facts) -> Conclusion {
    let mut best: Option<&Rule> = None;
    let mut evidence = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.speaks(facts)) {
        if best.is_none_or(|b| rule.confidence > b.confidence) {
            best = Some(rule);
        }
        evidence.push(Evidence {
            rule: rule.name.to_owned(),
            weight: rule.confidence,
            zh: fill(rule.zh, facts, facts.cause.text().0),
            en: fill(rule.en, facts, facts.cause.text().1),
        });
    }
    best.map_or(Conclusion { likely: LikelyCause::Camera, confidence: 10, evidence: Vec::new() }, |best| Conclusion {
        likely: best.likely,
        confidence: best.confidence,
        evidence,
    })
}

fn fill(template: &str, facts: &Facts, cause: &str) -> String {
    template
        .replace("{n}", &facts.n.to_string())
        .replace("{total}", &facts.total.to_string())
        .replace("{alive}", &facts.alive.to_string())
        .replace("{links}", &facts.links.to_string())
        .replace("{spread}", &format!("{:.0}", facts.spread_s.ceil()))
        .replace("{days}", &facts.same_hour.to_string())
        .replace("{place}", &facts.place)
        .replace("{cause}", cause)
}

/// The table, for screens that explain it.
#[must_use]
pub fn rules() -> &'static [Rule] {
    RULES
}

macro_rules! rules {
    ($($name:literal $scope:ident $about:expr, $situation:ident => $likely:ident $confidence:literal $zh:literal $en:literal;)*) => {
        static RULES: &[Rule] = &[$(Rule {
            name: $name,
            scope: RuleScope::$scope,
            about: $about,
            situation: Situation::$situation,
            likely: LikelyCause::$likely,
            confidence: $confidence,
            zh: $zh,
            en: $en,
        },)*];
    };
}

rules! {
    // shared
    "county_silent" County About::Everything, Any => Trunk 60
        "全县 {n} 台摄像机（{links} 条链路）同时中断，{spread} 秒内，60 秒复核后仍未恢复：先查核心交换机与出口"
        "{n} cameras on {links} links fell silent within {spread} s and still are after a minute of re-checks: look at the core switch first";
    "olt_links_silent" Olt About::Everything, Any => Trunk 85
        "同一 OLT（{place}）的 {links} 条链路共 {n} 台摄像机在 {spread} 秒内中断：多条链路同断，主干或 OLT 故障"
        "{n} cameras on {links} links of one line terminal ({place}) fell silent within {spread} s: several links at once point at the trunk or the terminal";
    "town_silent" Town About::Everything, Any => Power 70
        "该镇 {links} 条链路共 {n} 台在 {spread} 秒内中断，不属同一 OLT：先问供电所该镇是否停电，再查汇聚机房"
        "{n} cameras on {links} links of one town fell silent within {spread} s and share no line terminal: ask for a power cut of the town first, then its exchange";
    "site_silent" Site About::Everything, Any => Power 80
        "该点位的 {links} 条链路同时中断：两条链路很少同断，先查该点位供电"
        "all {links} links of one site fell silent at once: links rarely fail together, look at the power of the place first";
    "link_all_silent" Link About::Layer(Layer::Network), SiblingsSilent => PowerOrFibre 85
        "同一链路 {total} 台摄像机中 {n} 台在 {spread} 秒内同时无应答：停电或断纤"
        "{n} of {total} cameras behind one link stopped answering within {spread} s: a power cut or a cut fibre";
    "link_mostly_silent" Link About::Layer(Layer::Network), SiblingsAlive => Switch 60
        "同一链路 {total} 台中 {n} 台在 {spread} 秒内同时无应答，仍有 {alive} 台正常：先查交换机或分段供电"
        "{n} of {total} cameras behind one link stopped answering within {spread} s while {alive} still deliver: look at a switch or part of the power";
    "link_ports_closed" Link About::Layer(Layer::Port), Any => Switch 65
        "同一链路 {total} 台中 {n} 台端口同时关闭，网络仍通：录像机、交换机或平台重启"
        "{n} of {total} cameras behind one link closed their ports at once while the network answers: a recorder or switch restarted";
    "link_video_stopped" Link About::Layer(Layer::Flow), Any => Link 60
        "同一链路 {total} 台中 {n} 台在 {spread} 秒内码流中断：链路拥塞或中断"
        "video of {n} of {total} cameras behind one link stopped within {spread} s: the link is broken or congested";
    "link_connections_lost" Link About::Layer(Layer::Rtsp), Any => PowerOrFibre 55
        "同一链路 {total} 台中 {n} 台在 {spread} 秒内连接中断：停电、重启或断纤"
        "{n} of {total} cameras behind one link lost their connections within {spread} s: power, a restart or the fibre";

    "link_same_hour" Link About::Layer(Layer::Network), SameHour => BorrowedPower 90
        "前 3 天中有 {days} 天在同一时刻前后中断：疑似借用住户或商铺电源，到点被断电，核对取电方式"
        "silent at about the same hour on {days} of the three days before: power borrowed from a house or shop that switches it off; check where it comes from";

    // one camera, by its siblings
    "camera_same_hour" Camera About::Layer(Layer::Network), SameHour => BorrowedPower 85
        "前 3 天中有 {days} 天在同一时刻前后中断：疑似借用住户或商铺电源，到点被断电，核对取电方式"
        "silent at about the same hour on {days} of the three days before: power borrowed from a house or shop that switches it off; check where it comes from";
    "camera_alone_silent" Camera About::Layer(Layer::Network), Alone => PowerOrFibre 40
        "该链路只有这一台摄像机，无应答：无法区分停电、断纤与设备故障"
        "the only camera behind its link does not answer: power, fibre and the device cannot be told apart";
    "camera_siblings_alive" Camera About::Layer(Layer::Network), SiblingsAlive => Camera 80
        "同一链路其余 {alive} 台正常，仅此台无应答：摄像机、网线或 PoE 端口"
        "{alive} siblings behind the same link deliver video, only this camera does not answer: the camera, its cable or its PoE port";
    "camera_siblings_silent" Camera About::Layer(Layer::Network), SiblingsSilent => PowerOrFibre 45
        "同一链路 {total} 台均无视频，但不是同时中断：逐一核对供电与链路"
        "none of the {total} cameras behind this link delivers, but they did not fail together: check power and link one by one";
    "camera_after_return" Camera About::Everything, AfterReturn => Camera 75
        "链路恢复 3 分钟后该台仍未恢复：摄像机、网线或 PoE 端口"
        "still silent three minutes after its link returned: the camera, its cable or its PoE port";

    // one camera, by its cause
    "port_closed" Camera About::Layer(Layer::Port), Any => Firmware 70
        "设备有应答但取流端口关闭：服务未启动或死机"
        "the device answers but its stream port is closed: the service is down or hangs";
    "rtsp_fails" Camera About::Layer(Layer::Rtsp), Any => Firmware 60
        "端口已连通，RTSP 失败（{cause}）：取流服务或固件"
        "the port opens but RTSP fails ({cause}): the stream service or firmware";
    "not_rtsp" Camera About::Cause(Cause::NotRtsp), Any => Settings 70
        "应答的不是摄像机：地址、端口错误或 IP 冲突"
        "something else answers there: wrong address or port, or an IP conflict";
    "ip_conflict" Camera About::Cause(Cause::NotRtsp), DeliveredBefore => IpConflict 80
        "该地址此前能正常取流，现在应答的是别的设备：疑似 IP 冲突，核对该网段地址分配"
        "this address delivered the camera's video before, now something else answers: an IP conflict; check who else was given it";
    "no_such_stream" Camera About::Cause(Cause::StreamNotFound), Any => Settings 85
        "取流路径不存在：主/子码流路径或通道号有误"
        "no such stream: the path or channel number is wrong";
    "session_limit" Camera About::Cause(Cause::SessionLimit), Any => Sessions 90
        "摄像机返回会话已满：另有平台或录像机在取流"
        "the camera says its sessions are used up: somebody else pulls it";
    "account" Camera About::Layer(Layer::Auth), Any => Account 95
        "摄像机拒绝账号（{cause}）"
        "the camera refuses the account ({cause})";
    "address" Camera About::Layer(Layer::Address), Any => Settings 90
        "接入地址不可用（{cause}）"
        "the registered address cannot be used ({cause})";
    "media" Camera About::Layer(Layer::Media), Any => Settings 70
        "媒体协商失败（{cause}）：编码或传输设置"
        "the stream cannot be set up ({cause}): encoding or transport settings";
    "loss" Camera About::Cause(Cause::PacketLoss), Any => Link 80
        "视频到达但丢包超限：链路质量差"
        "video arrives with packets missing: a poor link";
    "low_rate" Camera About::Cause(Cause::LowFrameRate), Any => Link 55
        "视频到达但帧率过低：带宽不足或摄像机过载"
        "video arrives at a low frame rate: too little bandwidth or an overloaded camera";
    "no_flow" Camera About::Layer(Layer::Flow), Any => Firmware 50
        "会话正常但视频数据异常（{cause}）"
        "the session stands but its video fails ({cause})";
    "undecodable" Camera About::Layer(Layer::Decode), Any => Link 50
        "画面无法解码：链路误码或编码器故障"
        "pictures do not decode: errors on the link, or the encoder";
    "frozen" Camera About::Cause(Cause::PictureFrozen), Any => Firmware 80
        "码流正常而画面冻结：编码器死机"
        "the stream flows but the picture stands still: the encoder hangs";
    "same_picture" Camera About::Cause(Cause::SamePicture), Any => Settings 80
        "与另一台画面相同：地址或通道填写有误"
        "the same picture as another camera: address or channel entered wrongly";
    "picture" Camera About::Layer(Layer::Picture), Any => Lens 70
        "码流正常而画面异常（{cause}）：镜头、补光、传感器或周边遮挡"
        "the stream flows but the picture is bad ({cause}): lens, lamp, sensor or something in front";
    "clock" Camera About::Layer(Layer::Clock), Any => Settings 90
        "摄像机时钟偏差超限：未校时"
        "the camera's clock is off: no time server";

    // ourselves
    "own" Own About::Everything, Any => Own 95
        "本机故障（{cause}）：受影响的摄像机记为未知，不计入考核"
        "our own machine is at fault ({cause}): the cameras concerned are unknown and not held against anyone";
    "own_implausible" Own About::Cause(Cause::ImplausibleChange), Any => Own 70
        "{total} 台在用摄像机中 {n} 台在 {spread} 秒内同时中断：先疑本机与核心网络，60 秒内逐台复核"
        "{n} of {total} cameras in use lost video within {spread} s: we doubt ourselves first and re-check each within a minute";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(scope: RuleScope, cause: Cause, total: u32, alive: u32) -> Facts {
        Facts {
            scope,
            cause,
            n: total - alive,
            total,
            alive,
            links: 1,
            spread_s: 2.0,
            place: String::new(),
            after_return: false,
            same_hour: 0,
            delivered: false,
        }
    }

    #[test]
    fn each_situation_leads_to_its_likely_cause() {
        use LikelyCause as L;
        let cases = [
            (facts(RuleScope::Link, Cause::NoAnswer, 3, 0), L::PowerOrFibre, 85),
            (facts(RuleScope::Link, Cause::NoAnswer, 8, 2), L::Switch, 60),
            (facts(RuleScope::Link, Cause::PortClosed, 3, 0), L::Switch, 65),
            (facts(RuleScope::Camera, Cause::NoAnswer, 1, 0), L::PowerOrFibre, 40),
            (facts(RuleScope::Camera, Cause::NoAnswer, 3, 2), L::Camera, 80),
            (Facts { after_return: true, ..facts(RuleScope::Camera, Cause::NoAnswer, 3, 2) }, L::Camera, 75),
            (facts(RuleScope::Olt, Cause::NoAnswer, 9, 0), L::Trunk, 85),
            (facts(RuleScope::Site, Cause::NoAnswer, 4, 0), L::Power, 80),
            (facts(RuleScope::Town, Cause::NoAnswer, 9, 0), L::Power, 70),
            (facts(RuleScope::Camera, Cause::PasswordRefused, 3, 2), L::Account, 95),
            (facts(RuleScope::Camera, Cause::StreamNotFound, 3, 2), L::Settings, 85),
            (facts(RuleScope::Camera, Cause::SessionLimit, 3, 2), L::Sessions, 90),
            (facts(RuleScope::Camera, Cause::PictureFrozen, 3, 2), L::Firmware, 80),
            (facts(RuleScope::Camera, Cause::PictureCovered, 3, 2), L::Lens, 70),
            (facts(RuleScope::Camera, Cause::PacketLoss, 3, 2), L::Link, 80),
            (Facts { same_hour: 2, ..facts(RuleScope::Link, Cause::NoAnswer, 3, 0) }, L::BorrowedPower, 90),
            (Facts { same_hour: 3, ..facts(RuleScope::Camera, Cause::NoAnswer, 3, 2) }, L::BorrowedPower, 85),
            (Facts { same_hour: 1, ..facts(RuleScope::Camera, Cause::NoAnswer, 3, 2) }, L::Camera, 80),
            (facts(RuleScope::Camera, Cause::NotRtsp, 3, 2), L::Settings, 70),
            (Facts { delivered: true, ..facts(RuleScope::Camera, Cause::NotRtsp, 3, 2) }, L::IpConflict, 80),
            (facts(RuleScope::Own, Cause::OwnDisk, 3, 2), L::Own, 95),
        ];
        for (facts, likely, confidence) in cases {
            let c = conclude(&facts);
            assert_eq!((c.likely, c.confidence), (likely, confidence), "{facts:?}");
        }
    }

    #[test]
    fn sentences_carry_the_numbers() {
        let c = conclude(&facts(RuleScope::Link, Cause::NoAnswer, 3, 0));
        assert_eq!(
            c.evidence[0].en,
            "3 of 3 cameras behind one link stopped answering within 2 s: a power cut or a cut fibre"
        );
        assert!(c.evidence[0].zh.contains("3 台"));
    }

    #[test]
    fn every_cause_of_a_camera_has_a_rule_and_every_name_is_used_once() {
        for &cause in
            Cause::ALL.iter().filter(|c| !matches!(c.status(), fleet::Status::Unknown | fleet::Status::Paused))
        {
            for alive in [0, 2] {
                let f = facts(RuleScope::Camera, cause, 3, alive);
                assert!(!conclude(&f).evidence.is_empty(), "{cause:?} with {alive} alive");
            }
        }
        let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn no_placeholder_is_left_open() {
        for rule in RULES {
            for text in [rule.zh, rule.en] {
                let filled = fill(text, &facts(RuleScope::Link, Cause::NoAnswer, 3, 0), "x");
                assert!(!filled.contains('{'), "{filled}");
            }
        }
    }
}
