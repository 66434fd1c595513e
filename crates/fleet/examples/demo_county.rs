//! Writes the sample county to standard output: `cargo run -p sharpeyes-fleet --example demo_county > config/demo/cameras.csv`
//!
//! 17 towns, 18 central areas, 273 villages, 800 cameras; every name, code and number is invented. The same on every
//! run: nothing here is random.
#![allow(clippy::print_stdout)]

use fleet::import::Column;

const TOWNS: [&str; 17] = [
    "柳溪镇",
    "石桥镇",
    "云台镇",
    "青竹镇",
    "白沙镇",
    "枫林镇",
    "双河镇",
    "龙泉镇",
    "梅岭镇",
    "新塘镇",
    "东坪镇",
    "南湖镇",
    "西岭乡",
    "北渡乡",
    "红旗街道",
    "朝阳街道",
    "滨江街道",
];
const VILLAGE_FIRST: [&str; 18] = [
    "河东", "河西", "上湾", "下湾", "大塘", "小塘", "杨柳", "桂花", "松山", "竹山", "石井", "金盆", "银杏", "樟树",
    "油茶", "梧桐", "莲花", "丰收",
];
const CENTRAL: [&str; 18] = [
    "县政府广场",
    "人民医院周边",
    "汽车站",
    "火车站",
    "第一中学",
    "实验小学",
    "农贸市场",
    "商业步行街",
    "滨江公园",
    "体育中心",
    "文化广场",
    "城东路口",
    "城西路口",
    "城南大桥",
    "城北收费站",
    "工业园区",
    "物流园",
    "老城区",
];
const PLACES: [&str; 10] =
    ["村口", "村委会", "主干道", "桥头", "小学门口", "文化广场", "水塘边", "卫生室", "岔路口", "晒谷场"];
const CENTRAL_PLACES: [&str; 12] =
    ["正门", "东侧", "西侧", "南侧", "北侧", "停车场", "出入口", "公交站", "路口一", "路口二", "广场中央", "巷口"];
const VENDORS: [(&str, &str); 5] = [
    ("海康威视", "DS-2CD3T26"),
    ("大华", "IPC-HFW2433"),
    ("宇视", "IPC-B2A4"),
    ("天地伟业", "TC-C32"),
    ("华为", "IPC6325"),
];
const POWER: [(&str, &str); 4] =
    [("电业局", "供电所值班室"), ("村委会", "村委会值班室"), ("居民", "取电户"), ("商铺", "商铺经营者")];
const UPKEEP: [&str; 3] = ["甲维护单位", "乙维护单位", "丙维护单位"];

/// One camera's row, by column.
struct Row(Vec<(Column, String)>);

/// Where a camera stands, before it gets its number.
struct Spot {
    town: usize,
    site: String,
    kind: &'static str,
    place_number: usize,
    place: &'static str,
    k: usize,
}

/// 18 central areas of 10 or 11 cameras, each followed by 15 or 16 of the 273 villages with mostly 2 or 3, so that any
/// beginning of the file is a small county of both. 800 cameras in all.
fn spots() -> Vec<Spot> {
    let central = |i: usize| if i < 2 { 11 } else { 10 };
    let mut left: usize = 800 - (0..CENTRAL.len()).map(central).sum::<usize>();
    let mut spots = Vec::new();
    for (i, name) in CENTRAL.iter().enumerate() {
        let town = [14, 15, 16, 0, 1, 2][i % 6];
        spots.extend((0..central(i)).map(|k| Spot {
            town,
            site: (*name).to_owned(),
            kind: "central_area",
            place_number: i,
            place: CENTRAL_PLACES[k % 12],
            k,
        }));
        for village in (i * 273).div_ceil(18)..((i + 1) * 273).div_ceil(18) {
            let count = village_cameras(village, left);
            left -= count;
            spots.extend((0..count).map(|k| Spot {
                town: village % 17,
                // Seventeen towns in turn; a step of five keeps neighbours in the file from sharing a name.
                site: format!("{}村", VILLAGE_FIRST[(village / 17 + village % 17 * 5) % 18]),
                kind: "village",
                place_number: 100 + village,
                place: PLACES[(village + k * 3) % PLACES.len()],
                k,
            }));
        }
    }
    spots
}

/// How many cameras a village has, given how many are left for it and the later ones.
fn village_cameras(village: usize, left: usize) -> usize {
    let wanted = match village {
        v if v % 31 == 7 => 1,
        v if v % 11 < 3 => 3,
        _ => 2,
    };
    let later = 272 - village;
    wanted.max(left.saturating_sub(later * 3)).min(left - later)
}

