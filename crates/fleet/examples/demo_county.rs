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

fn main() {
    let mut rows: Vec<Row> = Vec::new();
    // 18 central areas of 10 or 11 cameras, then 273 villages of 2 or 3 with a few single ones: 800 in all.
    for (i, name) in CENTRAL.iter().enumerate() {
        let town = [14, 15, 16, 0, 1, 2][i % 6];
        for k in 0..if i < 2 { 11 } else { 10 } {
            rows.push(row(rows.len(), town, name, "central_area", i, CENTRAL_PLACES[k % 12], k));
        }
    }
    let central = rows.len();
    let per_village = |v: usize| match v {
        v if v % 31 == 7 => 1,
        v if v % 11 < 3 => 3,
        _ => 2,
    };
    let mut left: usize = 800 - central;
    for village in 0..273 {
        let town = village % 17;
        let ordinal = village / 17;
        let name = if ordinal < 18 { format!("{}村", VILLAGE_FIRST[ordinal]) } else { format!("第{ordinal}村") };
        // Every later village needs at least one camera.
        let wanted = per_village(village).max(left.saturating_sub((272 - village) * 3)).min(left - (272 - village));
        for k in 0..wanted {
            let place = PLACES[(village + k * 3) % PLACES.len()];
            rows.push(row(rows.len(), town, &name, "village", 100 + village, place, k));
        }
        left -= wanted;
    }
    assert_eq!(rows.len(), 800, "the county has exactly 800 cameras");
    println!("{}", Column::ALL.iter().map(|(_, en, _)| *en).collect::<Vec<_>>().join(","));
    for Row(cells) in rows {
        let cell = |column| cells.iter().find(|(c, _)| *c == column).map_or("", |(_, v)| v.as_str());
        println!("{}", Column::ALL.iter().map(|(c, ..)| cell(*c)).collect::<Vec<_>>().join(","));
    }
}

fn row(index: usize, town: usize, site: &str, kind: &str, place_number: usize, place: &str, k: usize) -> Row {
    let (vendor, model) = VENDORS[(index * 7) % VENDORS.len()];
    let codec = if index % 4 == 3 { "h265" } else { "h264" };
    let host = format!("127.20.{}.{}", index / 250, index % 250 + 1);
    let town_name = TOWNS[town];
    // A village hangs on one uplink; a central area of ten cameras on two.
    let uplink = if kind == "village" { format!("{town_name}-{site}") } else { format!("{site}-{}", k / 6 + 1) };
    // Five villages of a town share a line terminal.
    let olt = if kind == "village" {
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
        (Column::Site, site.to_owned()),
        (Column::SiteKind, kind.to_owned()),
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
        (Column::UplinkKbps, if kind == "village" { "20000" } else { "50000" }.to_owned()),
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
