//! What is kept how long, in the config file: by class of snapshots, and by place.

use archive::{Limits, PlaceRule, Places, Retention};
use fleet::{CameraId, Registry};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How much of a class is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) days: Option<u32>,
    pub(crate) gib: Option<u64>,
}

/// A rule for some towns and sites.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) towns: Vec<String>,
    pub(crate) sites: Vec<String>,
    pub(crate) routine: Limit,
    pub(crate) status_change: Limit,
    pub(crate) incident: Limit,
}

impl Limit {
    fn read(self) -> archive::Limit {
        archive::Limit { days: self.days, bytes: self.gib.map(|gib| gib << 30) }
    }

    fn fits(self, keep_days: u32) -> bool {
        self.days.is_none_or(|days| (keep_days..=36_500).contains(&days)) && self.gib.is_none_or(|gib| gib > 0)
    }
}

impl Place {
    fn limits(&self) -> Limits {
        Limits {
            routine: self.routine.read(),
            status_change: self.status_change.read(),
            incident: self.incident.read(),
        }
    }
}

impl super::Archive {
    /// The first key of retention that cannot work, and what is expected.
    pub(super) fn check_retention(&self) -> Result<(), (&'static str, &'static str)> {
        const LIMIT: &str = "days from archive.keep_days (the legal minimum) to 36500, and at least 1 gib";
        let places = &self.place;
        let limits = |p: &Place| [p.routine, p.status_change, p.incident];
        let named: Vec<&String> = places.iter().flat_map(|p| p.towns.iter().chain(&p.sites)).collect();
        let rules = [
            ((1..=36_500).contains(&self.keep_days), "archive.keep_days", "1 to 36500"),
            (self.routine.fits(self.keep_days), "archive.routine", LIMIT),
            (self.status_change.fits(self.keep_days), "archive.status_change", LIMIT),
            (self.incident.fits(self.keep_days), "archive.incident", LIMIT),
            (self.held.fits(1), "archive.held", "1 to 36500 days, and at least 1 gib"),
            (places.len() <= Retention::PLACES_MAX, "archive.place", "at most 8 rules"),
            (
                places.iter().all(|p| (1..=24).contains(&p.name.len()) && !p.name.chars().any(char::is_control)),
                "archive.place.name",
                "1 to 24 bytes, that is 8 Chinese characters",
            ),
            (
                places.iter().map(|p| &p.name).collect::<BTreeSet<_>>().len() == places.len(),
                "archive.place.name",
                "another name for each rule",
            ),
            (
                places.iter().all(|p| !p.towns.is_empty() || !p.sites.is_empty()),
                "archive.place",
                "towns or sites in each rule",
            ),
            (
                named.iter().collect::<BTreeSet<_>>().len() == named.len(),
                "archive.place",
                "each town and each site in one rule only",
            ),
            (
                places.iter().all(|p| limits(p).iter().any(|limit| *limit != Limit::default())),
                "archive.place",
                "routine, status_change or incident in each rule",
            ),
            (places.iter().flat_map(limits).all(|limit| limit.fits(self.keep_days)), "archive.place", LIMIT),
        ];
        rules.iter().find(|(good, ..)| !good).map_or(Ok(()), |(_, key, expected)| Err((*key, *expected)))
    }

    /// As the archive wants it.
    pub(crate) fn retention(&self) -> Retention {
        let rule = |p: &Place| {
            let covers = p.towns.iter().chain(&p.sites).cloned().collect();
            (p.name.clone(), PlaceRule { covers, limits: p.limits() })
        };
        Retention {
            classes: Limits {
                routine: self.routine.read(),
                status_change: self.status_change.read(),
                incident: self.incident.read(),
            },
            held: self.held.read(),
            places: self.place.iter().map(rule).collect::<BTreeMap<_, _>>(),
        }
    }

    /// Which camera belongs to which rule: that of its site, else that of its town. `registry` hands out the register
    /// as it is now.
    pub(crate) fn places(&self, registry: impl Fn() -> Arc<Registry> + Send + Sync + 'static) -> Places {
        if self.place.is_empty() {
            return Places::default();
        }
        let places = self.place.clone();
        Places::new(move |camera: CameraId| {
            let registry = registry();
            let site = registry.site(registry.camera(camera)?.site)?;
            let town = registry.town(site.town).map(|town| town.name.as_str()).unwrap_or_default();
            rule_of(&places, town, &site.name).map(|place| place.name.clone())
        })
    }
}