fn main() {
    let rows: Vec<Row> = spots().iter().enumerate().map(|(index, spot)| row(index, spot)).collect();
    assert_eq!(rows.len(), 800, "the county has exactly 800 cameras");
    println!("{}", Column::ALL.iter().map(|(_, en, _)| *en).collect::<Vec<_>>().join(","));
    for Row(cells) in rows {
        let cell = |column| cells.iter().find(|(c, _)| *c == column).map_or("", |(_, v)| v.as_str());
        println!("{}", Column::ALL.iter().map(|(c, ..)| cell(*c)).collect::<Vec<_>>().join(","));
    }
}

fn row(index: usize, spot: &Spot) -> Row {
    let Spot { town, site, kind, place_number, place, k } = spot;
    let (town, place_number, k) = (*town, *place_number, *k);
    let (vendor, model) = VENDORS[(index * 7) % VENDORS.len()];
    let codec = if index % 4 == 3 { "h265" } else { "h264" };
    let host = format!("127.20.{}.{}", index / 250, index % 250 + 1);
    let town_name = TOWNS[town];
    // A village hangs on one uplink; a central area of ten cameras on two.
    let uplink = if *kind == "village" { format!("{town_name}-{site}") } else { format!("{site}-{}", k / 6 + 1) };
    // Five villages of a town share a line terminal.
    let olt = if *kind == "village" {
        format!("OLT-{:02}-{}", town + 1, (place_number - 100) / 17 / 5 + 1)
    } else {
        format!("OLT-城区-{}", place_number / 6 + 1)
    };
    // A fictitious county: 99 is no province. Every hundredth code is malformed, as happens in the field.
    let gb_code = match index % 100 {
        57 => format!("990123{:02}00132{:05}", town + 1, index),
        _ => format!("990123{:02}001320{:06}", town + 1, index + 1),
    };
    let (power, contact) = POWER[(index * 3) % POWER.len()];
    let cells = vec![
        (Column::Town, town_name.to_owned()),
        (Column::Site, site.clone()),
        (Column::SiteKind, (*kind).to_owned()),
        (Column::StatCode, format!("990123{:03}{:03}", 100 + town, 200 + place_number % 700)),
        (Column::Name, format!("{site}{place}{}", if k >= 10 { "2" } else { "" })),
        (Column::GbCode, gb_code),
        (Column::PlaceCode, format!("P{:04}", index + 1)),
        (Column::Address, format!("{town_name}{site}{place}")),
        (Column::Longitude, format!("{:.5}", 113.2 + (town % 5) as f64 * 0.09 + (index % 37) as f64 * 0.0021)),
        (Column::Latitude, format!("{:.5}", 26.8 + (town / 5) as f64 * 0.1 + (index % 41) as f64 * 0.0019)),
        (Column::CoordinatesSource, "示例".to_owned()),
        (Column::PowerSource, power.to_owned()),
        (Column::PowerContact, contact.to_owned()),
        (Column::PowerPhone, format!("000-0000{:04}", index + 1)),
        (Column::OnuSerial, format!("DEMO{:08X}", 0x00A0_0000 + place_number * 16 + k / 6)),
        (Column::Uplink, uplink),
        (Column::UplinkKbps, if *kind == "village" { "20000" } else { "50000" }.to_owned()),
        (Column::Olt, olt),
        (Column::Vendor, vendor.to_owned()),
        (Column::Model, model.to_owned()),
        (Column::Serial, format!("DEMO-{:06}", index + 1)),
        (Column::Mac, format!("02:00:5E:00:{:02X}:{:02X}", index / 256, index % 256)),
        (Column::Installed, format!("20{:02}-{:02}", 19 + index % 4, index % 12 + 1)),
        (Column::UpkeepUnit, UPKEEP[town % 3].to_owned()),
        (Column::UpkeepPhone, format!("000-1000{:04}", town % 3 + 1)),
        (Column::LifeCycle, "在用".to_owned()),
        (Column::MainUrl, format!("rtsp://{host}:8554/{codec}/main")),
        (Column::SubUrl, format!("rtsp://{host}:8554/{codec}/sub")),
        (Column::Username, "viewer".to_owned()),
        (Column::Password, "demo-only".to_owned()),
    ];
    Row(cells)
}
