//! The config file: TOML, every key explained in `config/sharpeyes.toml`, unknown keys refused with a suggestion.

mod clock;
mod diagnosis;
mod error;
mod retention;
mod span;
mod web;

pub(crate) use diagnosis::Diagnosis;
pub(crate) use error::ConfigError;
pub(crate) use web::Web;

use crate::output::Failure;
use clock::ClockTime;
use fleet::StreamChoice;
use serde::Deserialize;
use span::Span;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Everything the config file can say. What it leaves out has the value that `config/sharpeyes.toml` shows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) node: Node,
    pub(crate) web: Web,
    pub(crate) ingest: Ingest,
    pub(crate) health: Health,
    pub(crate) picture: Picture,
    pub(crate) diagnosis: Diagnosis,
    pub(crate) archive: Archive,
    pub(crate) stamps: Stamps,
    pub(crate) s3: S3,
    pub(crate) desk: Desk,
    pub(crate) reports: Reports,
    pub(crate) log: Log,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) data: PathBuf,
    pub(crate) key: Option<String>,
    pub(crate) clock_is_kept: bool,
    pub(crate) references: Vec<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ingest {
    pub(crate) allow_networks: Vec<String>,
    pub(crate) allow_loopback: bool,
    pub(crate) transport_fallback: bool,
    pub(crate) resolve: Span,
    pub(crate) connect: Span,
    pub(crate) answer: Span,
    pub(crate) first_packet: Span,
    pub(crate) packet_gap: Span,
    pub(crate) first_keyframe: Span,
    pub(crate) keyframe_gap: Span,
    pub(crate) reading_threads: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) stream: Stream,
    pub(crate) snapshot_every: Span,
    pub(crate) assess_every: Span,
    pub(crate) opens_per_second: u32,
    pub(crate) opening_at_once: u32,
    pub(crate) opening_per_uplink: u32,
    pub(crate) main_kbps: u32,
    pub(crate) sub_kbps: u32,
    pub(crate) retry_first: Span,
    pub(crate) retry_longest: Span,
    pub(crate) flap_count: u32,
    pub(crate) flap_window: Span,
    pub(crate) correlation_window: Span,
    pub(crate) reopen_within: Span,
    pub(crate) clock_tolerance: Span,
    pub(crate) loss_permille: u32,
    pub(crate) lowest_fps: f32,
    pub(crate) implausible_percent: u32,
}

/// Which stream is pulled continuously.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    Main,
    Sub,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Picture {
    pub(crate) workers: usize,
    pub(crate) time_limit: Span,
    pub(crate) memory_mib: u64,
    pub(crate) sandbox: Sandbox,
}

/// What happens where the kernel lacks a layer of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sandbox {
    Require,
    Prefer,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Archive {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) form: Form,
    pub(crate) segment_mib: u64,
    pub(crate) commit_every: Span,
    pub(crate) keep_days: u32,
    pub(crate) most_gib: Option<u64>,
    pub(crate) high_water_percent: u8,
    pub(crate) verify_every_days: u32,
    pub(crate) routine: retention::Limit,
    pub(crate) status_change: retention::Limit,
    pub(crate) incident: retention::Limit,
    pub(crate) held: retention::Limit,
    pub(crate) place: Vec<retention::Place>,
}

/// In which form pictures are archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Original,
    Jpeg,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) endpoint: Option<String>,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) folder: String,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) local_days: u32,
    pub(crate) local_gib: Option<u64>,
}

/// The authority that stamps manifests with the time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Stamps {
    pub(crate) url: Option<String>,
    pub(crate) certificate: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Desk {
    pub(crate) respond_critical: Span,
    pub(crate) respond_major: Span,
    pub(crate) respond_minor: Span,
    pub(crate) repair_critical: Span,
    pub(crate) repair_major: Span,
    pub(crate) repair_minor: Span,
    pub(crate) stable: Span,
    pub(crate) order_after: Option<Span>,
    pub(crate) shifts: Vec<ClockTime>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reports {
    pub(crate) repair_within: Span,
    pub(crate) repeat_within: Span,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) json: bool,
    pub(crate) field_mib: u64,
}

impl Default for Desk {
    fn default() -> Desk {
        let desk = health::desk::Desk::default();
        Desk {
            respond_critical: Span(desk.critical.response),
            respond_major: Span(desk.major.response),
            respond_minor: Span(desk.minor.response),
            repair_critical: Span(desk.critical.repair),
            repair_major: Span(desk.major.repair),
            repair_minor: Span(desk.minor.repair),
            stable: Span(desk.stable),
            order_after: None,
            shifts: [8, 20].map(|hour| ClockTime(jiff::civil::Time::constant(hour, 0, 0, 0))).to_vec(),
        }
    }
}

