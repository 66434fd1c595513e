//! The register as the cells of a table: for the export, and to tell what a row changes.

use super::{Column, row::looks_like_a_formula};
use crate::{Camera, Registry, SiteKind, Transport};

/// The value of one column for a camera, as the file would have it. Never a password.
#[must_use]
pub fn cell(registry: &Registry, camera: &Camera, column: Column) -> String {
    let site = registry.site(camera.site);
    let uplink = camera.uplink.and_then(|u| registry.uplink(u));
    let coordinates = camera.place.coordinates.as_ref();
    let own = |value: Option<&String>| value.cloned().unwrap_or_default();
    match column {
        Column::Town => site.and_then(|s| registry.town(s.town)).map(|t| t.name.clone()).unwrap_or_default(),
        Column::Site => site.map(|s| s.name.clone()).unwrap_or_default(),
        Column::SiteKind => site.map_or(SiteKind::Village, |s| s.kind).code().to_owned(),
        Column::StatCode => own(site.and_then(|s| s.stat_code.as_ref())),
        Column::Name => camera.name.clone(),
        Column::GbCode => camera.gb_code.as_ref().map(ToString::to_string).unwrap_or_default(),
        Column::PlaceCode => own(camera.place.code.as_ref()),
        Column::Address => own(camera.place.address.as_ref()),
        Column::Longitude => coordinates.map(|c| c.longitude.to_string()).unwrap_or_default(),
        Column::Latitude => coordinates.map(|c| c.latitude.to_string()).unwrap_or_default(),
        Column::CoordinatesSource => own(coordinates.and_then(|c| c.source.as_ref())),
        Column::PowerSource => own(camera.place.power.source.as_ref()),
        Column::PowerContact => own(camera.place.power.contact.as_ref()),
        Column::PowerPhone => own(camera.place.power.phone.as_ref()),
        Column::OnuSerial => own(camera.place.onu_serial.as_ref()),
        Column::Uplink => uplink.map(|u| u.name.clone()).unwrap_or_default(),
        Column::UplinkKbps => uplink.and_then(|u| u.budget_kbps).map(|k| k.to_string()).unwrap_or_default(),
        Column::Olt => uplink.and_then(|u| u.olt.as_ref()).map(|o| o.0.clone()).unwrap_or_default(),
        Column::Vendor => own(camera.device.vendor.as_ref()),
        Column::Model => own(camera.device.model.as_ref()),
        Column::Serial => own(camera.device.serial.as_ref()),
        Column::Mac => own(camera.device.mac.as_ref()),
        Column::Installed => own(camera.device.installed.as_ref()),
        Column::UpkeepUnit => own(camera.upkeep.unit.as_ref()),
        Column::UpkeepPhone => own(camera.upkeep.phone.as_ref()),
        Column::LifeCycle => camera.life_cycle.code().to_owned(),
        Column::MainUrl => camera.main.to_string(),
        Column::SubUrl => camera.sub.as_ref().map(ToString::to_string).unwrap_or_default(),
        Column::Username => camera.credentials.as_ref().map(|c| c.username.clone()).unwrap_or_default(),
        Column::Password => String::new(),
        Column::Transport => match camera.transport {
            Transport::Tcp => String::new(),
            Transport::Udp => Transport::Udp.code().to_owned(),
        },
        Column::Sessions => camera.device.sessions.map(|n| n.to_string()).unwrap_or_default(),
        Column::Quirks => camera.device.quirks.to_string(),
    }
}

/// The whole register as CSV in the format of the import: UTF-8 with BOM (so that spreadsheets show Chinese),
/// passwords left out, an apostrophe before what a spreadsheet would take for a formula.
#[must_use]
pub fn to_csv(registry: &Registry) -> String {
    let mut out = String::from("\u{feff}");
    let headings = Column::ALL.iter().map(|(_, en, _)| (*en).to_owned());
    push_row(&mut out, headings);
    for camera in registry.cameras() {
        push_row(&mut out, Column::ALL.iter().map(|(column, ..)| escaped(cell(registry, camera, *column))));
    }
    out
}

fn push_row(out: &mut String, cells: impl Iterator<Item = String>) {
    for (i, value) in cells.enumerate() {
        if i > 0 {
            out.push(',');
        }
        if value.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&value.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&value);
        }
    }
    out.push_str("\r\n");
}

fn escaped(value: String) -> String {
    if looks_like_a_formula(&value) && value.parse::<f64>().is_err() { format!("'{value}") } else { value }
}
