//! A report as a workbook: figures as numbers with a format, text as text (never a formula).

use super::{
    Sheet,
    table::{Cell, Language},
};
use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};

/// The media type.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The file.
pub(crate) fn xlsx(sheet: &Sheet) -> Result<Vec<u8>, XlsxError> {
    let pick = |zh, en| match sheet.language {
        Language::Chinese => zh,
        Language::English => en,
    };
    let bold = Format::new().set_bold();
    let heading = Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top);
    let percent = Format::new().set_num_format("0.00%");
    let hours = Format::new().set_num_format("0.00");
    let mut book = Workbook::new();

    let page = book.add_worksheet().set_name(pick("报表", "report"))?;
    page.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    for (column, name) in (0..).zip(&sheet.headings) {
        page.write_string_with_format(0, column, *name, &heading)?;
        page.set_column_width(column, if column < 2 { 18.0 } else { 12.0 })?;
    }
    page.set_freeze_panes(1, 1)?;
    for (line, cells) in (1..).zip(&sheet.rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(text) => page.write_string(line, column, text)?,
                Cell::Number(number) => page.write_number(line, column, *number)?,
                Cell::Rate(Some(rate)) => page.write_number_with_format(line, column, *rate, &percent)?,
                Cell::Hours(Some(millis)) => {
                    page.write_number_with_format(line, column, millis / 3_600_000.0, &hours)?
                }
                Cell::Rate(None) | Cell::Hours(None) => continue,
            };
        }
    }
    let last = u32::try_from(sheet.rows.len()).unwrap_or(u32::MAX);
    let columns = u16::try_from(sheet.headings.len().saturating_sub(1)).unwrap_or(u16::MAX);
    page.autofilter(0, 0, last, columns)?;

    let about = book.add_worksheet().set_name(pick("说明", "about"))?;
    about.set_column_width(0, 26.0)?.set_column_width(1, 100.0)?;
    about.write_string_with_format(0, 0, &sheet.title, &bold)?;
    let mut line = 1;
    for (name, value) in &sheet.about {
        about.write_string(line, 0, *name)?.write_string(line, 1, value)?;
        line += 1;
    }
    line += 1;
    for (name, formula) in &sheet.formulas {
        about.write_string(line, 0, *name)?.write_string(line, 1, *formula)?;
        line += 1;
    }
    book.save_to_buffer()
}