impl Desk {
    /// As the state machine of work orders wants it.
    pub(crate) fn agreed(&self) -> health::desk::Desk {
        let terms = |response: Span, repair: Span| health::desk::Terms { response: response.0, repair: repair.0 };
        health::desk::Desk {
            critical: terms(self.respond_critical, self.repair_critical),
            major: terms(self.respond_major, self.repair_major),
            minor: terms(self.respond_minor, self.repair_minor),
            stable: self.stable.0,
        }
    }
}

impl Default for Node {
    fn default() -> Node {
        Node {
            name: "node-1".into(),
            data: "/var/lib/sharpeyes".into(),
            key: None,
            clock_is_kept: true,
            references: Vec::new(),
        }
    }
}

impl Default for Ingest {
    fn default() -> Ingest {
        Ingest {
            allow_networks: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(String::from).to_vec(),
            allow_loopback: false,
            transport_fallback: true,
            resolve: Span::secs(3),
            connect: Span::secs(4),
            answer: Span::secs(4),
            first_packet: Span::secs(4),
            packet_gap: Span::secs(5),
            first_keyframe: Span::secs(10),
            keyframe_gap: Span::secs(30),
            reading_threads: 0,
        }
    }
}

impl Default for Health {
    fn default() -> Health {
        let core = health::Config::default();
        Health {
            stream: match core.continuous {
                StreamChoice::Main => Stream::Main,
                StreamChoice::Sub => Stream::Sub,
            },
            snapshot_every: Span(core.snapshot_every),
            assess_every: Span(core.assess_every),
            opens_per_second: core.opens_per_second,
            opening_at_once: core.opening_at_once,
            opening_per_uplink: core.opening_per_uplink,
            main_kbps: core.main_kbps,
            sub_kbps: core.sub_kbps,
            retry_first: Span(core.retry_first),
            retry_longest: Span(core.retry_longest),
            flap_count: core.flap_count,
            flap_window: Span(core.flap_window),
            correlation_window: Span(core.correlation_window),
            reopen_within: Span(core.reopen_within),
            clock_tolerance: Span(Duration::from_millis(core.clock_tolerance_ms.unsigned_abs())),
            loss_permille: core.loss_permille,
            lowest_fps: core.lowest_fps,
            implausible_percent: core.implausible_percent,
        }
    }
}

impl Default for Picture {
    fn default() -> Picture {
        Picture { workers: 2, time_limit: Span::secs(3), memory_mib: 512, sandbox: Sandbox::Require }
    }
}

impl Default for Archive {
    fn default() -> Archive {
        Archive {
            folder: None,
            form: Form::Original,
            segment_mib: 256,
            commit_every: Span::secs(1),
            keep_days: 30,
            most_gib: None,
            high_water_percent: 90,
            verify_every_days: 30,
            routine: retention::Limit::default(),
            status_change: retention::Limit::default(),
            incident: retention::Limit::default(),
            held: retention::Limit::default(),
            place: Vec::new(),
        }
    }
}

impl Default for S3 {
    fn default() -> S3 {
        S3 {
            endpoint: None,
            bucket: "snapshots".into(),
            region: "us-east-1".into(),
            folder: String::new(),
            access_key: None,
            secret_key: None,
            local_days: 7,
            local_gib: None,
        }
    }
}

impl Default for Reports {
    fn default() -> Reports {
        let rules = health::ledger::Rules::default();
        Reports { repair_within: Span(rules.repair_within), repeat_within: Span(rules.repeat_within) }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".into(), json: false, field_mib: 0 }
    }
}

