//! The columns of the file, by their English and Chinese names.

/// A column that means something to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs)] // Each is explained by its names below and in config/demo/README.md.
pub enum Column {
    Town,
    Site,
    SiteKind,
    StatCode,
    Name,
    GbCode,
    PlaceCode,
    Address,
    Longitude,
    Latitude,
    CoordinatesSource,
    PowerSource,
    PowerContact,
    PowerPhone,
    OnuSerial,
    Uplink,
    UplinkKbps,
    Olt,
    Vendor,
    Model,
    Serial,
    Mac,
    Installed,
    UpkeepUnit,
    UpkeepPhone,
    LifeCycle,
    MainUrl,
    SubUrl,
    Username,
    Password,
    Transport,
    Sessions,
    Quirks,
}

impl Column {
    /// Every column in the order of the template, with its English and Chinese name.
    pub const ALL: &'static [(Column, &'static str, &'static str)] = &[
        (Column::Town, "town", "乡镇"),
        (Column::Site, "site", "点位所属"),
        (Column::SiteKind, "site_kind", "所属类型"),
        (Column::StatCode, "stat_code", "统计用区划代码"),
        (Column::Name, "name", "摄像机名称"),
        (Column::GbCode, "gb_code", "国标编码"),
        (Column::PlaceCode, "place_code", "点位编码"),
        (Column::Address, "address", "安装地址"),
        (Column::Longitude, "longitude", "经度"),
        (Column::Latitude, "latitude", "纬度"),
        (Column::CoordinatesSource, "coordinates_source", "坐标来源"),
        (Column::PowerSource, "power_source", "取电方式"),
        (Column::PowerContact, "power_contact", "取电联系人"),
        (Column::PowerPhone, "power_phone", "取电联系电话"),
        (Column::OnuSerial, "onu_serial", "光猫序列号"),
        (Column::Uplink, "uplink", "链路"),
        (Column::UplinkKbps, "uplink_kbps", "链路带宽预算kbps"),
        (Column::Olt, "olt", "OLT"),
        (Column::Vendor, "vendor", "厂商"),
        (Column::Model, "model", "型号"),
        (Column::Serial, "serial", "设备序列号"),
        (Column::Mac, "mac", "MAC地址"),
        (Column::Installed, "installed", "安装时间"),
        (Column::UpkeepUnit, "upkeep_unit", "维护单位"),
        (Column::UpkeepPhone, "upkeep_phone", "维护电话"),
        (Column::LifeCycle, "life_cycle", "设备状态"),
        (Column::MainUrl, "main_url", "主码流地址"),
        (Column::SubUrl, "sub_url", "子码流地址"),
        (Column::Username, "username", "用户名"),
        (Column::Password, "password", "密码"),
        (Column::Transport, "transport", "传输方式"),
        (Column::Sessions, "sessions", "最大会话数"),
        (Column::Quirks, "quirks", "兼容策略"),
    ];

    /// The English name, used in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        Column::ALL.iter().find(|(c, ..)| *c == self).map_or("", |(_, en, _)| en)
    }

    /// The column with this heading, in either language, whatever its case and spaces.
    #[must_use]
    pub fn from_heading(heading: &str) -> Option<Column> {
        let heading: String = heading.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        Column::ALL.iter().find(|(_, en, zh)| heading == *en || heading == zh.to_lowercase()).map(|(c, ..)| *c)
    }
}
