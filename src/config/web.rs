//! `[web]`: the dashboard's door, sessions, accounts and exports.

use super::span::Span;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use web::{Tiles, TilesError, Tls, TlsError, WebConfig, users::Duties};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    pub(crate) listen: SocketAddr,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) tls_made_for: Vec<String>,
    pub(crate) tls_in_front: bool,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) redirect_listen: Option<SocketAddr>,
    pub(crate) metrics_token: Option<String>,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) snapshots_need_reason: bool,
    pub(crate) reason_holds: Span,
    pub(crate) watermark: bool,
    pub(crate) exports_need_approval: bool,
    pub(crate) export_snapshots: u32,
    pub(crate) export_mib: u32,
    pub(crate) exports_kept_days: u32,
    pub(crate) session_idle: Span,
    pub(crate) session_longest: Span,
    pub(crate) failures_per_account: u32,
    pub(crate) failures_per_address: u32,
    pub(crate) first_wait: Span,
    pub(crate) separate_duties: bool,
    pub(crate) second_factor_roles: Vec<store::Role>,
    pub(crate) breached_passwords: Option<PathBuf>,
    pub(crate) map_tiles: Option<PathBuf>,
    pub(crate) map_attribution: String,
    pub(crate) map_gcj02: bool,
}

impl Default for Web {
    fn default() -> Web {
        let web = WebConfig::default();
        Web {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate: None,
            tls_key: None,
            tls_made_for: Vec::new(),
            tls_in_front: false,
            trusted_proxies: Vec::new(),
            redirect_listen: None,
            metrics_token: None,
            metrics_listen: None,
            snapshots_need_reason: true,
            reason_holds: Span(web.reason_holds),
            watermark: false,
            exports_need_approval: false,
            export_snapshots: 5000,
            export_mib: 1024,
            exports_kept_days: 7,
            session_idle: Span(web.session_idle),
            session_longest: Span(web.session_longest),
            failures_per_account: web.failures_per_account,
            failures_per_address: web.failures_per_address,
            first_wait: Span(web.first_wait),
            separate_duties: false,
            second_factor_roles: Vec::new(),
            breached_passwords: None,
            map_tiles: None,
            map_attribution: String::new(),
            map_gcj02: false,
        }
    }
}

impl Web {
    /// The first key with a value that cannot work, and what is expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        const DAY_MS: u64 = 86_400_000;
        let own = self.tls_certificate.is_some() || self.tls_key.is_some();
        let made = !self.tls_made_for.is_empty();
        let rules: [(bool, &'static str, &'static str); 14] = [
            (self.map_attribution.chars().count() <= 200, "web.map_attribution", "at most 200 characters"),
            (
                self.tls_certificate.is_some() || self.tls_key.is_none(),
                "web.tls_certificate",
                "a file: tls_key is set, and belongs to a certificate",
            ),
            (
                self.tls_key.is_some() || self.tls_certificate.is_none(),
                "web.tls_key",
                "a file: tls_certificate is set, and needs its key",
            ),
            (
                !(own && made) && !(self.tls_in_front && (own || made)),
                "web.tls_made_for",
                "one of three: a certificate of your own, one made here, or a proxy in front",
            ),
            (
                self.redirect_listen.is_none() || own || made,
                "web.redirect_listen",
                "nothing: without TLS there is nowhere to lead to",
            ),
            ((1..=20_000).contains(&self.export_snapshots), "web.export_snapshots", "1 to 20000"),
            ((1..=2048).contains(&self.export_mib), "web.export_mib", "1 to 2048"),
            ((1..=365).contains(&self.exports_kept_days), "web.exports_kept_days", "1 to 365"),
            (self.session_idle.within(60_000, 7 * DAY_MS), "web.session_idle", "1m to 168h"),
            (self.session_longest.within(60_000, 31 * DAY_MS), "web.session_longest", "1m to 744h"),
            ((1..=100).contains(&self.failures_per_account), "web.failures_per_account", "1 to 100"),
            ((1..=10_000).contains(&self.failures_per_address), "web.failures_per_address", "1 to 10000"),
            (self.reason_holds.within(60_000, DAY_MS), "web.reason_holds", "1m to 24h"),
            (self.first_wait.within(1000, 15 * 60_000), "web.first_wait", "1s to 15m"),
        ];
        rules.into_iter().find(|(good, ..)| !good).map_or(Ok(()), |(_, key, expected)| Err((key, expected)))
    }

    /// The certificate to answer with, if any; one that is made here is kept in `folder`.
    pub(crate) fn tls(&self, folder: &Path) -> Result<Option<Tls>, TlsError> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => Tls::read(certificate, key).map(Some),
            _ if !self.tls_made_for.is_empty() => Tls::generated(folder, &self.tls_made_for).map(Some),
            _ => Ok(None),
        }
    }

    /// The ground of the map, if one is given.
    pub(crate) fn map(&self) -> Result<Option<Arc<Tiles>>, TilesError> {
        let open = |path: &PathBuf| Tiles::open(path, &self.map_attribution, self.map_gcj02).map(Arc::new);
        self.map_tiles.as_ref().map(open).transpose()
    }

    /// Whether the page is reached by https.
    pub(crate) fn https(&self) -> bool {
        self.tls_in_front || self.tls_certificate.is_some() || !self.tls_made_for.is_empty()
    }

    /// Who administers what.
    pub(crate) fn duties(&self) -> Duties {
        if self.separate_duties { Duties::Apart } else { Duties::Together }
    }

    /// The same for the web crate; evidence packages lie in this folder.
    pub(crate) fn settings(&self, exports: &Path) -> WebConfig {
        WebConfig {
            https: self.https(),
            trusted_proxies: self.trusted_proxies.clone(),
            exports_folder: exports.to_owned(),
            snapshots_need_reason: self.snapshots_need_reason,
            reason_holds: self.reason_holds.0,
            watermark: self.watermark,
            exports_need_approval: self.exports_need_approval,
            export_snapshots: self.export_snapshots as usize,
            export_bytes: u64::from(self.export_mib) << 20,
            exports_kept: Duration::from_secs(u64::from(self.exports_kept_days) * 86_400),
            metrics_token: self.metrics_token.as_deref().map(fleet::Secret::new),
            session_idle: self.session_idle.0,
            session_longest: self.session_longest.0,
            failures_per_account: self.failures_per_account,
            failures_per_address: self.failures_per_address,
            first_wait: self.first_wait.0,
            duties: self.duties(),
            second_factor_roles: self.second_factor_roles.clone(),
            ..WebConfig::default()
        }
    }
}