/// The rule of a site: one that names it with its town, one that names it, one that names its town.
fn rule_of<'a>(places: &'a [Place], town: &str, site: &str) -> Option<&'a Place> {
    let precise = |name: &String| name.split_once('/').is_some_and(|(t, s)| t == town && s == site);
    let names = |all: &[String], wanted: &dyn Fn(&String) -> bool| all.iter().any(wanted);
    let find = |good: &dyn Fn(&&Place) -> bool| places.iter().find(good);
    find(&|p| names(&p.sites, &precise))
        .or_else(|| find(&|p| names(&p.sites, &|name| name == site)))
        .or_else(|| find(&|p| names(&p.towns, &|name| name == town)))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    fn told(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("my.toml")).map_err(|e| e.to_string())
    }

    const RULE: &str = "[[archive.place]]\nname = \"水库\"\ntowns = [\"青山镇\"]\nsites = [\"河东镇/新村\"]\n";

    #[test]
    fn rules_by_class_and_place_are_read() {
        let text = format!(
            "[archive]\nkeep_days = 30\n[archive.routine]\ndays = 60\n[archive.incident]\ndays = 365\ngib = 50\n\
             [archive.held]\ndays = 1095\n{RULE}routine = {{ days = 180 }}\n"
        );
        let retention = told(&text).unwrap().archive.retention();
        assert_eq!(retention.classes.routine.days, Some(60));
        assert_eq!(retention.classes.incident.bytes, Some(50 << 30));
        assert_eq!(retention.held.days, Some(1095));
        let rule = &retention.places["水库"];
        assert_eq!((rule.limits.routine.days, rule.covers.len()), (Some(180), 2));
        assert_eq!(told("").unwrap().archive.retention(), archive::Retention::default());
    }

    #[test]
    fn what_cannot_be_is_told_with_what_is_expected() {
        for (text, said) in [
            ("[archive.routine]\ndays = 29\n", "archive.routine cannot be used; expected days from archive.keep_days"),
            ("[archive]\nkeep_days = 0\n", "archive.keep_days cannot be used; expected 1 to 36500"),
            ("[archive.incident]\ngib = 0\n", "archive.incident cannot be used"),
            ("[archive.rutine]\ndays = 90\n", "unknown key \"rutine\"; did you mean \"routine\"?"),
            ("[archive.routine]\nday = 90\n", "did you mean \"days\"?"),
            ("[[archive.place]]\nname = \"a\"\nroutine = { days = 90 }\n", "expected towns or sites in each rule"),
        ] {
            let error = told(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let place = |more: &str| told(&format!("{RULE}{more}")).unwrap_err();
        assert!(place("").contains("routine, status_change or incident"), "{}", place(""));
        assert!(place("incident = { days = 7 }\n").contains("legal minimum"));
        let twice = format!("routine = {{ days = 90 }}\n{RULE}routine = {{ days = 90 }}\n");
        assert!(place(&twice).contains("another name"), "{}", place(&twice));
        let other = twice.replacen("水库", "山", 1);
        assert!(place(&other).contains("in one rule only") || place(&other).contains("another name"));
    }

    #[test]
    fn a_site_goes_before_its_town() {
        use fleet::{Registry, Site, SiteId, SiteKind, Town, TownId};
        let text = format!(
            "{RULE}routine = {{ days = 180 }}\n[[archive.place]]\nname = \"林场\"\nsites = [\"林场\"]\n\
             routine = {{ days = 90 }}\n"
        );
        let config = told(&text).unwrap();
        let town = |id, name: &str| Town { id: TownId(id), name: name.to_owned() };
        let site = |id, name: &str, town| Site {
            id: SiteId(id),
            name: name.to_owned(),
            kind: SiteKind::Village,
            town: TownId(town),
            stat_code: None,
        };
        let towns = [town(1, "青山镇"), town(2, "河东镇")];
        let sites = [site(1, "林场", 1), site(2, "新村", 1), site(3, "新村", 2), site(4, "老村", 2)];
        let registry = Registry::new(towns, sites, [], []);
        let rule_of = |site: u32| {
            let (places, registry) = (&config.archive.place, &registry);
            let site = registry.site(SiteId(site)).unwrap();
            let town = &registry.town(site.town).unwrap().name;
            super::rule_of(places, town, &site.name).map(|place| place.name.as_str())
        };
        assert_eq!([1, 2, 3, 4].map(rule_of), [Some("林场"), Some("水库"), Some("水库"), None]);
    }
}
