//! The cover sheet: what the package is, in Chinese and English, to be read and printed by people.

use super::{Label, LeftOut, Purpose, Record, custody::CustodyExtract, package::missed};
use crate::{Gap, SnapshotRef};
use fleet::{CameraClock, Cause, Codec, Wall};
use health::SnapshotClass;
use std::fmt::{self, Write as _};

/// Gaps and custody records that are written out; the files have all of them.
const LINES_MAX: usize = 500;

const STYLE: &str = "body{font:15px/1.6 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;max-width:60rem;\
    margin:2rem auto;padding:0 1rem;color:#1b2430}h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}\
    table{border-collapse:collapse;width:100%}th,td{border:1px solid #c9d1da;padding:.3rem .5rem;text-align:left;\
    vertical-align:top;font-size:.87rem}th{background:#f1f4f7;white-space:nowrap}code{word-break:break-all}\
    img{max-width:100%;display:block}.shot{break-inside:avoid;margin:1.5rem 0}.note{background:#f6f3e8;\
    padding:.6rem .9rem;border-left:4px solid #c8a94a}@media print{body{margin:0}}";

/// What the cover says of one snapshot.
pub(crate) struct Row {
    label: Label,
    id: String,
    slot: Wall,
    captured: Wall,
    camera_clock: Option<CameraClock>,
    class: SnapshotClass,
    status: (&'static str, &'static str),
    cause: Option<Cause>,
    coding: String,
    sha256: String,
    original: String,
    rendering: Option<String>,
}

impl Row {
    pub(super) fn of(record: &Record, reference: &SnapshotRef) -> Row {
        Row {
            label: record.label.clone(),
            id: record.id.to_string(),
            slot: record.slot,
            captured: record.captured,
            camera_clock: record.camera_clock,
            class: record.class,
            status: record.status.text(),
            cause: record.cause,
            coding: format!(
                "{}{} · {}×{} · {} B",
                record.codec.code().to_uppercase(),
                converted(record.converted_from),
                record.width,
                record.height,
                reference.bytes
            ),
            sha256: hex::encode(reference.sha256),
            original: record.original.clone(),
            rendering: record.rendering.clone(),
        }
    }
}

/// A picture that is no longer as the camera coded it says so.
fn converted(from: Option<Codec>) -> String {
    from.map_or_else(String::new, |from| {
        let from = from.code().to_uppercase();
        format!("（存档前由本机自 {from} 转码，哈希与证明针对转码后的图片 · converted here from {from} before archiving; hash and proof are of the converted picture）")
    })
}

/// The whole page.
pub(crate) fn page(
    purpose: &Purpose,
    node: &str,
    key: &[u8; 32],
    created: Wall,
    snapshots: &[Row],
    (gaps, left_out): (&[Gap], &[LeftOut]),
    custody: &CustodyExtract,
) -> String {
    let mut out = String::new();
    write(&mut out, purpose, node, key, created, snapshots, (gaps, left_out), custody)
        .expect("a String takes every text");
    out
}

