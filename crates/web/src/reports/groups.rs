//! Cameras' figures put together by town, site, contractor or not at all.

use super::Figures;
use fleet::Registry;
use health::ledger::{Moment, Tally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::LedgerLine;
use utoipa::ToSchema;

/// By what a report is grouped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// 乡镇/街道.
    Town,
    /// 建制村/中心区域.
    Site,
    /// 维护单位.
    Contractor,
    /// 摄像机.
    Camera,
}

/// One line of a report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct GroupRow {
    /// Number of the town, site or camera; null for contractors.
    pub(crate) id: Option<u32>,
    /// Empty for cameras without a contractor.
    pub(crate) name: String,
    /// The town of a site or camera.
    pub(crate) town: Option<String>,
    /// The site of a camera.
    pub(crate) site: Option<String>,
    pub(crate) cameras: u32,
    pub(crate) figures: Figures,
    /// Of the period before; null if nothing was recorded then.
    pub(crate) before: Option<Figures>,
}

/// What of a camera a report needs: its figures and where it belongs (at the time of freezing, for a frozen month).
pub(crate) struct Member {
    pub(crate) line: LedgerLine,
    pub(crate) name: String,
    pub(crate) site: (u32, String),
    pub(crate) town: (u32, String),
    pub(crate) contractor: String,
}

impl Member {
    /// A camera that the register knows.
    pub(crate) fn of(line: LedgerLine, registry: &Registry) -> Option<Member> {
        if let Some(place) = line.place.clone() {
            return Some(Member {
                name: place.name,
                site: (place.site, place.site_name),
                town: (place.town, place.town_name),
                contractor: place.contractor.unwrap_or_default(),
                line,
            });
        }
        let camera = registry.camera(line.camera)?;
        let site = registry.site(camera.site)?;
        let town = registry.town(site.town).map(|t| t.name.clone()).unwrap_or_default();
        Some(Member {
            name: camera.name.clone(),
            site: (site.id.0, site.name.clone()),
            town: (site.town.0, town),
            contractor: camera.upkeep.unit.clone().unwrap_or_default(),
            line,
        })
    }

    fn key(&self, by: Group) -> (Option<u32>, String) {
        match by {
            Group::Town => (Some(self.town.0), String::new()),
            Group::Site => (Some(self.site.0), String::new()),
            Group::Contractor => (None, self.contractor.clone()),
            Group::Camera => (Some(self.line.camera.0), String::new()),
        }
    }
}

#[derive(Default)]
struct Sum {
    tally: Tally,
    moment: Moment,
    cameras: u32,
}

impl Sum {
    fn add(&mut self, member: &Member) {
        self.tally.add(&member.line.tally);
        if let Some(kind) = member.line.last {
            self.moment.add(kind);
        }
        self.cameras += 1;
    }

    fn figures(&self) -> Figures {
        Figures::of(&self.tally, &self.moment)
    }
}

/// The sum over all, of this period and the one before, and the lines.
pub(crate) fn group(now: &[Member], before: &[Member], by: Group) -> (Figures, Option<Figures>, Vec<GroupRow>) {
    let mut total = Sum::default();
    let mut rows: BTreeMap<(Option<u32>, String), (Sum, &Member)> = BTreeMap::new();
    for member in now {
        total.add(member);
        rows.entry(member.key(by)).or_insert_with(|| (Sum::default(), member)).0.add(member);
    }
    let mut total_before = Sum::default();
    let mut earlier: BTreeMap<(Option<u32>, String), Sum> = BTreeMap::new();
    for member in before {
        total_before.add(member);
        earlier.entry(member.key(by)).or_default().add(member);
    }
    let rows = rows
        .into_iter()
        .map(|(key, (sum, member))| GroupRow {
            id: key.0,
            name: match by {
                Group::Town => member.town.1.clone(),
                Group::Site => member.site.1.clone(),
                Group::Contractor => member.contractor.clone(),
                Group::Camera => member.name.clone(),
            },
            town: matches!(by, Group::Site | Group::Camera).then(|| member.town.1.clone()),
            site: (by == Group::Camera).then(|| member.site.1.clone()),
            cameras: sum.cameras,
            figures: sum.figures(),
            before: earlier.get(&key).map(Sum::figures),
        })
        .collect();
    (total.figures(), (!before.is_empty()).then(|| total_before.figures()), rows)
}
