//! What the API says of cameras, incidents and the rest: plain data with schemas, made from the other floors' types.

use crate::{
    api::orders::Hiding,
    gallery::Gallery,
    words::{
        CauseWord, CodecWord, LayerWord, LikelyWord, OwnWord, SeverityWord, StatusWord, StreamWord, TransportWord,
    },
};
use fleet::{CameraId, Cause, Layer, Registry, Status};
use health::{Board, CameraRow, Carriage, Counts, FormatChange, Incident, Scope as IncidentScope, StreamFigures};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use store::StatusInterval;
use utoipa::ToSchema;

/// A page of a longer list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// Ask again with this as `cursor` to continue; null at the end.
    pub(crate) next: Option<String>,
}

impl<T> From<store::Page<T>> for Paged<T> {
    fn from(page: store::Page<T>) -> Paged<T> {
        Paged { items: page.items, next: page.next }
    }
}

impl<T> Paged<T> {
    pub(crate) fn map<U>(self, view: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(view).collect(), next: self.next }
    }
}

/// One camera now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CameraState {
    id: u32,
    status: StatusWord,
    /// Milliseconds since the epoch, like every time.
    since: i64,
    /// The failing rung.
    layer: Option<LayerWord>,
    cause: Option<CauseWord>,
    /// Other faults that were confirmed too, while its video arrives.
    besides: Vec<CauseWord>,
    #[schema(value_type = String)]
    detail: Arc<str>,
    /// A change is suspected and being confirmed.
    confirming: bool,
    /// It changes too often to be told each time.
    flapping: bool,
    last_picture: Option<i64>,
    last_snapshot: Option<i64>,
    next_try: Option<i64>,
    /// Version of the thumbnail for its address; 0 if there is none.
    thumb: u64,
}

impl CameraState {
    pub(crate) fn of(row: &CameraRow, gallery: &Gallery) -> CameraState {
        CameraState {
            id: row.camera.0,
            status: row.status.into(),
            since: row.since.0,
            layer: row.layer.map(Into::into),
            cause: row.cause.map(Into::into),
            besides: row.besides.iter().map(|cause| (*cause).into()).collect(),
            // What was found in a picture is told where the picture may be seen.
            detail: if row.cause.is_some_and(is_of_picture) { Arc::from("") } else { Arc::clone(&row.detail) },
            confirming: row.confirming,
            flapping: row.flapping,
            last_picture: row.last_picture.map(|t| t.0),
            last_snapshot: row.last_snapshot.map(|t| t.0),
            next_try: row.next_try.map(|t| t.0),
            thumb: gallery.version(row.camera),
        }
    }
}

/// Cameras by status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub(crate) struct CountsView {
    pub(crate) online: u32,
    pub(crate) impaired: u32,
    pub(crate) offline: u32,
    pub(crate) unknown: u32,
    pub(crate) paused: u32,
}

impl From<Counts> for CountsView {
    fn from(c: Counts) -> CountsView {
        let Counts { online, impaired, offline, unknown, paused } = c;
        CountsView { online, impaired, offline, unknown, paused }
    }
}

impl CountsView {
    pub(crate) fn add(&mut self, status: Status) {
        *match status {
            Status::Online => &mut self.online,
            Status::Impaired => &mut self.impaired,
            Status::Offline => &mut self.offline,
            Status::Unknown => &mut self.unknown,
            Status::Paused => &mut self.paused,
        } += 1;
    }

    pub(crate) fn total(&self) -> u32 {
        self.online + self.impaired + self.offline + self.unknown + self.paused
    }

    /// Share of the judged cameras that deliver video; null if none is judged. Of this instant, not over time.
    pub(crate) fn online_rate(&self) -> Option<f64> {
        self.rate(self.online + self.impaired)
    }

    /// Share of the judged cameras that deliver without a fault.
    pub(crate) fn intact_rate(&self) -> Option<f64> {
        self.rate(self.online)
    }

    fn rate(&self, good: u32) -> Option<f64> {
        let judged = self.online + self.impaired + self.offline;
        (judged > 0).then(|| f64::from(good) / f64::from(judged))
    }
}

impl FromIterator<Status> for CountsView {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> CountsView {
        let mut counts = CountsView::default();
        statuses.into_iter().for_each(|s| counts.add(s));
        counts
    }
}

/// A part of our own machine at fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct OwnFault {
    part: OwnWord,
    detail: String,
}

