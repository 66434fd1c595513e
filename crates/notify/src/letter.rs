//! What is said: one incident or several, in Chinese or English, as text and as data. No address of a camera and no
//! account is ever in it.

use fleet::{Registry, Wall};
use health::{
    Incident, Scope, Severity,
    desk::{News, Order},
};
use serde::{Deserialize, Serialize};

/// Language of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    #[serde(rename = "zh-CN")]
    Chinese,
    /// English.
    #[serde(rename = "en")]
    English,
}

/// One incident in a letter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// Number of the incident.
    pub incident: u64,
    /// What is said of it.
    pub news: News,
    /// How urgent.
    pub severity: Severity,
    /// Where, in words.
    pub place: String,
    /// Code of the dominant cause.
    pub cause: String,
    /// The cause in words.
    pub cause_text: String,
    /// What it rests on, in words.
    pub evidence: String,
    /// Cameras still affected.
    pub cameras: usize,
    /// When it began, in milliseconds.
    pub opened: i64,
    /// When it was over.
    pub resolved: Option<i64>,
}

/// One work order in a letter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderItem {
    /// Number of the order.
    pub order: u64,
    /// Number of its incident.
    pub incident: u64,
    /// To whom it is given, in words.
    pub to: String,
    /// How urgent.
    pub severity: Severity,
    /// Where, in words.
    pub place: String,
    /// What is wrong, in words; empty if the incident is not known any more.
    pub cause_text: String,
    /// How many cameras it is about.
    pub cameras: usize,
    /// To be taken by then, in milliseconds.
    pub response_due: Option<i64>,
    /// To be repaired by then.
    pub repair_due: Option<i64>,
}

/// A message as it is kept and delivered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The same for each try of one message, so that a reader can tell a repeated one.
    pub key: String,
    /// When it was made, in milliseconds.
    pub at: i64,
    /// Its language.
    pub language: Language,
    /// The node that speaks.
    pub node: String,
    /// A try-out of the channel: no incident.
    pub test: bool,
    /// What it tells.
    pub items: Vec<Item>,
    /// Work orders that were given to somebody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderItem>,
}

impl Item {
    /// What is said of an incident.
    #[must_use]
    pub fn of(incident: &Incident, news: News, registry: &Registry, language: Language) -> Item {
        let chinese = language == Language::Chinese;
        let evidence = incident.evidence.first().map(|e| if chinese { e.zh.clone() } else { e.en.clone() });
        let (zh, en) = incident.cause.text();
        Item {
            incident: incident.id.0,
            news,
            severity: incident.severity,
            place: place(&incident.scope, registry, chinese),
            cause: incident.cause.code().to_owned(),
            cause_text: if chinese { zh } else { en }.to_owned(),
            evidence: evidence.unwrap_or_default(),
            cameras: incident.members.iter().filter(|m| m.left.is_none()).count(),
            opened: incident.opened.0,
            resolved: incident.resolved.map(|t| t.0),
        }
    }
}

impl OrderItem {
    /// What is said of an order that was given to somebody of this name.
    #[must_use]
    pub fn of(
        order: &Order,
        to: &str,
        incident: Option<&Incident>,
        registry: &Registry,
        language: Language,
    ) -> OrderItem {
        let chinese = language == Language::Chinese;
        let (zh, en) = incident.map_or(("", ""), |i| i.cause.text());
        let scope = incident.map(|i| i.scope.clone()).or_else(|| order.cameras.first().map(|c| Scope::Camera(*c)));
        OrderItem {
            order: order.id.0,
            incident: order.incident.0,
            to: to.to_owned(),
            severity: order.severity,
            place: scope.map(|scope| place(&scope, registry, chinese)).unwrap_or_default(),
            cause_text: if chinese { zh } else { en }.to_owned(),
            cameras: order.cameras.len(),
            response_due: order.response_due.map(|t| t.0),
            repair_due: order.repair_due.map(|t| t.0),
        }
    }
}

fn place(scope: &Scope, registry: &Registry, chinese: bool) -> String {
    let site = |id| {
        registry.site(id).map_or_else(String::new, |s| {
            let town = registry.town(s.town).map_or("", |t| t.name.as_str());
            format!("{town} · {}", s.name)
        })
    };
    match scope {
        Scope::Camera(id) => {
            registry.camera(*id).map_or_else(|| id.to_string(), |c| format!("{} · {}", site(c.site), c.name))
        }
        Scope::Uplink(id) => registry.uplink(*id).map_or_else(|| id.to_string(), |u| u.name.clone()),
        Scope::Site(id) => site(*id),
        Scope::Olt(olt) => olt.0.clone(),
        Scope::Town(id) => registry.town(*id).map_or_else(|| id.to_string(), |t| t.name.clone()),
        Scope::County => if chinese { "全县" } else { "the whole county" }.to_owned(),
        Scope::Own => if chinese { "本系统" } else { "our own machine" }.to_owned(),
    }
}

/// How many, as English says it.
fn counted(cameras: usize) -> String {
    if cameras == 1 { "1 camera".to_owned() } else { format!("{cameras} cameras") }
}

