//! Which cameras that fell silent are told as one disturbance: a small table of rules, by what they share.
//!
//! The rules are data, like those of the likely cause. Evidence is weighed, not counted: villages have one to three
//! cameras, so a rule looks at what share of all who could testify fell silent. Whoever delivers video testifies against
//! the rule, and whoever is not decided yet does too; who was silent before, is paused or cannot be judged says nothing.
//! One camera alone is never evidence against what it shares with others.

use crate::Evidence;
use serde::Serialize;
use std::time::Duration;

/// What the joined share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// One uplink, or a site without a known uplink. Its parts are cameras.
    Link,
    /// A site with several links. Its parts, like those of anything wider, are links of which nobody delivers.
    Site,
    /// A line terminal.
    Olt,
    /// A town.
    Town,
    /// The county; its parts are line terminals, and links without one.
    County,
}

/// One rule: when those who share something are one incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Joining {
    /// Stable name.
    pub name: &'static str,
    /// What they share.
    pub shared: Shared,
    /// At least so many of its parts are silent.
    pub parts: u32,
    /// At least this share, in percent, of all who can testify fell silent.
    pub share: u32,
    /// The first and the last fell silent within so many seconds; if absent, within the window of correlation.
    pub within_s: Option<u32>,
    /// Its sentence in Chinese, with `{n}` cameras on `{links}` links of `{place}`, `{alive}` that deliver, `{share}`
    /// percent and `{spread}` seconds to be filled in.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}

impl Joining {
    /// How far apart the first and the last may be, if not as far as the window of correlation.
    pub(crate) fn within(&self) -> Option<Duration> {
        self.within_s.map(|s| Duration::from_secs(u64::from(s)))
    }
}

/// What is known of those who share something, when one of them fell silent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Weighed {
    pub(crate) parts: u32,
    pub(crate) silent: u32,
    pub(crate) alive: u32,
    pub(crate) unsure: u32,
    pub(crate) spread: Duration,
}

impl Weighed {
    /// The share that fell silent, of all who can testify.
    pub(crate) fn share(&self) -> u32 {
        let all = self.silent + self.alive + self.unsure;
        if all == 0 { 0 } else { (u64::from(self.silent) * 100 / u64::from(all)) as u32 }
    }

    /// The first rule that joins them, if any.
    pub(crate) fn join(&self, shared: Shared) -> Option<&'static Joining> {
        JOININGS.iter().find(|rule| rule.shared == shared && self.fits(rule))
    }

    /// Whether a rule joins them.
    pub(crate) fn fits(&self, rule: &Joining) -> bool {
        self.parts >= rule.parts
            && self.share() >= rule.share
            && rule.within().is_none_or(|within| self.spread <= within)
    }

    /// Why they are one incident, in words.
    pub(crate) fn evidence(&self, rule: &Joining, links: u32, place: &str) -> Evidence {
        let fill = |template: &str| {
            template
                .replace("{n}", &self.silent.to_string())
                .replace("{alive}", &self.alive.to_string())
                .replace("{links}", &links.to_string())
                .replace("{parts}", &self.parts.to_string())
                .replace("{share}", &self.share().to_string())
                .replace("{spread}", &format!("{:.0}", self.spread.as_secs_f64().ceil()))
                .replace("{place}", place)
        };
        Evidence {
            rule: rule.name.to_owned(),
            weight: u8::try_from(self.share().min(100)).expect("at most 100"),
            zh: fill(rule.zh),
            en: fill(rule.en),
        }
    }
}

/// The table, for screens that explain it.
#[must_use]
pub fn joinings() -> &'static [Joining] {
    JOININGS
}

/// All or most.
const MOST: u32 = 75;