/// The faults of our own machine on a board.
pub(crate) fn own_faults(board: &Board) -> Vec<OwnFault> {
    board.own_faults.iter().map(|(part, detail)| OwnFault { part: (*part).into(), detail: detail.clone() }).collect()
}

/// Figures of a running session over its last window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FiguresView {
    window_ms: u64,
    codec: Option<CodecWord>,
    /// Profile and level, such as "High 4.1".
    profile: Option<String>,
    width: u32,
    height: u32,
    packets: u64,
    lost: u64,
    /// Packets that came after a later one.
    reordered: u64,
    /// Packets that came twice.
    duplicates: u64,
    /// Longest pause between two packets.
    longest_gap_ms: u64,
    /// Bits per second.
    bitrate: u64,
    fps: f32,
    keyframes: u32,
    keyframe_age_ms: Option<u64>,
    /// Between the last two.
    keyframe_interval_ms: Option<u64>,
    /// From the answer to PLAY to the first.
    first_keyframe_ms: Option<u64>,
    jitter_ms: f32,
    /// Camera clock minus ours.
    clock_offset_ms: Option<i64>,
    /// Half of the interval in which that offset lies.
    clock_uncertainty_ms: Option<u32>,
    /// How fast the camera's clock gains on ours, in millionths; null until it was watched for long enough.
    clock_drift_ppm: Option<f32>,
    clock_drift_uncertainty_ppm: Option<f32>,
    /// Its sender reports tell times that are no date.
    clock_absurd: bool,
}

/// How the packets of the running session travel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CarriageView {
    transport: TransportWord,
    /// Why it is not the registered one; null if it is.
    fallback: Option<String>,
}

impl From<&Carriage> for CarriageView {
    fn from(c: &Carriage) -> CarriageView {
        CarriageView { transport: c.transport.into(), fallback: c.fallback.clone() }
    }
}

/// What a stream is or was made of from an instant on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormatView {
    stream: StreamWord,
    /// Since when.
    from: i64,
    codec: CodecWord,
    profile: Option<String>,
    width: u32,
    height: u32,
}

impl From<&FormatChange> for FormatView {
    fn from(change: &FormatChange) -> FormatView {
        let format = change.format;
        FormatView {
            stream: change.stream.into(),
            from: change.at.0,
            codec: format.codec.into(),
            profile: format.profile.map(|p| p.name(format.codec)),
            width: format.width,
            height: format.height,
        }
    }
}

impl From<&StreamFigures> for FiguresView {
    fn from(f: &StreamFigures) -> FiguresView {
        FiguresView {
            window_ms: millis(f.window),
            codec: f.codec.map(Into::into),
            profile: f.profile.zip(f.codec).map(|(profile, codec)| profile.name(codec)),
            width: f.width,
            height: f.height,
            packets: f.packets,
            lost: f.lost,
            reordered: f.reordered,
            duplicates: f.duplicates,
            longest_gap_ms: millis(f.longest_gap),
            bitrate: f.bitrate,
            fps: finite(f.fps),
            keyframes: f.keyframes,
            keyframe_age_ms: f.keyframe_age.map(millis),
            keyframe_interval_ms: f.keyframe_interval.map(millis),
            first_keyframe_ms: f.first_keyframe.map(millis),
            jitter_ms: finite(f.jitter_ms),
            clock_offset_ms: f.clock_offset_ms,
            clock_uncertainty_ms: f.clock_uncertainty_ms,
            clock_drift_ppm: f.clock_drift.map(|d| finite(d.ppm)),
            clock_drift_uncertainty_ppm: f.clock_drift.map(|d| finite(d.uncertainty_ppm)),
            clock_absurd: f.clock_absurd,
        }
    }
}

/// JSON knows no infinity; what cannot be said is nothing.
pub(crate) fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

/// Whole milliseconds.
pub(crate) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a cause is found in pictures: its words tell what they show.
pub(crate) fn is_of_picture(cause: Cause) -> bool {
    cause.layer() == Layer::Picture
}

/// A camera's status over some time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IntervalView {
    camera: u32,
    from: i64,
    /// Null while it lasts.
    until: Option<i64>,
    status: StatusWord,
    layer: Option<LayerWord>,
    cause: Option<CauseWord>,
    detail: String,
}

impl From<StatusInterval> for IntervalView {
    fn from(i: StatusInterval) -> IntervalView {
        IntervalView {
            camera: i.camera.0,
            from: i.from.0,
            until: i.until.map(|t| t.0),
            status: i.status.into(),
            layer: i.layer.map(Into::into),
            cause: i.cause.map(Into::into),
            detail: i.detail,
        }
    }
}

