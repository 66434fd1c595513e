//! One row of the file, read and checked.

use super::{Column, Fault, LONGEST_FIELD};
use crate::{
    Coordinates, Credentials, Device, GbCode, LifeCycle, Place, Power, Secret, SiteKind, StreamUrl, Transport, Upkeep,
};
use std::collections::BTreeMap;

/// What a good row says. `None` where its column is missing or the cell empty.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) town: String,
    pub(super) site: String,
    pub(super) site_kind: Option<SiteKind>,
    pub(super) stat_code: Option<String>,
    pub(super) name: String,
    pub(super) gb_code: Option<GbCode>,
    pub(super) uplink: Option<String>,
    pub(super) uplink_kbps: Option<u32>,
    pub(super) olt: Option<String>,
    pub(super) main: StreamUrl,
    pub(super) sub: Option<StreamUrl>,
    pub(super) credentials: Option<Credentials>,
    pub(super) transport: Option<Transport>,
    pub(super) life_cycle: Option<LifeCycle>,
    pub(super) place: Place,
    pub(super) device: Device,
    pub(super) upkeep: Upkeep,
    pub(super) warnings: Vec<String>,
}

/// The cells of one row by column; reading collects what is wrong.
pub(super) struct Cells<'a> {
    pub(super) line: u64,
    pub(super) cells: BTreeMap<Column, &'a str>,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Cells<'a> {
    fn text(&mut self, column: Column) -> Option<&'a str> {
        let value = self.cells.get(&column).copied().map(unescaped).map(str::trim).filter(|v| !v.is_empty())?;
        if value.chars().count() > LONGEST_FIELD {
            self.fault(column, value, "at most 4000 characters");
            return None;
        }
        if value.chars().any(char::is_control) {
            self.fault(column, value, "no control characters or line breaks");
            return None;
        }
        Some(value)
    }

    fn owned(&mut self, column: Column) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    fn required(&mut self, column: Column) -> Option<&'a str> {
        let before = self.faults.len();
        let value = self.text(column);
        if value.is_none() && self.faults.len() == before {
            self.fault(column, "", "a value; it must not be empty");
        }
        value
    }

    fn parsed<T>(&mut self, column: Column, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.text(column)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.fault(column, value, expected);
        }
        parsed
    }

    pub(super) fn fault(&mut self, column: Column, value: &str, expected: &str) {
        // Addresses may hold passwords, passwords always do: neither is repeated.
        let secret = matches!(column, Column::Password | Column::MainUrl | Column::SubUrl);
        let value = if secret && !value.is_empty() { "…".to_owned() } else { value.chars().take(80).collect() };
        self.faults.push(Fault { line: self.line, column: column.name(), value, expected: expected.to_owned() });
    }

    fn url(&mut self, column: Column, required: bool) -> Option<(StreamUrl, Option<Credentials>)> {
        let value = if required { self.required(column)? } else { self.text(column)? };
        match StreamUrl::parse(value) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(column, value, &error.to_string());
                None
            }
        }
    }

    fn coordinates(&mut self) -> Option<Coordinates> {
        let degrees = |limit: f64| move |v: &str| v.parse::<f64>().ok().filter(|d| d.is_finite() && d.abs() <= limit);
        let longitude = self.parsed(Column::Longitude, "degrees east, -180 to 180, WGS-84", degrees(180.0));
        let latitude = self.parsed(Column::Latitude, "degrees north, -90 to 90, WGS-84", degrees(90.0));
        let source = self.owned(Column::CoordinatesSource);
        match (longitude, latitude) {
            (Some(longitude), Some(latitude)) => Some(Coordinates { longitude, latitude, source }),
            _ => None,
        }
    }

    /// Reads every cell; `None` if one is at fault.
    pub(super) fn read(&mut self) -> Option<Read> {
        let site = self.required(Column::Site);
        let name = self.required(Column::Name);
        let main = self.url(Column::MainUrl, true);
        let sub = self.url(Column::SubUrl, false);
        let username = self.owned(Column::Username);
        let password = self.owned(Column::Password).map(Secret::new);
        let gb_code = self.owned(Column::GbCode).map(GbCode);
        let town = self.owned(Column::Town).unwrap_or_default();
        let site_kind = self.parsed(Column::SiteKind, "village 建制村 or central_area 中心区域", site_kind);
        let life_cycle =
            self.parsed(Column::LifeCycle, "in_use 在用, repair 维修, out_of_use 停用 or dismantled 拆除", life_cycle);
        let transport = self.parsed(Column::Transport, "tcp or udp", |v| Transport::from_code(&v.to_lowercase()));
        let sessions = self.parsed(Column::Sessions, "how many sessions the camera serves at once, 1 to 100", |v| {
            v.parse().ok().filter(|n| (1..=100).contains(n))
        });
        let quirks = self.parsed(Column::Quirks, crate::quirks::EXPECTED, |v| v.to_lowercase().parse().ok());
        let uplink_kbps =
            self.parsed(Column::UplinkKbps, "a whole number of kbit/s", |v| v.parse().ok().filter(|k| *k > 0));
        let read = Read {
            town,
            site: site.unwrap_or_default().to_owned(),
            site_kind,
            stat_code: self.owned(Column::StatCode),
            name: name.unwrap_or_default().to_owned(),
            gb_code,
            uplink: self.owned(Column::Uplink),
            uplink_kbps,
            olt: self.owned(Column::Olt),
            credentials: account(username, password).or_else(|| {
                let (_, given) = main.as_ref()?;
                // As a cell of its own would have it.
                given.clone().map(|a| Credentials { username: a.username.trim().to_owned(), ..a })
            }),
            sub: sub.map(|(url, _)| url),
            transport,
            life_cycle,
            place: Place {
                code: self.owned(Column::PlaceCode),
                address: self.owned(Column::Address),
                coordinates: self.coordinates(),
                power: Power {
                    source: self.owned(Column::PowerSource),
                    contact: self.owned(Column::PowerContact),
                    phone: self.owned(Column::PowerPhone),
                },
                onu_serial: self.owned(Column::OnuSerial),
            },
            device: Device {
                vendor: self.owned(Column::Vendor),
                model: self.owned(Column::Model),
                serial: self.owned(Column::Serial),
                mac: self.owned(Column::Mac),
                installed: self.owned(Column::Installed),
                sessions,
                quirks: quirks.unwrap_or_default(),
            },
            upkeep: Upkeep { unit: self.owned(Column::UpkeepUnit), phone: self.owned(Column::UpkeepPhone) },
            warnings: Vec::new(),
            main: main?.0,
        };
        self.faults.is_empty().then(|| read.warned())
    }
}