static JOININGS: &[Joining] = &[
    Joining {
        name: "join_link",
        shared: Shared::Link,
        parts: 2,
        share: MOST,
        within_s: None,
        zh: "合并为一个链路事件：同一链路 {n} 台在 {spread} 秒内中断，占可作证摄像机的 {share}%（{alive} 台仍正常）",
        en: "told as one of the link: {n} cameras behind it fell silent within {spread} s, {share} % of those that can testify ({alive} still deliver)",
    },
    Joining {
        name: "join_site",
        shared: Shared::Site,
        parts: 2,
        share: MOST,
        within_s: Some(20),
        zh: "合并为一个点位事件：该点位的 {links} 条链路共 {n} 台在 {spread} 秒内全部中断，占可作证摄像机的 {share}%",
        en: "told as one of the site: all of its {links} links with {n} cameras fell silent within {spread} s, {share} % of those that can testify",
    },
    Joining {
        name: "join_olt",
        shared: Shared::Olt,
        parts: 2,
        share: MOST,
        within_s: Some(20),
        zh: "合并为一个 OLT 事件：{place} 下 {links} 条链路共 {n} 台在 {spread} 秒内中断，占可作证摄像机的 {share}%",
        en: "told as one of the line terminal: {links} links of {place} with {n} cameras fell silent within {spread} s, {share} % of those that can testify",
    },
    Joining {
        name: "join_olt_part",
        shared: Shared::Olt,
        parts: 3,
        share: 0,
        within_s: Some(20),
        zh: "合并为一个 OLT 事件：{place} 下 {links} 条链路在 {spread} 秒内同时中断（其余 {alive} 台正常）：其一个端口或板卡",
        en: "told as one of the line terminal: {links} links of {place} fell silent within {spread} s ({alive} other cameras deliver): one of its ports or cards",
    },
    Joining {
        name: "join_town",
        shared: Shared::Town,
        parts: 3,
        share: MOST,
        within_s: Some(20),
        zh: "合并为一个乡镇事件：该镇 {links} 条链路共 {n} 台在 {spread} 秒内中断，不属同一 OLT，占可作证摄像机的 {share}%",
        en: "told as one of the town: {links} links of it with {n} cameras fell silent within {spread} s, of no common line terminal, {share} % of those that can testify",
    },
    Joining {
        name: "join_county",
        shared: Shared::County,
        parts: 2,
        share: 15,
        within_s: None,
        zh: "合并为一个全县事件：{links} 条链路共 {n} 台（占在用的 {share}%）中断且 60 秒复核后仍未恢复，不属同一 OLT",
        en: "told as one of the county: {n} cameras on {links} links ({share} % of those in use) fell silent and still are after a minute of re-checks, of no common line terminal",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(parts: u32, silent: u32, alive: u32, spread_s: u64) -> Weighed {
        Weighed { parts, silent, alive, unsure: 0, spread: Duration::from_secs(spread_s) }
    }

    #[test]
    fn evidence_is_weighed_and_not_counted() {
        let cases = [
            (Shared::Link, weighed(1, 1, 0, 0), None),
            (Shared::Link, weighed(2, 2, 0, 50), Some("join_link")),
            (Shared::Link, weighed(3, 3, 1, 5), Some("join_link")),
            (Shared::Link, weighed(3, 3, 2, 5), None),
            (Shared::Link, Weighed { unsure: 2, ..weighed(3, 3, 0, 5) }, None),
            (Shared::Site, weighed(2, 4, 0, 5), Some("join_site")),
            (Shared::Site, weighed(1, 3, 0, 5), None),
            (Shared::Site, weighed(2, 4, 0, 40), None),
            (Shared::Olt, weighed(2, 2, 0, 15), Some("join_olt")),
            (Shared::Olt, weighed(2, 2, 0, 50), None),
            (Shared::Olt, weighed(2, 4, 9, 5), None),
            (Shared::Olt, weighed(3, 4, 9, 5), Some("join_olt_part")),
            (Shared::Olt, weighed(3, 4, 9, 30), None),
            (Shared::Town, weighed(2, 6, 0, 5), None),
            (Shared::Town, weighed(3, 6, 0, 5), Some("join_town")),
            (Shared::Town, weighed(3, 6, 3, 5), None),
            (Shared::Town, weighed(3, 6, 0, 40), None),
        ];
        for (shared, weighed, name) in cases {
            assert_eq!(weighed.join(shared).map(|r| r.name), name, "{shared:?} {weighed:?}");
        }
    }

    #[test]
    fn its_sentence_carries_the_numbers_and_its_weight_the_share() {
        let weighed = weighed(3, 6, 1, 4);
        for rule in joinings() {
            let evidence = weighed.evidence(rule, 3, "东山镇");
            assert!(!evidence.zh.contains('{') && !evidence.en.contains('{'), "{evidence:?}");
            assert_eq!(evidence.weight, 85);
        }
    }

    #[test]
    fn no_name_is_used_twice_nor_by_a_rule_of_causes() {
        let mut names: Vec<_> =
            joinings().iter().map(|r| r.name).chain(crate::rules().iter().map(|r| r.name)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