impl Config {
    /// Reads and checks a config file.
    pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::unreadable(path, &e))?;
        Config::parse(&text, path)
    }

    /// Parses and checks the text of a config file; `path` is named in errors.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|e| ConfigError::malformed(path, text, &e))?;
        config.check().map_err(|(key, expected)| ConfigError::value(path, key, expected))?;
        Ok(config)
    }

    /// The first key with a value that cannot work, and what is expected.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let health = &self.health;
        let rules: &[(bool, &'static str, &'static str)] = &[
            (!self.node.name.trim().is_empty(), "node.name", "a name for this node"),
            (
                self.node.key.as_ref().is_none_or(|text| text.parse::<vault::Source>().is_ok()),
                "node.key",
                "\"file:/path\", \"env:NAME\" or \"credential:NAME\"",
            ),
            (
                [self.desk.respond_critical, self.desk.respond_major, self.desk.respond_minor]
                    .iter()
                    .chain(&[self.desk.repair_critical, self.desk.repair_major, self.desk.repair_minor])
                    .all(|span| span.within(60_000, 366 * 24 * 3_600_000)),
                "desk.respond_…, desk.repair_…",
                "1m to 8784h",
            ),
            (self.desk.stable.within(0, 7 * 24 * 3_600_000), "desk.stable", "0s to 168h"),
            (self.desk.shifts.len() <= 12, "desk.shifts", "at most 12 times of day"),
            (
                self.desk.order_after.is_none_or(|span| span.within(0, 7 * 24 * 3_600_000)),
                "desk.order_after",
                "0s to 168h",
            ),
            (self.ingest.connect.within(100, 60_000), "ingest.connect", "100ms to 60s"),
            (self.ingest.answer.within(100, 60_000), "ingest.answer", "100ms to 60s"),
            (self.ingest.first_packet.within(100, 60_000), "ingest.first_packet", "100ms to 60s"),
            (self.ingest.packet_gap.within(500, 60_000), "ingest.packet_gap", "500ms to 60s"),
            (self.ingest.resolve.within(100, 60_000), "ingest.resolve", "100ms to 60s"),
            (self.ingest.keyframe_gap.within(1000, 300_000), "ingest.keyframe_gap", "1s to 5m"),
            (self.ingest.reading_threads <= 64, "ingest.reading_threads", "0 (one for two processors) to 64"),
            (self.ingest.first_keyframe.within(1000, 120_000), "ingest.first_keyframe", "1s to 120s"),
            (health.snapshot_every.within(1000, 86_400_000), "health.snapshot_every", "1s to 24h"),
            (health.assess_every.within(1000, 86_400_000), "health.assess_every", "1s to 24h"),
            (health.reopen_within.within(0, 86_400_000), "health.reopen_within", "0s to 24h"),
            (health.opens_per_second > 0, "health.opens_per_second", "at least 1"),
            (health.opening_at_once > 0, "health.opening_at_once", "at least 1"),
            (health.opening_per_uplink > 0, "health.opening_per_uplink", "at least 1"),
            (health.main_kbps > 0, "health.main_kbps", "at least 1"),
            (health.sub_kbps > 0, "health.sub_kbps", "at least 1"),
            ((1..=64).contains(&self.picture.workers), "picture.workers", "1 to 64"),
            ((1..=4096).contains(&self.archive.segment_mib), "archive.segment_mib", "1 to 4096"),
            (self.reports.repair_within.within(60_000, 2_678_400_000), "reports.repair_within", "1m to 744h"),
            (self.reports.repeat_within.within(60_000, 31_622_400_000), "reports.repeat_within", "1m to 8784h"),
            ((0..=65_536).contains(&self.log.field_mib), "log.field_mib", "0 to 65536"),
            ((50..=99).contains(&self.archive.high_water_percent), "archive.high_water_percent", "50 to 99"),
            (
                self.s3.endpoint.as_ref().is_none_or(|e| e.starts_with("http://") || e.starts_with("https://")),
                "s3.endpoint",
                "an address such as \"https://10.0.0.5:9000\"",
            ),
            (
                self.stamps.url.as_ref().is_none_or(|u| u.starts_with("http://") || u.starts_with("https://")),
                "stamps.url",
                "an address such as \"http://10.0.0.6/tsa\"",
            ),
            (!self.s3.bucket.is_empty(), "s3.bucket", "the name of a bucket"),
            (
                self.s3.local_gib.is_none_or(|gib| gib.saturating_mul(1024) >= 4 * self.archive.segment_mib),
                "s3.local_gib",
                "at least four times archive.segment_mib",
            ),
        ];
        rules.iter().find(|(good, ..)| !good).map_or(Ok(()), |(_, key, expected)| Err((*key, *expected)))?;
        self.web.check()?;
        self.archive.check_retention()?;
        self.diagnosis.check()
    }

    /// Where snapshots are kept.
    pub(crate) fn archive_folder(&self) -> PathBuf {
        self.archive.folder.clone().unwrap_or_else(|| self.node.data.join("archive"))
    }

    /// Where the key is that seals secrets on the disk.
    pub(crate) fn key(&self) -> Result<vault::Source, Failure> {
        match &self.node.key {
            None => Ok(vault::Source::File(self.store_folder().join(store_sqlite::KEY_FILE))),
            Some(text) => text.parse().map_err(|e| Failure::setup(format!("node.key: {e}"))),
        }
    }

    /// Where the register, history and accounts are kept.
    pub(crate) fn store_folder(&self) -> PathBuf {
        self.node.data.join("store")
    }
}