#[expect(clippy::too_many_arguments, reason = "the parts of one page")]
fn write(
    out: &mut String,
    purpose: &Purpose,
    node: &str,
    key: &[u8; 32],
    created: Wall,
    snapshots: &[Row],
    (gaps, left_out): (&[Gap], &[LeftOut]),
    custody: &CustodyExtract,
) -> fmt::Result {
    write!(
        out,
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>证据包 Evidence package {}</title>\
         <style>{STYLE}</style></head><body>\n<h1>快照证据包 <small>Evidence package of snapshots</small></h1>\n<table>\n",
        Text(&purpose.number)
    )?;
    let count = format!("{} 张快照，{} 个缺口 / {0} snapshots, {1} gaps", snapshots.len(), missed(gaps));
    let lines = [
        ("编号 Number", purpose.number.clone()),
        ("导出时间 Exported at", time(created)),
        ("导出人 Exported by", purpose.by.clone()),
        ("事由 Reason", purpose.reason.clone()),
        ("审批文号 Approval document", purpose.document.clone()),
        ("复核人 Approved by", purpose.approved_by.clone().unwrap_or_else(|| "—".to_owned())),
        ("导出范围 Asked for", purpose.asked.clone()),
        ("内容 Contents", count),
        ("节点 Node", node.to_owned()),
    ];
    for (name, value) in lines {
        line(out, name, &value)?;
    }
    writeln!(
        out,
        "<tr><th>签名公钥 Signing key (Ed25519)</th><td><code>{}</code></td></tr>\n</table>",
        hex::encode(key)
    )?;
    out.push_str(
        "<div class=\"note\"><p><b>如何验证：</b>用 <code>sharpeyes verify 文件.zip</code>，或在浏览器中打开验证页并选择原始 \
         ZIP 文件（不联网）。请使用从主管单位另行取得的验证页和公钥：能篡改证据包的人也能篡改包内的验证页。\
         验证通过说明：图像自存档以来一个比特都没有改变，包内任何文件都未被改动。它不能说明摄像机画面本身真实，\
         也不能说明密钥由谁保管。<code>rendering.jpg</code> 是导出时为便于观看而生成的，原件是 <code>original</code> 文件。</p>\n\
         <p><b>How to verify:</b> <code>sharpeyes verify FILE.zip</code>, or open the verifier page in a browser and choose \
         the ZIP file as you received it (nothing is sent anywhere). Use a verifier page and a public key that you got \
         separately from the authority: whoever can alter a package can alter the page inside it. A package that \
         verifies shows that the pictures have not changed by a single bit since they were archived and that no file in \
         the package was touched. It does not show that the camera was truthful or who held the key. \
         <code>rendering.jpg</code> was made at export for viewing; the <code>original</code> file is the evidence.</p></div>\n\
         <h2>快照 Snapshots</h2>\n",
    );
    for row in snapshots {
        snapshot(out, row)?;
    }
    if !gaps.is_empty() {
        out.push_str("<h2>缺口 Gaps</h2>\n<table><tr><th>摄像机 Camera</th><th>应拍时刻 Due</th><th>原因 Cause</th><th>详情 Detail</th></tr>\n");
        for gap in gaps.iter().take(LINES_MAX) {
            let (zh, en) = gap.cause.text();
            let detail = Text(&gap.detail);
            let due = match gap.slots {
                1 => time(gap.slot),
                // One record for several slots in a row.
                many => format!("{} — {}（{many} 次 times）", time(gap.slot), time(gap.last())),
            };
            writeln!(out, "<tr><td>{}</td><td>{due}</td><td>{zh} {en}</td><td>{detail}</td></tr>", gap.camera)?;
        }
        out.push_str("</table>\n");
        more(out, gaps.len(), "gaps.json")?;
    }
    if !left_out.is_empty() {
        out.push_str("<h2>未能导出 Left out</h2>\n<table><tr><th>编号 Id</th><th>原因 Why</th></tr>\n");
        for one in left_out.iter().take(LINES_MAX) {
            writeln!(out, "<tr><td><code>{}</code></td><td>{}</td></tr>", one.id, Text(&one.why))?;
        }
        out.push_str("</table>\n");
        more(out, left_out.len(), "left-out.json")?;
    }
    out.push_str("<h2>流转记录 Custody</h2>\n<table><tr><th>#</th><th>时间 Time</th><th>人员 Who</th><th>操作 Action</th><th>事由 Reason</th><th>详情 Detail</th></tr>\n");
    for r in custody.records.iter().take(LINES_MAX) {
        let who = format!("{} {}", r.who, r.who_detail);
        let cells = [Text(&who), Text(&r.action), Text(&r.reason), Text(&r.detail)];
        write!(out, "<tr><td>{}</td><td>{}</td>", r.seq, time(r.at))?;
        for cell in cells {
            write!(out, "<td>{cell}</td>")?;
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
    more(out, custody.records.len(), "custody.json")?;
    if custody.left_out > 0 {
        let n = custody.left_out;
        writeln!(
            out,
            "<p>审计日志中另有 {n} 条更早的记录未收入本包。 {n} older records are in the audit log and not in this package.</p>"
        )?;
    }
    out.push_str("</body></html>\n");
    Ok(())
}

fn snapshot(out: &mut String, row: &Row) -> fmt::Result {
    let name = Text(&row.label.name);
    writeln!(out, "<div class=\"shot\"><h3>{name} · {}</h3>", time(row.slot))?;
    if let Some(rendering) = &row.rendering {
        writeln!(out, "<img src=\"{}\" alt=\"{name}\" loading=\"lazy\">", Text(rendering))?;
    }
    out.push_str("<table>\n");
    let (class_zh, class_en) = match row.class {
        SnapshotClass::Routine => ("按计划", "routine"),
        SnapshotClass::StatusChange => ("状态变化", "status change"),
        SnapshotClass::Incident => ("事件", "incident"),
    };
    let cause = row.cause.map(Cause::text).map_or(String::new(), |(zh, en)| format!(" · {zh} {en}"));
    let clock = row.camera_clock.map_or("—".to_owned(), |clock| {
        let (off, within) = (clock.at.millis_since(row.captured), clock.uncertainty_ms);
        format!(
            "{} ± {}.{:03} s（较到达时刻 against captured {}{}.{:03} s）",
            time(clock.at),
            within / 1000,
            within % 1000,
            if off < 0 { "−" } else { "+" },
            off.abs() / 1000,
            off.abs() % 1000
        )
    });
    let lines = [
        ("所属 Place", row.label.place.clone()),
        ("国标编码 GB code", row.label.gb_code.clone().unwrap_or_else(|| "—".to_owned())),
        ("编号 Id", row.id.clone()),
        ("应拍时刻 Due", time(row.slot)),
        ("到达时刻 Captured", time(row.captured)),
        ("摄像机时钟 Camera clock", clock),
        ("类别 Class", format!("{class_zh} {class_en}")),
        ("当时状态 Status then", format!("{} {}{cause}", row.status.0, row.status.1)),
        ("编码 Coding", row.coding.clone()),
        ("SHA-256", row.sha256.clone()),
        ("原件 Original", row.original.clone()),
    ];
    for (name, value) in lines {
        line(out, name, &value)?;
    }
    out.push_str("</table></div>\n");
    Ok(())
}

fn line(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", Text(value))
}

fn more(out: &mut String, count: usize, file: &str) -> fmt::Result {
    if count > LINES_MAX {
        writeln!(out, "<p>共 {count} 条，全部见 {file}。 {count} in all, see {file}.</p>")?;
    }
    Ok(())
}

/// An instant in the county's zone, which has no summer time.
fn time(at: Wall) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S%.3f UTC+8").to_string(),
        Err(_) => format!("{} ms", at.0),
    }
}

/// Text of others in HTML: never markup.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Also what turns the direction of text, with which a name could show another order of words.
                c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                    f.write_str("�")?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
