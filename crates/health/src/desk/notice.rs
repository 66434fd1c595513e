//! Who is told of which incident, when, and how much at once.
//!
//! Level-triggered: [`Teller::plan`] compares what is with what each channel was told, and says what is still to be
//! told. What was told is kept by the caller together with the message itself, so that nothing is lost or told twice
//! over a restart, and an event missed in between costs nothing. Pure: no clock, no network, no texts.
//!
//! How long ago something was sent is counted on the monotonic clock, so that nobody who sets the other one silences a
//! channel.

use super::order::Assignee;
use crate::{IncidentId, Severity};
use fleet::{Now, SiteId, TownId, Wall};
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
/// So often in an hour an incident that goes and comes is told at once; then once in a quarter of an hour.
const PROMPTLY: usize = 4;
const FLAPPING_MS: i64 = HOUR_MS / 4;
/// An incident that was told so often in the last hour opens what is kept for urgent ones no more.
const KNOWN_WELL: usize = 2;

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
    /// At most so many messages an hour; what is more is collected. The last quarter is kept for what is critical (and
    /// one beyond, if there is but one).
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
    /// The channel is still to be told that it began, or began again, also if it is over by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

impl Mark {
    /// Whether the channel is still to hear of it.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.waits || !self.over
    }
}

/// What a channel knows of an incident, before and after it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Learnt {
    /// Of which.
    pub incident: IncidentId,
    /// What it knew; `None` if nothing.
    pub before: Option<Mark>,
    /// What it knows then.
    pub after: Mark,
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
    /// It began and is over, before there was room to tell of it.
    Passed,
}

/// One message to one channel. To be stored together with its marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// To whom.
    pub channel: ChannelId,
    /// Of what; more than one makes a digest.
    pub items: Vec<(IncidentId, News)>,
    /// What the channel has been told once this is stored.
    pub marks: Vec<Learnt>,
}

/// What is to be stored now: messages, and marks that go without words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Messages, in their order.
    pub messages: Vec<Message>,
    /// Marks without a message.
    pub silent: Vec<(ChannelId, Learnt)>,
}

/// What each channel was told. Built from what is stored; changed by [`Teller::told`] only after storing.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    marks: BTreeMap<(ChannelId, IncidentId), Mark>,
    /// When each channel was sent something in the last two hours, oldest first. All of these in milliseconds of the
    /// monotonic clock.
    sent: BTreeMap<ChannelId, Vec<i64>>,
    digested: BTreeMap<ChannelId, i64>,
    /// When each channel heard of an incident in the last hour.
    heard: BTreeMap<(ChannelId, IncidentId), Vec<i64>>,
}