impl Read {
    fn warned(mut self) -> Read {
        if let Some((code, fault)) = self.gb_code.as_ref().and_then(|c| c.fault().map(|f| (c, f))) {
            self.warnings.push(format!("GB/T 28181 code {code}: {fault}"));
        }
        if let Some(code) =
            self.stat_code.as_deref().filter(|c| c.len() != 12 || !c.bytes().all(|b| b.is_ascii_digit()))
        {
            self.warnings.push(format!("code of the division {code}: expected 12 digits"));
        }
        self
    }
}

fn site_kind(value: &str) -> Option<SiteKind> {
    match value {
        "建制村" | "社区" | "村" | "建制村/社区" => Some(SiteKind::Village),
        "中心区域" => Some(SiteKind::CentralArea),
        other => SiteKind::from_code(&other.to_lowercase()),
    }
}

fn life_cycle(value: &str) -> Option<LifeCycle> {
    match value {
        "在用" => Some(LifeCycle::InUse),
        "维修" => Some(LifeCycle::Repair),
        "停用" => Some(LifeCycle::OutOfUse),
        "拆除" => Some(LifeCycle::Dismantled),
        other => LifeCycle::from_code(&other.to_lowercase()),
    }
}

/// Takes off the apostrophe that our own export puts before what a spreadsheet would take for a formula.
fn unescaped(value: &str) -> &str {
    match value.strip_prefix('\'') {
        Some(rest) if looks_like_a_formula(rest) => rest,
        _ => value,
    }
}

/// Whether a spreadsheet may take a value for a formula, the full-width signs of Chinese keyboards included; apostrophes
/// before it change nothing, so that a value's own is not mistaken for the export's.
pub(super) fn looks_like_a_formula(value: &str) -> bool {
    let begins = value.trim_start_matches(['\'', ' ', '\u{a0}', '\u{3000}']);
    begins.starts_with(['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'])
}

/// The account of two cells. Some cameras want a password and no name.
fn account(username: Option<String>, password: Option<Secret>) -> Option<Credentials> {
    (username.is_some() || password.is_some())
        .then(|| Credentials { username: username.unwrap_or_default(), password: password.unwrap_or_default() })
}