impl IntervalView {
    /// Without the words on causes that are hidden.
    pub(crate) fn without(self, hiding: &Hiding) -> IntervalView {
        let hidden = self.cause.is_some_and(|c| hiding.hides(self.camera(), c.0));
        if hidden { IntervalView { detail: String::new(), ..self } } else { self }
    }

    pub(crate) fn camera(&self) -> CameraId {
        CameraId(self.camera)
    }
}

/// One disturbance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentView {
    id: u64,
    scope: ScopeView,
    opened: i64,
    resolved: Option<i64>,
    severity: SeverityWord,
    cause: CauseWord,
    likely: LikelyWord,
    /// How sure the rules are, in percent.
    confidence: u8,
    evidence: Vec<EvidenceView>,
    members: Vec<MemberView>,
    acknowledged: Option<AcknowledgementView>,
    /// The incident this one was folded into.
    folded_into: Option<u64>,
    /// When the fault returned so soon after it was over that this incident was opened again; the last 50 times.
    reopened: Vec<i64>,
}

/// What an incident is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScopeView {
    /// camera, uplink, site, olt, town, county or own.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ScopeId>,
}

/// A number; the name for an olt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum ScopeId {
    Number(u32),
    Name(String),
}

impl From<&IncidentScope> for ScopeView {
    fn from(scope: &IncidentScope) -> ScopeView {
        let (kind, id) = match scope {
            IncidentScope::Camera(id) => ("camera", Some(ScopeId::Number(id.0))),
            IncidentScope::Uplink(id) => ("uplink", Some(ScopeId::Number(id.0))),
            IncidentScope::Site(id) => ("site", Some(ScopeId::Number(id.0))),
            IncidentScope::Olt(olt) => ("olt", Some(ScopeId::Name(olt.0.clone()))),
            IncidentScope::Town(id) => ("town", Some(ScopeId::Number(id.0))),
            IncidentScope::County => ("county", None),
            IncidentScope::Own => ("own", None),
        };
        ScopeView { kind, id }
    }
}

/// One reason of the rules.
#[derive(Debug, Serialize, ToSchema)]
struct EvidenceView {
    /// One of the vocabulary's `rules` or `joinings`.
    rule: String,
    /// What it weighs, in percent: how sure a rule of causes is; of one that joins, the share of cameras that fell silent
    /// among those that can testify.
    weight: u8,
    zh: String,
    en: String,
}

/// A camera in an incident.
#[derive(Debug, Serialize, ToSchema)]
struct MemberView {
    camera: u32,
    joined: i64,
    left: Option<i64>,
    cause: CauseWord,
}

/// Somebody has seen it and says why it can wait.
#[derive(Debug, Serialize, ToSchema)]
struct AcknowledgementView {
    by: String,
    at: i64,
    reason: String,
    until: Option<i64>,
}

impl From<&Incident> for IncidentView {
    fn from(i: &Incident) -> IncidentView {
        IncidentView {
            id: i.id.0,
            scope: ScopeView::from(&i.scope),
            opened: i.opened.0,
            resolved: i.resolved.map(|t| t.0),
            severity: i.severity.into(),
            cause: i.cause.into(),
            likely: i.likely.into(),
            confidence: i.confidence,
            evidence: i
                .evidence
                .iter()
                .map(|e| EvidenceView { rule: e.rule.clone(), weight: e.weight, zh: e.zh.clone(), en: e.en.clone() })
                .collect(),
            members: i
                .members
                .iter()
                .map(|m| MemberView {
                    camera: m.camera.0,
                    joined: m.joined.0,
                    left: m.left.map(|t| t.0),
                    cause: m.cause.into(),
                })
                .collect(),
            acknowledged: i.acknowledged.as_ref().map(|a| AcknowledgementView {
                by: a.by.clone(),
                at: a.at.0,
                reason: a.reason.clone(),
                until: a.until.map(|t| t.0),
            }),
            folded_into: i.folded_into.map(|id| id.0),
            reopened: i.reopened.iter().map(|t| t.0).collect(),
        }
    }
}

/// The rows of a board that are in the register, in the order of ids.
pub(crate) fn rows<'a>(board: &'a Board, registry: &'a Registry) -> impl Iterator<Item = &'a CameraRow> {
    board.cameras.iter().filter(|row| registry.camera(row.camera).is_some())
}
