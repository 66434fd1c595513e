//! Retention 留存: what is kept how long, what that takes, what was dropped, and how long the room lasts.

use crate::{app::App, caller::Caller, pictures::archive_problem, problem::Result, words::ClassWord};
use archive::{Kept, Limit, Purge, Retained};
use axum::{Json, extract::State};
use fleet::Registry;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Purges that are shown.
const PURGES: usize = 50;

#[derive(Serialize, ToSchema)]
pub(crate) struct RetentionView {
    /// The legal minimum in days: nothing younger is dropped.
    keep_days: u32,
    /// Most bytes of the whole archive.
    most_bytes: Option<u64>,
    /// Share of the disk in use from which old pictures make room.
    high_water_percent: u8,
    bytes: u64,
    free_bytes: u64,
    kept: Vec<KeptView>,
    held: HeldView,
    places: Vec<PlaceRuleView>,
    /// Null in the archive's first hour.
    forecast: Option<ForecastView>,
    /// The newest 50, newest first.
    purges: Vec<PurgeView>,
}

/// What is kept alike: some classes, of one place or of everywhere else.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptView {
    classes: Vec<ClassWord>,
    /// Name of the rule for a place.
    place: Option<String>,
    /// Age in days at which it is dropped; null for as long as there is room.
    days: Option<u32>,
    most_bytes: Option<u64>,
    bytes: u64,
    segments: u64,
    records: u64,
    /// Null in the archive's first hour.
    daily_bytes: Option<u64>,
    oldest: Option<i64>,
    /// When its oldest segment is dropped for its age, unless it is held or room runs out before.
    next_purge: Option<i64>,
    /// More than it may be, because the legal minimum or a hold wants it kept.
    over: bool,
}

/// What holds keep.
#[derive(Serialize, ToSchema)]
pub(crate) struct HeldView {
    /// Longest time for a new hold.
    days: Option<u32>,
    most_bytes: Option<u64>,
    holds: u64,
    segments: u64,
    bytes: u64,
    /// Of those, bytes whose time is over but for the hold.
    overdue_bytes: u64,
}

/// A rule for some places.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaceRuleView {
    name: String,
    /// Towns and sites as the config names them.
    covers: Vec<String>,
    /// Of those, names that the register does not have.
    unknown: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ForecastView {
    /// Days until pictures older than the legal minimum go sooner than their time; null: not within ten years.
    pressed_in_days: Option<u32>,
    /// Days until new snapshots are refused; null: not within ten years.
    refused_in_days: Option<u32>,
    /// Bytes in the end, if everything kept has an end.
    settled_bytes: Option<u64>,
    /// The object store is away: until it is back everything stays on this disk, and the days are for that.
    store_away: bool,
}

/// A segment that was dropped.
#[derive(Serialize, ToSchema)]
pub(crate) struct PurgeView {
    segment: u64,
    at: i64,
    records: u64,
    bytes: Option<u64>,
    oldest: i64,
    newest: i64,
    /// days, class_bytes, most_bytes, high_water or no_room.
    reason: String,
    classes: Vec<ClassWord>,
    place: Option<String>,
}

impl From<Kept> for KeptView {
    fn from(kept: Kept) -> KeptView {
        let Limit { days, bytes: most_bytes } = kept.limit;
        KeptView {
            classes: kept.classes.into_iter().map(Into::into).collect(),
            place: kept.place,
            days,
            most_bytes,
            bytes: kept.bytes,
            segments: kept.segments,
            records: kept.records,
            daily_bytes: kept.daily_bytes,
            oldest: kept.oldest.map(|at| at.0),
            next_purge: kept.next_purge.map(|at| at.0),
            over: kept.over,
        }
    }
}

impl From<Purge> for PurgeView {
    fn from(purge: Purge) -> PurgeView {
        PurgeView {
            segment: purge.segment,
            at: purge.at.0,
            records: purge.records,
            bytes: purge.bytes,
            oldest: purge.oldest.0,
            newest: purge.newest.0,
            reason: purge.reason,
            classes: purge.classes.into_iter().map(Into::into).collect(),
            place: purge.place,
        }
    }
}

/// What is kept how long, what that takes, what was dropped, and how long the room lasts
#[utoipa::path(get, path = "/api/v1/retention", tag = "about", responses((status = 200, body = RetentionView)))]
pub(crate) async fn retention(State(app): State<App>, _: Caller) -> Result<Json<RetentionView>> {
    let archive = &app.services.archive;
    let Retained { keep_days, most_bytes, high_water_percent, bytes, free_bytes, kept, held, places, forecast } =
        archive.retained().await.map_err(archive_problem)?;
    let purges = archive.purges(PURGES).await.map_err(archive_problem)?;
    let registry = app.services.registry.load_full();
    let known = names(&registry);
    Ok(Json(RetentionView {
        keep_days,
        most_bytes,
        high_water_percent,
        bytes,
        free_bytes,
        kept: kept.into_iter().map(Into::into).collect(),
        held: HeldView {
            days: held.limit.days,
            most_bytes: held.limit.bytes,
            holds: held.holds,
            segments: held.segments,
            bytes: held.bytes,
            overdue_bytes: held.overdue_bytes,
        },
        places: places
            .into_iter()
            .map(|(name, covers)| {
                let unknown = covers.iter().filter(|name| !known.contains(name.as_str())).cloned().collect();
                PlaceRuleView { name, covers, unknown }
            })
            .collect(),
        forecast: forecast.map(|f| ForecastView {
            pressed_in_days: f.pressed_in_days,
            refused_in_days: f.refused_in_days,
            settled_bytes: f.settled_bytes,
            store_away: f.store_away,
        }),
        purges: purges.into_iter().map(Into::into).collect(),
    }))
}

/// Towns and sites as a rule may name them.
fn names(registry: &Registry) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = registry.towns().map(|town| town.name.clone()).collect();
    for site in registry.sites() {
        names.insert(site.name.clone());
        names.extend(registry.town(site.town).map(|town| format!("{}/{}", town.name, site.name)));
    }
    names
}