/// A time as the county's clocks show it.
fn time(at: i64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    jiff::Timestamp::from_millisecond(at)
        .map(|t| t.to_zoned(zone).strftime("%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

impl Letter {
    /// One line that says most.
    #[must_use]
    pub fn title(&self) -> String {
        let chinese = self.language == Language::Chinese;
        if self.test {
            return if chinese { "雪亮视频运维：通道测试" } else { "SharpEyes: test of this channel" }.to_owned();
        }
        match (self.items.as_slice(), self.orders.as_slice()) {
            ([], [one]) => self.order_line(one),
            ([], many) if chinese => format!("{} 张工单已派出", many.len()),
            ([], many) => format!("{} work orders given out", many.len()),
            ([one], _) => self.line(one),
            (many, _) if chinese => format!("{} 条事件消息", many.len()),
            (many, _) => format!("{} incidents", many.len()),
        }
    }

    /// The same in as many letters as are needed for each to fit, unless it tells of one thing only: each thing once and in
    /// its order. The first keeps the key.
    #[must_use]
    pub fn split(self, fits: impl Fn(&Letter) -> bool) -> Vec<Letter> {
        let mut parts: Vec<Letter> = Vec::new();
        let empty = Letter { items: Vec::new(), orders: Vec::new(), ..self.clone() };
        let things = self.items.iter().map(Ok).chain(self.orders.iter().map(Err));
        for thing in things {
            let with = |letter: &Letter| {
                let mut letter = letter.clone();
                match thing {
                    Ok(item) => letter.items.push(item.clone()),
                    Err(order) => letter.orders.push(order.clone()),
                }
                letter
            };
            match parts.last_mut() {
                Some(last) if fits(&with(last)) => *last = with(last),
                None => parts.push(with(&empty)),
                Some(_) => {
                    let key = format!("{}-{}", self.key, parts.len() + 1);
                    parts.push(with(&Letter { key, ..empty.clone() }));
                }
            }
        }
        if parts.is_empty() { vec![self] } else { parts }
    }

    /// The whole, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.test {
            return vec![match self.language {
                Language::Chinese => format!("收到本消息说明通道可用。节点 {}，{}", self.node, time(self.at)),
                Language::English => {
                    format!("If you read this, the channel works. Node {}, {}", self.node, time(self.at))
                }
            }];
        }
        let mut lines = Vec::new();
        for item in &self.items {
            lines.push(self.line(item));
            let lasts = !matches!(item.news, News::Over | News::Passed);
            if self.items.len() == 1 && !item.evidence.is_empty() && lasts {
                lines.push(item.evidence.clone());
            }
        }
        lines.extend(self.orders.iter().map(|order| self.order_line(order)));
        lines
    }

    fn order_line(&self, item: &OrderItem) -> String {
        let OrderItem { order, incident, to, place, cause_text, cameras, .. } = item;
        let chinese = self.language == Language::Chinese;
        let mut line = match (chinese, cause_text.is_empty()) {
            (true, true) => format!("【工单 G{order}】派给 {to}：{place}，{cameras} 路"),
            (true, false) => format!("【工单 G{order}】派给 {to}：{place}，{cause_text}，{cameras} 路"),
            (false, true) => format!("[Work order G{order}] for {to}: {place}, {}", counted(*cameras)),
            (false, false) => format!("[Work order G{order}] for {to}: {place}, {cause_text}, {}", counted(*cameras)),
        };
        let dues = [(item.response_due, "前接单", "take it by"), (item.repair_due, "前修复", "repair it by")];
        for (due, zh, en) in dues {
            if let Some(due) = due.map(time) {
                line += &if chinese { format!("，{due} {zh}") } else { format!("; {en} {due}") };
            }
        }
        line + &if chinese { format!("（E{incident}）") } else { format!(" (E{incident})") }
    }

    fn line(&self, item: &Item) -> String {
        let Item { place, cause_text, cameras, incident, .. } = item;
        let (since, over) = (time(item.opened), item.resolved.map(time).unwrap_or_default());
        match self.language {
            Language::Chinese => {
                let severity = match item.severity {
                    Severity::Critical => "紧急",
                    Severity::Major => "重要",
                    Severity::Minor => "一般",
                };
                let what = match item.news {
                    News::Opened => "",
                    News::Reopened => "再次发生：",
                    News::Worse => "升级：",
                    News::Still => "仍未恢复：",
                    News::Over => return format!("【已恢复】{place}：{cause_text}，{since} 至 {over}（E{incident}）"),
                    News::Passed => {
                        return format!(
                            "【{severity}，现已恢复】{place}：{cause_text}，{since} 至 {over}（E{incident}）"
                        );
                    }
                };
                format!("【{severity}】{what}{place}：{cause_text}，{cameras} 路，始于 {since}（E{incident}）")
            }
            Language::English => {
                let severity = match item.severity {
                    Severity::Critical => "CRITICAL",
                    Severity::Major => "MAJOR",
                    Severity::Minor => "MINOR",
                };
                let what = match item.news {
                    News::Opened => "",
                    News::Reopened => "again: ",
                    News::Worse => "worse: ",
                    News::Still => "not over yet: ",
                    News::Over => return format!("[RESOLVED] {place}: {cause_text}, {since} to {over} (E{incident})"),
                    News::Passed => {
                        return format!(
                            "[{severity}, over by now] {place}: {cause_text}, {since} to {over} (E{incident})"
                        );
                    }
                };
                let cameras = counted(*cameras);
                format!("[{severity}] {what}{place}: {cause_text}, {cameras}, since {since} (E{incident})")
            }
        }
    }

    /// A try-out of a channel.
    #[must_use]
    pub fn trial(node: &str, language: Language, at: Wall) -> Letter {
        Letter {
            key: format!("{node}-test-{}", at.0),
            at: at.0,
            language,
            node: node.to_owned(),
            test: true,
            items: Vec::new(),
            orders: Vec::new(),
        }
    }
}
