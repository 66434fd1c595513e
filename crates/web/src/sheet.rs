//! The first sheet of a workbook as CSV, so that XLSX and CSV are read by the same rules. The file is hostile until
//! parsed: what it unpacks to, its rows and its columns are bounded; formulas are read as the values they had.

use bytes::Bytes;
use calamine::{DataRef, Reader, Xlsx, open_workbook_from_rs};
use fleet::import::{LONGEST_FIELD, MOST_BYTES, MOST_ROWS};
use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
};
use zip::ZipArchive;

/// More columns than the import knows, with room for the county's own.
const MOST_COLUMNS: u32 = 200;
/// Most bytes that a workbook may unpack to: a table of [`MOST_ROWS`] has some hundred megabytes of XML.
const UNPACKED: u64 = 512 << 20;

/// Why a workbook cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SheetError {
    #[error("the file is no XLSX workbook; save the table as XLSX or CSV")]
    NotXlsx,
    #[error("the first sheet of the workbook is empty; its first row must name the columns")]
    Empty,
    #[error("the first sheet has more than 100000 rows, 200 columns or 16 MiB of text; split it")]
    TooLarge,
}

/// The first sheet as CSV in UTF-8.
pub(crate) fn to_csv(file: &[u8]) -> Result<Bytes, SheetError> {
    bounded(file)?;
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(file)).map_err(|_| SheetError::NotXlsx)?;
    let name = book.sheet_names().into_iter().next().ok_or(SheetError::Empty)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(|_| SheetError::NotXlsx)?;
    let mut rows: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
    let mut bytes = 0;
    while let Some(cell) = cells.next_cell().map_err(|_| SheetError::NotXlsx)? {
        let ((row, column), text) = (cell.get_position(), text(cell.get_value()));
        if text.is_empty() {
            continue;
        }
        bytes += text.len();
        if column >= MOST_COLUMNS || rows.len() > MOST_ROWS || bytes > MOST_BYTES {
            return Err(SheetError::TooLarge);
        }
        rows.entry(row).or_default().insert(column, text);
    }
    let Some(first) = rows.keys().next().copied() else { return Err(SheetError::Empty) };
    let width = rows.values().filter_map(|r| r.keys().last()).max().map_or(0, |last| last + 1);
    let mut out = String::new();
    let mut line = first;
    for (row, cells) in &rows {
        // Empty rows stay, so that lines are told as the spreadsheet counts them; none of a whole sheet's worth.
        while line < *row && *row - line < 1000 {
            out.push('\n');
            line += 1;
        }
        line = row + 1;
        let cell = |column| cells.get(&column).map_or("", String::as_str).replace('"', "\"\"");
        out.push_str(&(0..width).map(|column| format!("\"{}\"", cell(column))).collect::<Vec<_>>().join(","));
        out.push('\n');
    }
    Ok(out.into())
}

/// Unpacks everything once to see how much it is, keeping nothing.
fn bounded(file: &[u8]) -> Result<(), SheetError> {
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|_| SheetError::NotXlsx)?;
    let mut left = UNPACKED;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| SheetError::NotXlsx)?;
        let unpacked = io::copy(&mut entry.take(left + 1), &mut io::sink()).map_err(|_| SheetError::NotXlsx)?;
        left = left.checked_sub(unpacked).ok_or(SheetError::TooLarge)?;
    }
    Ok(())
}

fn text(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        // 3 is written as 3 and not as 3.0. Codes of twenty digits are text in every table that kept them whole.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        DataRef::Float(number) => number.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(at) => {
            let (year, month, day, ..) = at.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        DataRef::String(text) => cut(text),
        DataRef::SharedString(text) => cut(text),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => cut(text),
    }
}

/// A line break within a cell would be refused; the import says of the rest what is wrong.
fn cut(text: &str) -> String {
    text.replace(['\r', '\n'], " ").chars().take(LONGEST_FIELD + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    fn sheet(write: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
        let mut book = Workbook::new();
        write(book.add_worksheet());
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn cells_are_written_as_the_import_reads_them() {
        let file = sheet(|page| {
            for (column, name) in (0..).zip(["点位所属", "name", "安装时间", "sessions", "经度"]) {
                page.write_string(0, column, name).unwrap();
            }
            page.write_string(2, 0, "东村,\"上\"").unwrap().write_string(2, 1, "村口\n二号").unwrap();
            let date = Format::new().set_num_format("yyyy-mm-dd");
            page.write_datetime_with_format(2, 2, ExcelDateTime::from_ymd(2021, 11, 30).unwrap(), &date).unwrap();
            page.write_number(2, 3, 2).unwrap().write_number(2, 4, 112.25).unwrap();
        });
        let csv = to_csv(&file).unwrap();
        assert_eq!(
            std::str::from_utf8(&csv).unwrap(),
            "\"点位所属\",\"name\",\"安装时间\",\"sessions\",\"经度\"\n\n\
             \"东村,\"\"上\"\"\",\"村口 二号\",\"2021-11-30\",\"2\",\"112.25\"\n"
        );
    }

    #[test]
    fn what_is_no_table_or_too_large_is_refused() {
        assert_eq!(to_csv(b"town,site\n"), Err(SheetError::NotXlsx));
        assert_eq!(to_csv(&sheet(|_| ())), Err(SheetError::Empty));
        // One cell in the farthest corner must not take the memory of the whole sheet.
        let far = sheet(|page| {
            page.write_string(0, 0, "a").unwrap().write_string(1_048_575, 16_383, "b").unwrap();
        });
        assert_eq!(to_csv(&far), Err(SheetError::TooLarge));
        let whole = sheet(|page| {
            page.write_string(0, 0, "a").unwrap();
        });
        for length in (0..whole.len()).step_by(97) {
            assert!(to_csv(&whole[..length]).is_err());
        }
    }
}
