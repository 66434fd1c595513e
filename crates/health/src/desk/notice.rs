//! Who is told of which incident, when, and how much at once.
//!
//! Level-triggered: [`Teller::plan`] compares what is with what each channel was told, and says what is still to be
//! told. What was told is kept by the caller together with the message itself, so that nothing is lost or told twice
//! over a restart, and an event missed in between costs nothing. Pure: no clock, no network, no texts.

use super::order::Assignee;
use crate::{IncidentId, Severity};
use fleet::{SiteId, TownId, Wall};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// Number of a channel; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub u32);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "N{}", self.0)
    }
}

/// So many at once are told as one digest rather than one by one.
const BURST: usize = 4;
/// The county's time of day: no daylight saving there since 1991.
const ZONE_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Most incidents that one digest names.
pub const LONGEST_DIGEST: usize = 50;

/// What a channel is told of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Only incidents at least so urgent.
    pub least: Severity,
    /// Only of these towns; of everywhere if both lists are empty.
    pub towns: BTreeSet<TownId>,
    /// Only of these sites.
    pub sites: BTreeSet<SiteId>,
    /// Faults of our own machine too.
    pub own: bool,
    /// An incident that is over within this time is not told at all; members fold in meanwhile.
    pub settle_s: u32,
    /// Only within these minutes of the county's day (from, until; may span midnight): what is not critical waits for
    /// the next beginning. All day if `None`.
    pub hours: Option<(u16, u16)>,
    /// What is not critical is collected and told at most once in so many minutes; 0: each at once.
    pub digest_minutes: u32,
    /// At most so many messages an hour; what is more is collected.
    pub per_hour: u32,
    /// Told too when it is over.
    pub resolved: bool,
    /// Told of work orders when they are given to somebody.
    pub orders: bool,
    /// Only of those given to these; of all if there are none.
    pub assignees: BTreeSet<Assignee>,
}

impl Default for Route {
    fn default() -> Route {
        Route {
            least: Severity::Major,
            towns: BTreeSet::new(),
            sites: BTreeSet::new(),
            own: true,
            settle_s: 30,
            hours: None,
            digest_minutes: 0,
            per_hour: 20,
            resolved: true,
            orders: false,
            assignees: BTreeSet::new(),
        }
    }
}

/// What is known of an incident, as far as telling it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// Which.
    pub id: IncidentId,
    /// When it began.
    pub opened: Wall,
    /// When it was over.
    pub resolved: Option<Wall>,
    /// Told within another.
    pub folded: bool,
    /// How urgent.
    pub severity: Severity,
    /// Somebody has seen it and says that it can wait.
    pub acknowledged: bool,
    /// Everything it is about is under planned maintenance.
    pub planned: bool,
    /// A fault of our own machine.
    pub own: bool,
    /// Where its cameras stand.
    pub places: BTreeSet<(TownId, SiteId)>,
}

/// What a channel was told of an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// At which severity.
    pub severity: Severity,
    /// That it is over.
    pub over: bool,
    /// It was acknowledged when looked at last.
    pub acknowledged: bool,
}

/// What is said of one incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It began.
    Opened,
    /// It began again within the time in which it is the same one.
    Reopened,
    /// It has become more urgent.
    Worse,
    /// Its acknowledgement has run out and it still lasts.
    Still,
    /// It is over.
    Over,
}

/// One message to one channel. To be stored together with its marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// To whom.
    pub channel: ChannelId,
    /// Of what; more than one makes a digest.
    pub items: Vec<(IncidentId, News)>,
    /// What the channel has been told once this is stored.
    pub marks: Vec<(IncidentId, Mark)>,
}

/// What is to be stored now: messages, and marks that go without words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Messages, in their order.
    pub messages: Vec<Message>,
    /// Marks without a message.
    pub silent: Vec<(ChannelId, IncidentId, Mark)>,
}

