//! From bytes to text: UTF-8 with or without BOM, else GBK, as spreadsheets in China save it.

use super::ImportError;
use std::borrow::Cow;

/// Decodes the whole file.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let (text, faulty) = encoding_rs::GBK.decode_without_bom_handling(body);
            if faulty {
                return Err(ImportError::NotText);
            }
            text
        }
    };
    if text.contains('\0') { Err(ImportError::NotText) } else { Ok(text) }
}

/// The delimiter of the heading: comma, semicolon or tab, whichever occurs most.
pub(super) fn delimiter(text: &str) -> u8 {
    let heading = text.lines().next().unwrap_or_default();
    let count = |d: u8| heading.bytes().filter(|b| *b == d).count();
    // The comma last: with equal counts `max_by_key` takes the later one.
    [b'\t', b';', b','].into_iter().max_by_key(|d| count(*d)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_that_spreadsheets_write_are_read() {
        assert_eq!(decode("\u{feff}乡镇,名称".as_bytes()).unwrap(), "乡镇,名称");
        assert_eq!(decode("乡镇,名称".as_bytes()).unwrap(), "乡镇,名称");
        let (gbk, ..) = encoding_rs::GBK.encode("乡镇,名称");
        assert_eq!(decode(&gbk).unwrap(), "乡镇,名称");
        assert_eq!(decode(&[0, 159, 146, 150, 0xff]), Err(ImportError::NotText));
        assert_eq!(decode(b"a\0b"), Err(ImportError::NotText));
    }

    #[test]
    fn delimiters_are_found() {
        assert_eq!(delimiter("a;b;c,d\n"), b';');
        assert_eq!(delimiter("a\tb"), b'\t');
        assert_eq!(delimiter("a"), b',');
    }
}
