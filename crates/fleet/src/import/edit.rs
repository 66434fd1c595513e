//! Single columns of cameras that are there already, changed by hand: held to the same rules as rows of a file.

use super::{
    Column,
    export::cell,
    plan::{Plan, Planner, Told},
    row::Cells,
};
use crate::{CameraId, Registry, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// What to change of one camera: the new cells. What is not named stays; an empty cell takes the value away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Which camera.
    pub camera: CameraId,
    /// The new cells.
    pub cells: BTreeMap<Column, String>,
}

/// Plans changes of cameras; each is a row of the plan, numbered from 1. A camera that is not in the register is
/// left out. An account keeps its password where none is given and its name stays.
#[must_use]
pub fn edit(registry: &Registry, edits: &[Edit], now: Wall) -> Plan {
    let mut planner = Planner::new(registry, Column::ALL.iter().map(|(column, ..)| *column).collect(), now);
    let changed: BTreeSet<CameraId> = edits.iter().map(|edit| edit.camera).collect();
    let drafts = edits.iter().zip(1..).filter_map(|(edit, line)| {
        let old = registry.camera(edit.camera)?;
        let cells: BTreeMap<Column, String> = Column::ALL
            .iter()
            .map(|(column, ..)| {
                (*column, edit.cells.get(column).cloned().unwrap_or_else(|| cell(registry, old, *column)))
            })
            .collect();
        let mut read = Cells {
            line,
            cells: cells.iter().map(|(column, value)| (*column, value.as_str())).collect(),
            faults: Vec::new(),
        };
        let told = Told::read(&mut read, cells.get(&Column::Name).map_or("", String::as_str));
        Some((planner.alone(told, edit.camera, &changed), Some(edit.camera)))
    });
    let (drafts, meant) = drafts.unzip();
    let rows = planner.rows(drafts, meant);
    planner.plan(rows, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{Outcome, plan};

    const CSV: &str = "town,site,name,main_url,username,password,longitude,latitude\n\
                       东镇,东村,村口,rtsp://10.0.0.1/main,viewer,secret,112.5,28.25\n\
                       东镇,东村,广场,rtsp://10.0.0.2/main,viewer,secret,,\n";

    fn county() -> Registry {
        plan(CSV.as_bytes(), &Registry::default(), Wall(1)).unwrap().apply(&Registry::default())
    }

    fn change(camera: u32, cells: &[(Column, &str)]) -> Edit {
        Edit { camera: CameraId(camera), cells: cells.iter().map(|(c, v)| (*c, (*v).to_owned())).collect() }
    }

    #[test]
    fn a_camera_is_renamed_and_moved_and_stays_the_same_camera() {
        let before = county();
        let cells = [(Column::Name, "村口二号"), (Column::Site, "南村"), (Column::MainUrl, "rtsp://10.0.0.9/main")];
        let plan = edit(&before, &[change(1, &cells)], Wall(2));
        assert_eq!(plan.rows[0].outcome, Outcome::Changed { fields: vec!["site", "name", "main_url"] });
        let after = plan.apply(&before);
        let camera = after.camera(CameraId(1)).unwrap();
        assert_eq!((camera.name.as_str(), camera.changed), ("村口二号", Wall(2)));
        assert_eq!(after.site(camera.site).unwrap().name, "南村");
        assert_eq!(camera.place, before.camera(CameraId(1)).unwrap().place, "what was not named stays");
        assert_eq!(camera.credentials, before.camera(CameraId(1)).unwrap().credentials);
        assert_eq!(after.cameras().count(), 2);
    }

    #[test]
    fn accounts_keep_their_password_unless_another_is_given_and_go_with_their_name() {
        let before = county();
        let account = |cells: &[(Column, &str)]| {
            let after = edit(&before, &[change(1, cells)], Wall(2)).apply(&before);
            after.camera(CameraId(1)).unwrap().credentials.clone()
        };
        let password = |c: Option<crate::Credentials>| c.map(|c| c.password.expose().to_owned());
        assert_eq!(password(account(&[(Column::Name, "x")])), Some("secret".into()));
        assert_eq!(password(account(&[(Column::Password, "new")])), Some("new".into()));
        assert_eq!(password(account(&[(Column::Username, "other")])), Some(String::new()), "another account");
        assert_eq!(account(&[(Column::Username, "")]), None);
    }

    #[test]
    fn what_a_file_may_not_say_cannot_be_typed_either() {
        let before = county();
        for (column, bad) in [
            (Column::MainUrl, "http://10.0.0.1/"),
            (Column::MainUrl, ""),
            (Column::MainUrl, "rtsp://10.0.0.2/main"),
            (Column::Name, " "),
            (Column::Name, "广场"),
            (Column::Longitude, "east"),
            (Column::Sessions, "0"),
        ] {
            let plan = edit(&before, &[change(1, &[(column, bad)])], Wall(2));
            assert!(
                matches!(&plan.rows[0].outcome, Outcome::Rejected { faults } if faults[0].column == column.name()),
                "{column:?} {bad:?}: {:?}",
                plan.rows
            );
            assert!(plan.change().cameras.is_empty());
        }
        let two = [
            change(1, &[(Column::MainUrl, "rtsp://10.0.0.2/main")]),
            change(2, &[(Column::MainUrl, "rtsp://10.0.0.1/main")]),
        ];
        assert_eq!(edit(&before, &two, Wall(2)).counts().changed, 2, "addresses may be swapped");
        assert!(edit(&before, &[change(9, &[])], Wall(2)).rows.is_empty());
        assert_eq!(edit(&before, &[change(1, &[])], Wall(2)).counts().unchanged, 1);
    }
}