/// What each channel was told. Built from what is stored; changed by [`Teller::told`] only after storing.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    marks: BTreeMap<(ChannelId, IncidentId), Mark>,
    /// When each channel was sent something in the last hour, oldest first.
    sent: BTreeMap<ChannelId, Vec<Wall>>,
    digested: BTreeMap<ChannelId, Wall>,
}

impl Teller {
    /// Continues from what is stored: marks, and when messages were made in the last hour.
    #[must_use]
    pub fn new(
        marks: impl IntoIterator<Item = (ChannelId, IncidentId, Mark)>,
        sent: impl IntoIterator<Item = (ChannelId, Wall)>,
    ) -> Teller {
        let mut teller = Teller::default();
        teller.marks.extend(marks.into_iter().map(|(c, i, m)| ((c, i), m)));
        for (channel, at) in sent {
            teller.sent.entry(channel).or_default().push(at);
            teller.digested.entry(channel).and_modify(|d| *d = at.max(*d)).or_insert(at);
        }
        teller.sent.values_mut().for_each(|s| s.sort_unstable());
        teller
    }

    /// What each channel must be told now.
    #[must_use]
    pub fn plan<'a>(
        &self,
        channels: impl IntoIterator<Item = (ChannelId, &'a Route)>,
        happenings: &[Happening],
        now: Wall,
    ) -> Plan {
        let mut plan = Plan::default();
        for (channel, route) in channels {
            self.plan_channel(channel, route, happenings, now, &mut plan);
        }
        plan
    }

    /// A plan was stored.
    pub fn told(&mut self, plan: &Plan, now: Wall) {
        for message in &plan.messages {
            self.marks.extend(message.marks.iter().map(|(i, m)| ((message.channel, *i), *m)));
            self.sent.entry(message.channel).or_default().push(now);
            self.digested.insert(message.channel, now);
        }
        self.marks.extend(plan.silent.iter().map(|(c, i, m)| ((*c, *i), *m)));
        for sent in self.sent.values_mut() {
            sent.retain(|at| now.millis_since(*at) < HOUR_MS);
        }
    }

    /// Forgets what is about incidents or channels that are gone.
    pub fn forget(&mut self, keep: impl Fn(ChannelId, IncidentId) -> bool) {
        self.marks.retain(|(c, i), _| keep(*c, *i));
    }

    /// Whether a channel was told of an incident and not yet that it is over.
    #[must_use]
    pub fn knows(&self, channel: ChannelId, incident: IncidentId) -> bool {
        self.marks.get(&(channel, incident)).is_some_and(|m| !m.over)
    }

    fn plan_channel(&self, channel: ChannelId, route: &Route, all: &[Happening], now: Wall, plan: &mut Plan) {
        let mut urgent = Vec::new();
        let mut rest = Vec::new();
        for happening in all.iter().filter(|h| route.covers(h) || self.knows(channel, h.id)) {
            match self.news(channel, route, happening, now) {
                Said::Nothing => {}
                Said::Silently(mark) => plan.silent.push((channel, happening.id, mark)),
                Said::News(news, mark) => {
                    let line = (happening.id, news, mark);
                    if happening.severity == Severity::Critical { urgent.push(line) } else { rest.push(line) }
                }
            }
        }
        let sent = self.sent.get(&channel).map_or(&[][..], Vec::as_slice);
        let lately = sent.iter().filter(|at| now.millis_since(**at) < HOUR_MS).count();
        let room = (route.per_hour.max(1) as usize).saturating_sub(lately);
        let every = i64::from(route.digest_minutes) * 60_000;
        let due = self.digested.get(&channel).is_none_or(|last| now.millis_since(*last) >= every);
        let awake = route.holds(now);
        let mut lines = urgent;
        if awake && (every == 0 || due || !lines.is_empty()) {
            lines.append(&mut rest);
        }
        if lines.is_empty() || room == 0 {
            return;
        }
        // The last message that there is room for holds everything, so that the limit delays nothing more than it must.
        if every > 0 || lines.len() >= BURST || lines.len() > room {
            let longest = LONGEST_DIGEST.min(lines.len());
            plan.messages.push(message(channel, &lines[..longest]));
        } else {
            plan.messages.extend(lines.chunks(1).map(|line| message(channel, line)));
        }
    }