impl Teller {
    /// Continues from what is stored: marks, and when messages were made in the last day. What seems to be made later
    /// than now was made before somebody set the clock back: for the limit the newest of it counts as made now, and no
    /// digest waits for it.
    #[must_use]
    pub fn new(
        marks: impl IntoIterator<Item = (ChannelId, IncidentId, Mark)>,
        sent: impl IntoIterator<Item = (ChannelId, Wall)>,
        now: Now,
    ) -> Teller {
        let mut teller = Teller::default();
        teller.marks.extend(marks.into_iter().map(|(c, i, m)| ((c, i), m)));
        let sent: Vec<(ChannelId, Wall)> = sent.into_iter().collect();
        let ahead = sent.iter().map(|(_, at)| at.millis_since(now.wall)).max().unwrap_or(0).max(0);
        for (channel, at) in sent {
            let age = now.wall.millis_since(at);
            let at = ms(now) - if age < 0 { age + ahead } else { age };
            teller.sent.entry(channel).or_default().push(at);
            if age >= 0 {
                teller.digested.entry(channel).and_modify(|d| *d = at.max(*d)).or_insert(at);
            }
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
        now: Now,
    ) -> Plan {
        let mut plan = Plan::default();
        for (channel, route) in channels {
            self.plan_channel(channel, route, happenings, now, &mut plan);
        }
        plan
    }

    /// A plan was stored.
    pub fn told(&mut self, plan: &Plan, now: Now) {
        let now = ms(now);
        for message in &plan.messages {
            for learnt in &message.marks {
                self.marks.insert((message.channel, learnt.incident), learnt.after);
                self.heard.entry((message.channel, learnt.incident)).or_default().push(now);
            }
            self.sent.entry(message.channel).or_default().push(now);
            self.digested.insert(message.channel, now);
        }
        self.marks.extend(plan.silent.iter().map(|(c, learnt)| ((*c, learnt.incident), learnt.after)));
        for sent in self.sent.values_mut() {
            sent.retain(|at| now - at < 2 * HOUR_MS);
        }
        self.heard.retain(|_, heard| {
            heard.retain(|at| now - at < HOUR_MS);
            !heard.is_empty()
        });
    }

    /// Forgets what is about incidents or channels that are gone.
    pub fn forget(&mut self, keep: impl Fn(ChannelId, IncidentId) -> bool) {
        self.marks.retain(|(c, i), _| keep(*c, *i));
        self.heard.retain(|(c, i), _| keep(*c, *i));
    }

    /// Whether a channel was told of an incident and not yet that it is over.
    #[must_use]
    pub fn knows(&self, channel: ChannelId, incident: IncidentId) -> bool {
        self.marks.get(&(channel, incident)).is_some_and(|m| !m.over && !m.waits)
    }

    fn plan_channel(&self, channel: ChannelId, route: &Route, all: &[Happening], now: Now, plan: &mut Plan) {
        let mut urgent = Vec::new();
        let mut rest = Vec::new();
        for happening in all {
            let before = self.marks.get(&(channel, happening.id)).copied();
            if !route.covers(happening) && !before.is_some_and(|m| m.lasts()) {
                continue;
            }
            let learnt = |after| Learnt { incident: happening.id, before, after };
            match news(route, happening, before, now.wall) {
                Said::Nothing => {}
                Said::Silently(mark) => plan.silent.push((channel, learnt(mark))),
                Said::News(news, mark) => {
                    let heard = self.heard.get(&(channel, happening.id)).map_or(&[][..], Vec::as_slice);
                    let line = Line { news, learnt: learnt(mark), known: lately(heard, now) };
                    if flaps(news, heard, now) {
                        continue;
                    }
                    if happening.severity == Severity::Critical { urgent.push(line) } else { rest.push(line) }
                }
            }
        }
        let every = i64::from(route.digest_minutes) * 60_000;
        let due = self.digested.get(&channel).is_none_or(|last| ms(now) - last >= every);
        // What was told least comes first, should there be more than one message holds.
        urgent.sort_by_key(|line| !line.is_alarm());
        let room = self.room(channel, route, urgent.first().is_some_and(Line::is_alarm), now);
        let mut lines = urgent;
        if route.holds(now.wall) && (every == 0 || due || !lines.is_empty()) {
            lines.append(&mut rest);
        }
        // The last message that there is room for holds everything, so that the limit delays nothing more than it must.
        let length = if every > 0 || lines.len() >= BURST || lines.len() > room { LONGEST_DIGEST } else { 1 };
        let mut told = 0;
        for lines in lines.chunks(length).take(room) {
            plan.messages.push(message(channel, lines));
            told += lines.len();
        }
        // What must wait is written down: it is told also if it is over by then.
        let waiting = lines[told..].iter().chain(&rest).filter(|line| line.begins());
        plan.silent.extend(waiting.filter_map(|line| Some((channel, line.learnt.waiting()?))));
    }

    /// How many messages a channel can be sent now. When only what is kept for alarms is left, that is one at a time,
    /// spread over the hour: so none waits long, and there are never more in an hour than it is to have.
    fn room(&self, channel: ChannelId, route: &Route, alarm: bool, now: Now) -> usize {
        let limit = route.per_hour.max(1) as usize;
        let kept = limit.div_ceil(4);
        let common = limit.saturating_sub(kept).max(1);
        let sent = self.sent.get(&channel).map_or(&[][..], Vec::as_slice);
        let room = common.saturating_sub(lately(sent, now));
        if room > 0 || !alarm {
            return room;
        }
        let pause = HOUR_MS / i64::try_from(kept).unwrap_or(i64::MAX);
        // Sent when the common ones were used up.
        let of_the_kept = |i: usize| i.checked_sub(common).is_some_and(|first| sent[i] - sent[first] < HOUR_MS);
        let last = (0..sent.len()).rev().find(|i| of_the_kept(*i)).map(|i| sent[i]);
        usize::from(last.is_none_or(|last| ms(now) - last >= pause))
    }
}

/// Milliseconds of the monotonic clock.
fn ms(now: Now) -> i64 {
    i64::try_from(now.mono.0 / 1_000_000).unwrap_or(i64::MAX)
}

/// How many of these times lie within the last hour.
fn lately(times: &[i64], now: Now) -> usize {
    times.iter().filter(|at| ms(now) - **at < HOUR_MS).count()
}

/// Whether that it came or went again can wait: the channel has heard so often enough.
fn flaps(news: News, heard: &[i64], now: Now) -> bool {
    matches!(news, News::Over | News::Reopened)
        && lately(heard, now) >= PROMPTLY
        && heard.last().is_some_and(|last| ms(now) - last < FLAPPING_MS)
}

fn news(route: &Route, h: &Happening, before: Option<Mark>, now: Wall) -> Said {
    let mark = Mark { severity: h.severity, over: h.resolved.is_some(), acknowledged: h.acknowledged, waits: false };
    let quiet = h.acknowledged || h.planned;
    let waits = before.is_some_and(|m| m.waits);
    // What it was really told.
    let former = before.filter(|m| m.over || !m.waits);
    match (former, h.resolved) {
        // To be told, and over before it could be.
        (None, Some(_)) | (Some(Mark { over: true, .. }), Some(_)) if waits => {
            if quiet || h.folded {
                Said::Silently(mark)
            } else {
                Said::News(News::Passed, mark)
            }
        }
        // Over before it was to be told.
        (None, Some(_)) => Said::Nothing,
        (None, None) if quiet || h.folded => Said::Nothing,
        // An age without its sign: a beginning that lies ahead is one from before the clock was set back.
        (None, None) if !waits && now.millis_since(h.opened).abs() < i64::from(route.settle_s) * 1000 => Said::Nothing,
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

enum Said {
    Nothing,
    Silently(Mark),
    News(News, Mark),
}

/// What is to be said of one incident.
struct Line {
    news: News,
    learnt: Learnt,
    /// How often the channel heard of it in the last hour.
    known: usize,
}

impl Line {
    /// Whether, if critical, it may use what is kept for such.
    fn is_alarm(&self) -> bool {
        !matches!(self.news, News::Over | News::Passed) && self.known < KNOWN_WELL
    }

    /// Whether it would be forgotten once it is over.
    fn begins(&self) -> bool {
        matches!(self.news, News::Opened | News::Reopened)
    }
}

impl Learnt {
    /// That it waits to be told; `None` if that is written down already.
    fn waiting(&self) -> Option<Learnt> {
        if self.before.is_some_and(|m| m.waits) {
            return None;
        }
        let over = self.before.is_some_and(|m| m.over);
        Some(Learnt { after: Mark { over, waits: true, ..self.after }, ..*self })
    }
}

fn message(channel: ChannelId, lines: &[Line]) -> Message {
    Message {
        channel,
        items: lines.iter().map(|line| (line.learnt.incident, line.news)).collect(),
        marks: lines.iter().map(|line| line.learnt).collect(),
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

/// Longest [`pause`].
pub const LONGEST_PAUSE: Duration = Duration::from_secs(1200);
/// Longest [`pause_of_refused`].
pub const LONGEST_PAUSE_OF_REFUSED: Duration = Duration::from_secs(16 * 3600);

/// How long to wait before another try of a delivery that failed so many times: doubles from ten seconds to a quarter
/// of an hour, and up to a third is added by `chance` (0 to 1), so that channels do not come back in step.
#[must_use]
pub fn pause(attempts: u32, chance: f64) -> Duration {
    doubling(Duration::from_secs(10), attempts, LONGEST_PAUSE, chance)
}

/// The same for a delivery that its target refused for good so many times, from a quarter of an hour to half a day:
/// somebody may mend the target meanwhile.
#[must_use]
pub fn pause_of_refused(refusals: u32, chance: f64) -> Duration {
    doubling(Duration::from_secs(900), refusals, LONGEST_PAUSE_OF_REFUSED, chance)
}

fn doubling(first: Duration, times: u32, longest: Duration, chance: f64) -> Duration {
    let plain = first * 2u32.saturating_pow(times.saturating_sub(1).min(7));
    plain.min(longest.mul_f64(0.75)).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 3.0)
}