impl Reports {
    /// What the figures go by.
    pub(crate) fn rules(&self) -> health::ledger::Rules {
        health::ledger::Rules { repair_within: self.repair_within.0, repeat_within: self.repeat_within.0 }
    }
}

impl Health {
    /// The settings of the core.
    pub(crate) fn core(&self) -> health::Config {
        health::Config {
            continuous: match self.stream {
                Stream::Main => StreamChoice::Main,
                Stream::Sub => StreamChoice::Sub,
            },
            opens_per_second: self.opens_per_second,
            opening_at_once: self.opening_at_once,
            opening_per_uplink: self.opening_per_uplink,
            main_kbps: self.main_kbps,
            sub_kbps: self.sub_kbps,
            retry_first: self.retry_first.0,
            retry_longest: self.retry_longest.0,
            snapshot_every: self.snapshot_every.0,
            assess_every: self.assess_every.0,
            flap_count: self.flap_count,
            flap_window: self.flap_window.0,
            correlation_window: self.correlation_window.0,
            reopen_within: self.reopen_within.0,
            clock_tolerance_ms: i64::try_from(self.clock_tolerance.0.as_millis()).unwrap_or(i64::MAX),
            loss_permille: self.loss_permille,
            lowest_fps: self.lowest_fps,
            implausible_percent: self.implausible_percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../config/sharpeyes.toml");

    #[test]
    fn the_explained_config_file_says_what_the_defaults_are() {
        let sample = Config::parse(SAMPLE, Path::new("config/sharpeyes.toml")).unwrap();
        assert_eq!(sample, Config::default());
    }

    #[test]
    fn every_optional_key_of_the_sample_is_accepted_when_uncommented() {
        let text: String = SAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split(' ').nth(1) == Some("=") => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_ne!(
            text.lines().filter(|l| !l.starts_with('#')).count(),
            SAMPLE.lines().filter(|l| !l.starts_with('#')).count()
        );
        Config::parse(&text, Path::new("x.toml")).unwrap();
    }

    #[test]
    fn mistakes_are_told_in_one_line_with_a_way_out() {
        let tell = |text: &str| Config::parse(text, Path::new("my.toml")).unwrap_err().to_string();
        assert_eq!(
            tell("[health]\nsnapshot_evry = \"5m\"\n"),
            "my.toml, line 2: unknown key \"snapshot_evry\"; did you mean \"snapshot_every\"?"
        );
        assert_eq!(tell("[helth]\n"), "my.toml, line 1: unknown key \"helth\"; did you mean \"health\"?");
        assert_eq!(
            tell("[web]\nqqqqqqqqqqqqqq = 1\n"),
            "my.toml, line 2: unknown key \"qqqqqqqqqqqqqq\"; known here: listen, tls_certificate, tls_key, tls_made_for, tls_in_front, trusted_proxies, redirect_listen, metrics_token, metrics_listen, snapshots_need_reason, reason_holds, watermark, exports_need_approval, export_snapshots, export_mib, exports_kept_days, session_idle, session_longest, failures_per_account, failures_per_address, first_wait, separate_duties, second_factor_roles, breached_passwords, map_tiles, map_attribution, map_gcj02"
        );
        assert!(tell("[web]\nlisten = \"nowhere\"\n").starts_with("my.toml, line 2: "));
        assert!(tell("[web\n").starts_with("my.toml, line 1: "));
        assert_eq!(
            tell("[health]\nsnapshot_every = \"0s\"\n"),
            "my.toml: health.snapshot_every cannot be used; expected 1s to 24h"
        );
        assert_eq!(
            tell("[diagnosis]\noff = [\"no_answer\"]\n"),
            "my.toml: diagnosis.off cannot be used; expected faults of the picture, such as [\"picture_blurred\"]"
        );
        assert!(tell("[diagnosis]\noff = [\"blurry\"]\n").starts_with("my.toml, line 2: "));
        assert!(tell("[diagnosis]\ndark_mean = nan\n").contains("diagnosis.dark_mean cannot be used"));
        assert!(tell("[desk]\nshifts = [\"8 Uhr\"]\n").contains("such as \"08:00\""));
        assert!(tell("[ingest]\nconnect = \"4 parsecs\"\n").contains("such as \"4s\""));
    }
}