    fn news(&self, channel: ChannelId, route: &Route, h: &Happening, now: Wall) -> Said {
        let mark = Mark { severity: h.severity, over: h.resolved.is_some(), acknowledged: h.acknowledged };
        let former = self.marks.get(&(channel, h.id)).copied();
        let quiet = h.acknowledged || h.planned;
        match (former, h.resolved) {
            // Over before anybody heard of it.
            (None, Some(_)) => Said::Nothing,
            (None, None) if quiet || h.folded => Said::Nothing,
            (None, None) if now.millis_since(h.opened) < i64::from(route.settle_s) * 1000 => Said::Nothing,
            (None, None) => Said::News(News::Opened, mark),
            (Some(former), Some(_)) if former.over => Said::Nothing,
            (Some(_), Some(_)) if h.folded || !route.resolved => Said::Silently(mark),
            (Some(_), Some(_)) => Said::News(News::Over, mark),
            (Some(former), None) if former.over => {
                if quiet {
                    Said::Nothing
                } else {
                    Said::News(News::Reopened, mark)
                }
            }
            (Some(former), None) if h.severity > former.severity && !quiet => Said::News(News::Worse, mark),
            (Some(former), None) if former.acknowledged && !quiet => Said::News(News::Still, mark),
            (Some(former), None) if h.acknowledged && !former.acknowledged => {
                Said::Silently(Mark { severity: former.severity, ..mark })
            }
            (Some(_), None) => Said::Nothing,
        }
    }
}

enum Said {
    Nothing,
    Silently(Mark),
    News(News, Mark),
}

fn message(channel: ChannelId, lines: &[(IncidentId, News, Mark)]) -> Message {
    Message {
        channel,
        items: lines.iter().map(|(id, news, _)| (*id, *news)).collect(),
        marks: lines.iter().map(|(id, _, mark)| (*id, *mark)).collect(),
    }
}

impl Route {
    /// Whether this is for the channel at all.
    fn covers(&self, h: &Happening) -> bool {
        if h.severity < self.least {
            return false;
        }
        if h.own {
            return self.own;
        }
        let everywhere = self.towns.is_empty() && self.sites.is_empty();
        everywhere || h.places.iter().any(|(town, site)| self.towns.contains(town) || self.sites.contains(site))
    }

    /// Whether the channel is awake.
    fn holds(&self, now: Wall) -> bool {
        let Some((from, until)) = self.hours else { return true };
        let minute = (now.0 + ZONE_MS).rem_euclid(DAY_MS) / 60_000;
        let (from, until) = (i64::from(from), i64::from(until));
        if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until }
    }

    /// What is wrong with it, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        if self.hours.is_some_and(|(from, until)| from > 1439 || until > 1440 || from == until) {
            Some("hours: expected two different minutes of the day")
        } else if self.digest_minutes > 24 * 60 {
            Some("digest_minutes: expected at most 1440")
        } else if !(1..=600).contains(&self.per_hour) {
            Some("per_hour: expected 1 to 600")
        } else if self.settle_s > 3600 {
            Some("settle_s: expected at most 3600")
        } else {
            None
        }
    }
}

/// How long to wait before another try of a delivery that failed so many times: doubles from ten seconds to a quarter
/// of an hour, and up to a third is added by `chance` (0 to 1), so that channels do not come back in step.
#[must_use]
pub fn pause(attempts: u32, chance: f64) -> Duration {
    let plain = Duration::from_secs(10) * 2u32.saturating_pow(attempts.saturating_sub(1).min(7));
    plain.min(Duration::from_secs(900)).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 3.0)
}
