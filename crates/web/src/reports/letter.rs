//! A report as the text of a mail: the sum beside the period before, the lines with their main figures. The files that
//! go with it have the rest.

use super::{
    Figures, Sheet,
    csv::text,
    table::{Cell, Language},
};
use std::fmt::Write;

/// Lines of a report that the mail itself tells.
const MOST_LINES: usize = 300;

/// What is written.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    /// For readers without HTML.
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The mail of a report of some days.
pub(crate) fn letter(sheet: &Sheet, days: &str, total: &Figures, before: Option<&Figures>) -> Letter {
    let pick = |zh, en| sheet.language.pick(zh, en);
    let subject = format!("{}{}{days}", sheet.title, pick("：", ", "));
    let compared = Sheet::compared(sheet.language, total, before);
    let columns = sheet.main();
    let left_out = sheet.rows.len().saturating_sub(MOST_LINES + 1);
    let rest = (left_out > 0).then(|| match sheet.language {
        Language::Chinese => format!("另有 {left_out} 行，见附件。"),
        Language::English if left_out == 1 => "One more line is in the attached files.".to_owned(),
        Language::English => format!("{left_out} more lines are in the attached files."),
    });
    let closing = pick(
        "全部指标和口径见附件（XLSX、CSV）。本邮件由系统自动发送，请勿回复。",
        "All figures and how they are counted are in the attached files (XLSX, CSV). This mail was sent by a machine; \
         please do not answer it.",
    );

    let mut plain = format!("{subject}\r\n");
    for (name, value) in &sheet.about {
        let _ = write!(plain, "{name}{}{value}\r\n", pick("：", ": "));
    }
    plain.push_str("\r\n");
    for (name, now, before) in &compared {
        let _ = write!(plain, "{name}{}{}", pick("：", ": "), shown(now));
        if let Some(before) = before {
            let _ = write!(plain, "{}{}{}", pick("（上期 ", " (before: "), shown(before), pick("）", ")"));
        }
        plain.push_str("\r\n");
    }
    let _ = write!(plain, "\r\n{closing}\r\n");

    let mut html = String::from(
        "<!doctype html><html><head><meta charset=\"utf-8\"></head><body style=\"font-family:sans-serif;color:#1a1a1a\">",
    );
    let _ =
        write!(html, "<h2 style=\"margin:0 0 8px\">{}</h2><p style=\"color:#555;margin:0 0 16px\">", escaped(&subject));
    let about: Vec<String> =
        sheet.about.iter().map(|(name, value)| format!("{name}{}{}", pick("：", ": "), escaped(value))).collect();
    let _ = write!(html, "{}</p>", about.join("<br>"));
    let mut rows = vec![vec![String::new(), pick("本期", "this period").to_owned()]];
    if before.is_some() {
        rows[0].push(pick("上期", "the one before").to_owned());
    }
    rows.extend(compared.iter().map(|(name, now, before)| {
        let mut row = vec![(*name).to_owned(), shown(now)];
        row.extend(before.iter().map(shown));
        row
    }));
    table(&mut html, 1, rows);
    let names = columns.len() - compared.len() - 1;
    let heading = columns.iter().map(|n| sheet.headings[*n].to_owned()).collect();
    let lines = sheet.rows.iter().take(MOST_LINES + 1).map(|row| {
        let cell = |n: &usize| match &row[*n] {
            Cell::Text(name) => name.clone(),
            figure => shown(figure),
        };
        columns.iter().map(cell).collect()
    });
    table(&mut html, names, std::iter::once(heading).chain(lines));
    if let Some(rest) = rest {
        let _ = write!(html, "<p>{rest}</p>");
    }
    let _ = write!(html, "<p style=\"color:#555\">{closing}</p></body></html>");
    Letter { subject, text: plain, html }
}

/// A figure; a dash where there is none.
fn shown(cell: &Cell) -> String {
    match text(cell) {
        none if none.is_empty() => "—".to_owned(),
        figure => figure,
    }
}

/// The first row is the heading, the first columns hold names.
fn table(html: &mut String, names: usize, rows: impl IntoIterator<Item = Vec<String>>) {
    html.push_str("<table style=\"border-collapse:collapse;margin:0 0 16px;font-size:13px\">");
    for (line, row) in rows.into_iter().enumerate() {
        html.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            let (tag, weight) = if line == 0 { ("th", "background:#f0f2f5;") } else { ("td", "") };
            let align = if n < names { "left" } else { "right" };
            let _ = write!(
                html,
                "<{tag} style=\"border:1px solid #ccc;padding:4px 8px;{weight}text-align:{align}\">{}</{tag}>",
                escaped(cell)
            );
        }
        html.push_str("</tr>");
    }
    html.push_str("</table>");
}

/// Names come from the register: nothing in them is markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
