//! Settings of the HTTP side.

use crate::{Breached, Tiles, users::Duties};
use fleet::Secret;
use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
use store::Role;

/// Settings of API, sign-in and dashboard.
#[derive(Clone, PartialEq, Debug)]
pub struct WebConfig {
    /// The page is reached by https, ended here or by a proxy in front: the session cookie is then marked `Secure`, and
    /// browsers are told to come by https only.
    pub https: bool,
    /// Proxies in front whose `X-Forwarded-For` tells where a request really comes from.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whoever opens archived snapshots must say why 事由.
    pub snapshots_need_reason: bool,
    /// Renderings, on the screen and in packages, say who looked and when. The archived pictures never do.
    pub watermark: bool,
    /// How long a stated reason opens the search that it was given for to its session.
    pub reason_holds: Duration,
    /// A session that is not used for this long ends.
    pub session_idle: Duration,
    /// A session ends after this long whatever happens.
    pub session_longest: Duration,
    /// Failed sign-ins of one account before it has to wait.
    pub failures_per_account: u32,
    /// Failed sign-ins from one address before it has to wait.
    pub failures_per_address: u32,
    /// First wait after too many failures; doubles with each further failure, up to a quarter of an hour.
    pub first_wait: Duration,
    /// Whether system, security and audit administration are in one hand or three 三员分立.
    pub duties: Duties,
    /// Roles that must sign in with a second factor.
    pub second_factor_roles: Vec<Role>,
    /// Passwords that are known to be guessed.
    pub breached: Option<Arc<Breached>>,
    /// Bearer token that opens `/metrics`, `/metrics/cameras` and `/readyz` to other machines than this one.
    pub metrics_token: Option<Secret>,
    /// What was agreed on with those who repair.
    pub desk: health::desk::Desk,
    /// An ordinary request is given up after this long.
    pub request_limit: Duration,
    /// Connections held at once.
    pub connections: usize,
    /// Of those, as many from one address; trusted proxies may have all.
    pub connections_per_address: usize,
    /// Event streams held at once.
    pub event_streams: usize,
    /// Live views held at once.
    pub live_viewers: usize,
    /// Time between two heartbeats of an event stream; its session is checked again at each.
    pub heartbeat: Duration,
    /// Memory for rendered snapshots, in bytes.
    pub picture_cache_bytes: usize,
    /// Folders of the node whose disks are told of, beside the archive's.
    pub folders: Vec<PathBuf>,
    /// Where evidence packages are written and kept until they expire.
    pub exports_folder: PathBuf,
    /// A second person must agree before an export is made.
    pub exports_need_approval: bool,
    /// Most snapshots of one export.
    pub export_snapshots: usize,
    /// Most bytes of original pictures in one export.
    pub export_bytes: u64,
    /// A package is removed after this long.
    pub exports_kept: Duration,
    /// How often is looked for a renewed certificate.
    pub certificate_every: Duration,
    /// The ground of the map, if one was given.
    pub map: Option<Arc<Tiles>>,
    /// How often is looked for reports that are to be mailed.
    pub mailings_every: Duration,
    /// When shifts change, by the county's clock: where a shift begins that no handover begins.
    pub shifts: Vec<jiff::civil::Time>,
    /// The node has not reported progress for this long: `/livez` fails.
    pub stuck_after: Duration,
}

impl Default for WebConfig {
    fn default() -> WebConfig {
        WebConfig {
            https: false,
            trusted_proxies: Vec::new(),
            snapshots_need_reason: true,
            watermark: false,
            reason_holds: Duration::from_secs(3600),
            session_idle: Duration::from_secs(8 * 3600),
            session_longest: Duration::from_secs(24 * 3600),
            failures_per_account: 5,
            failures_per_address: 20,
            first_wait: Duration::from_secs(30),
            duties: Duties::Together,
            second_factor_roles: Vec::new(),
            breached: None,
            metrics_token: None,
            desk: health::desk::Desk::default(),
            request_limit: Duration::from_secs(15),
            connections: 1024,
            connections_per_address: 256,
            event_streams: 256,
            live_viewers: 128,
            heartbeat: Duration::from_secs(10),
            picture_cache_bytes: 64 << 20,
            folders: Vec::new(),
            exports_folder: PathBuf::from("exports"),
            exports_need_approval: false,
            export_snapshots: 5000,
            export_bytes: 1 << 30,
            exports_kept: Duration::from_secs(7 * 86_400),
            certificate_every: Duration::from_secs(60),
            map: None,
            mailings_every: Duration::from_secs(15),
            shifts: vec![jiff::civil::Time::constant(8, 0, 0, 0), jiff::civil::Time::constant(20, 0, 0, 0)],
            stuck_after: Duration::from_secs(10),
        }
    }
}
