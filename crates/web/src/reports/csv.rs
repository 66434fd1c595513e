//! Comma-separated values that spreadsheets open as they are: UTF-8 with its mark, and nothing that runs.

use super::{Sheet, table::Cell};

/// The media type.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";

/// A whole report.
pub(crate) fn csv(sheet: &Sheet) -> String {
    let mut out = String::from("\u{feff}");
    push(&mut out, [sheet.title.clone()]);
    for (name, value) in &sheet.about {
        push(&mut out, [(*name).to_owned(), value.clone()]);
    }
    for (name, formula) in &sheet.formulas {
        push(&mut out, [(*name).to_owned(), (*formula).to_owned()]);
    }
    out.push_str("\r\n");
    push(&mut out, sheet.headings.iter().map(|h| (*h).to_owned()));
    for row in &sheet.rows {
        push(&mut out, row.iter().map(text));
    }
    out
}

/// A cell in words.
pub(super) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Rate(rate) => rate.map(|r| format!("{:.2}%", r * 100.0)).unwrap_or_default(),
        Cell::Hours(millis) => millis.map(|m| format!("{:.2}", m / 3_600_000.0)).unwrap_or_default(),
    }
}

/// Adds a line.
pub(crate) fn push(out: &mut String, cells: impl IntoIterator<Item = String>) {
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let cell = harmless(cell);
        if cell.contains([',', '"', '\n', '\r', '\'']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}

/// Text that a spreadsheet would take for a formula gets an apostrophe before it.
fn harmless(cell: String) -> String {
    let begins = cell.trim_start_matches([' ', '\u{a0}', '\u{3000}']);
    let runs = begins.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if runs && cell.parse::<f64>().is_err() { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        let mut out = String::new();
        let cells = ["=1+1", "-5.2", "@SUM(A1)", " =x", "＝1", "a,b", "say \"hi\"", "村口\n东", "+86 1", "\tx"];
        push(&mut out, cells.map(String::from));
        assert_eq!(
            out,
            "\"'=1+1\",-5.2,\"'@SUM(A1)\",\"' =x\",\"'＝1\",\"a,b\",\"say \"\"hi\"\"\",\"村口\n东\",\"'+86 1\",\"'\tx\"\r\n"
        );
    }
}
