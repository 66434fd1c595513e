//! What a file does to a register, as its author would see it.

use super::*;
use crate::{CameraId, LifeCycle, Registry, Wall};

const NOW: Wall = Wall(1_000);

fn planned(text: &str, registry: &Registry) -> Plan {
    plan(text.as_bytes(), registry, NOW).unwrap()
}

const TWO: &str = "乡镇,点位所属,所属类型,摄像机名称,国标编码,主码流地址,用户名,密码,链路,OLT\n\
柳溪镇,河东村,建制村,村口,43022301001320000001,rtsp://10.1.1.1/1,admin,geheim,河东链路,OLT-1\n\
柳溪镇,河东村,建制村,桥头,,rtsp://10.1.1.2/1,admin,geheim,河东链路,OLT-1\n";

fn two() -> Registry {
    planned(TWO, &Registry::default()).apply(&Registry::default())
}

fn outcomes(plan: &Plan) -> Vec<&'static str> {
    plan.rows
        .iter()
        .map(|r| match r.outcome {
            Outcome::Added => "added",
            Outcome::Changed { .. } => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::Rejected { .. } => "rejected",
        })
        .collect()
}

fn faults(row: &Row) -> Vec<(&'static str, &str)> {
    match &row.outcome {
        Outcome::Rejected { faults } => faults.iter().map(|f| (f.column, f.expected.as_str())).collect(),
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn a_new_register_is_made() {
    let registry = two();
    assert_eq!(
        (registry.towns().len(), registry.sites().len(), registry.uplinks().len(), registry.cameras().len()),
        (1, 1, 1, 2)
    );
    let camera = registry.camera(CameraId(1)).unwrap();
    assert_eq!(camera.name, "村口");
    assert_eq!(camera.credentials.as_ref().unwrap().password.expose(), "geheim");
    assert_eq!(camera.changed, NOW);
}

#[test]
fn the_same_file_again_changes_nothing() {
    let plan = planned(TWO, &two());
    assert_eq!(outcomes(&plan), ["unchanged", "unchanged"]);
    assert_eq!(plan.change(), Records::default());
}

#[test]
fn a_new_address_and_hardware_keep_the_camera() {
    let text =
        "town,site,name,gb_code,main_url,model\n柳溪镇,河东村,新村口,43022301001320000001,rtsp://10.9.9.9/1,X-2\n";
    let plan = planned(text, &two());
    let Outcome::Changed { fields } = &plan.rows[0].outcome else { panic!("{:?}", plan.rows[0]) };
    assert_eq!(fields, &["name", "model", "main_url"]);
    let after = plan.apply(&two());
    let camera = after.camera(CameraId(1)).unwrap();
    assert_eq!((camera.name.as_str(), camera.main.as_str()), ("新村口", "rtsp://10.9.9.9/1"));
    // What the file has no column for stays.
    assert_eq!(camera.credentials.as_ref().unwrap().username, "admin");
    assert!(camera.uplink.is_some());
    assert_eq!(after.cameras().len(), 2);
}

#[test]
fn two_cameras_may_swap_their_addresses() {
    let text = "town,site,name,main_url\n柳溪镇,河东村,村口,rtsp://10.1.1.2/1\n柳溪镇,河东村,桥头,rtsp://10.1.1.1/1\n";
    assert_eq!(outcomes(&planned(text, &two())), ["changed", "changed"]);
}

#[test]
fn duplicates_name_the_other_line_or_camera() {
    let text = "site,name,main_url,gb_code\nA,1,rtsp://10.0.0.1/,11\nA,2,rtsp://10.0.0.1/,12\nA,3,rtsp://10.0.0.3/,11\nA,1,rtsp://10.0.0.4/,\nA,5,rtsp://10.1.1.1/1,\n";
    let plan = planned(text, &two());
    assert_eq!(outcomes(&plan), ["added", "rejected", "rejected", "rejected", "rejected"]);
    assert_eq!(faults(&plan.rows[1]), [("main_url", "a value of its own; line 2 has the same")]);
    assert_eq!(faults(&plan.rows[2]), [("gb_code", "a value of its own; line 2 has the same")]);
    assert_eq!(faults(&plan.rows[3]), [("name", "a value of its own; line 2 has the same")]);
    assert_eq!(faults(&plan.rows[4]), [("main_url", "a value of its own; camera C00001 村口 has the same")]);
}

#[test]
fn a_camera_whose_row_is_refused_keeps_its_address_and_code() {
    let three = planned("site,name,main_url,gb_code\nX,c,rtsp://10.3.3.3/1,33\n", &two()).apply(&two());
    // 村口 wants what another camera has, so it keeps its own; 桥头 and then a new camera had counted on it.
    let text = "town,site,name,main_url\n柳溪镇,河东村,村口,rtsp://10.3.3.3/1\n柳溪镇,河东村,桥头,rtsp://10.1.1.1/1\n\
                柳溪镇,河东村,新,rtsp://10.1.1.2/1\n柳溪镇,河东村,另,rtsp://10.1.1.9/1\n";
    let plan = planned(text, &three);
    assert_eq!(outcomes(&plan), ["rejected", "rejected", "rejected", "added"]);
    assert_eq!(faults(&plan.rows[1]), [("main_url", "a value of its own; camera C00001 村口 has the same")]);
    assert_eq!(faults(&plan.rows[2]), [("main_url", "a value of its own; camera C00002 桥头 has the same")]);
    let after = plan.apply(&three);
    let addresses: std::collections::BTreeSet<&str> = after.cameras().map(|c| c.main.as_str()).collect();
    assert_eq!(addresses.len(), after.cameras().len(), "two cameras share an address");
}

#[test]
fn every_fault_of_a_row_is_told_but_never_a_password() {
    let text =
        "site,name,main_url,longitude,life_cycle,transport,uplink_kbps\n,,http://admin:geheim@h/,191,gone,pigeon,-1\n";
    let plan = planned(text, &Registry::default());
    let columns: Vec<&str> = faults(&plan.rows[0]).iter().map(|(c, _)| *c).collect();
    assert_eq!(columns, ["site", "name", "main_url", "life_cycle", "transport", "uplink_kbps", "longitude"]);
    assert!(!format!("{plan:?}").contains("geheim"));
}

#[test]
fn odd_codes_are_flagged_and_taken() {
    let text = "site,name,main_url,gb_code,stat_code\nA,1,rtsp://10.0.0.1/,123,4302\n";
    let plan = planned(text, &Registry::default());
    assert_eq!(outcomes(&plan), ["added"]);
    assert_eq!(plan.rows[0].warnings.len(), 2, "{:?}", plan.rows[0].warnings);
    assert!(plan.rows[0].warnings[0].contains("GB/T 28181"));
}

#[test]
fn the_export_imports_as_unchanged_and_holds_no_password() {
    let registry = two();
    let text = to_csv(&registry);
    assert!(!text.contains("geheim"));
    assert_eq!(outcomes(&planned(&text, &registry)), ["unchanged", "unchanged"]);
}

#[test]
fn an_account_without_a_name_survives_the_export_and_a_file_without_names_changes_passwords() {
    let text = "site,name,main_url,username,password\nA,1,rtsp://:p@10.0.0.1/,,\nA,2,rtsp://10.0.0.2/,,q\nA,3,rtsp://10.0.0.3/,admin,r\n";
    let registry = planned(text, &Registry::default()).apply(&Registry::default());
    let accounts = |registry: &Registry| -> Vec<(String, String)> {
        let account =
            |c: &crate::Camera| c.credentials.as_ref().map(|c| (c.username.clone(), c.password.expose().to_owned()));
        registry.cameras().filter_map(account).collect()
    };
    let pairs = |pairs: [(&str, &str); 3]| pairs.map(|(name, word)| (name.to_owned(), word.to_owned()));
    assert_eq!(accounts(&registry), pairs([("", "p"), ("", "q"), ("admin", "r")]));
    assert_eq!(outcomes(&planned(&to_csv(&registry), &registry)), ["unchanged"; 3]);
    let plan = planned("site,name,main_url,password\nA,3,rtsp://10.0.0.3/,new\n", &registry);
    assert_eq!(accounts(&plan.apply(&registry)), pairs([("", "p"), ("", "q"), ("admin", "new")]));
}

#[test]
fn formulas_are_made_harmless_in_the_export_and_come_back_whole() {
    let text = "site,name,main_url,address\nA,1,rtsp://10.0.0.1/,\"=HYPERLINK(\"\"x\"\")\"\nA,2,rtsp://10.0.0.2/,''=1\n\
         A,3,rtsp://10.0.0.3/,＝1+1\nA,4,rtsp://10.0.0.4/,' ＋1\nA,5,rtsp://10.0.0.5/,'东边\n";
    let registry = planned(text, &Registry::default()).apply(&Registry::default());
    let exported = to_csv(&registry);
    for harmless in ["'=HYPERLINK", ",'＝1+1", ",'＋1", ",'东边"] {
        assert!(exported.contains(harmless), "{harmless}: {exported}");
    }
    assert_eq!(outcomes(&planned(&exported, &registry)), ["unchanged"; 5]);
}

#[test]
fn whole_files_that_cannot_be_read_say_why() {
    let refuse = |bytes: &[u8]| plan(bytes, &Registry::default(), NOW).unwrap_err();
    assert_eq!(refuse(b""), ImportError::Empty);
    assert_eq!(refuse(b"site,name\n"), ImportError::NoColumn("main_url"));
    assert_eq!(refuse("site,点位所属,name,main_url\n".as_bytes()), ImportError::ColumnTwice("site"));
    assert_eq!(refuse(&vec![b'a'; MOST_BYTES + 1]), ImportError::TooLarge);
}

#[test]
fn unknown_columns_are_told_and_ignored() {
    let plan = planned("site,name,main_url,favourite colour\nA,1,rtsp://10.0.0.1/,blue\n", &Registry::default());
    assert_eq!(plan.unknown_columns, ["favourite colour"]);
    assert_eq!(outcomes(&plan), ["added"]);
}

#[test]
fn life_cycle_is_read_in_both_languages() {
    let text = "site,name,main_url,life_cycle\nA,1,rtsp://10.0.0.1/,拆除\nA,2,rtsp://10.0.0.2/,Repair\n";
    let registry = planned(text, &Registry::default()).apply(&Registry::default());
    let cycles: Vec<LifeCycle> = registry.cameras().map(|c| c.life_cycle).collect();
    assert_eq!(cycles, [LifeCycle::Dismantled, LifeCycle::Repair]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_plan_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
        let _ = plan(&bytes, &two(), NOW);
    }

    #[test]
    fn any_cells_give_one_row_each(cells in proptest::collection::vec("[^\0\"\r\n,]{0,30}", 1..20)) {
        let mut text = String::from("site,name,main_url\n");
        for cell in &cells {
            text.push_str(&format!("S,x{cell},rtsp://{cell}/\n"));
        }
        let plan = planned(&text, &Registry::default());
        proptest::prop_assert_eq!(plan.rows.len(), cells.len());
    }
}

#[test]
fn the_sample_county_is_whole() {
    let county = include_bytes!("../../../../config/demo/cameras.csv");
    let plan = plan(county, &Registry::default(), NOW).unwrap();
    assert_eq!(plan.counts(), Counts { added: 800, ..Counts::default() });
    let registry = plan.apply(&Registry::default());
    let kind = |kind| registry.sites().filter(|s| s.kind == kind).count();
    assert_eq!(registry.towns().len(), 17);
    assert_eq!(kind(crate::SiteKind::CentralArea), 18);
    assert_eq!(kind(crate::SiteKind::Village), 273);
    let flagged = plan.rows.iter().filter(|r| !r.warnings.is_empty()).count();
    assert!((1..20).contains(&flagged), "{flagged} codes are flagged");
    assert!(plan.unknown_columns.is_empty());
}

#[test]
fn the_template_names_every_column() {
    let template = include_str!("../../../../config/cameras-template.csv");
    let headings: Vec<&str> = template.trim_start_matches('\u{feff}').lines().next().unwrap().split(',').collect();
    let known: Vec<&str> = Column::ALL.iter().map(|(_, _, zh)| *zh).collect();
    assert_eq!(headings, known);
}
