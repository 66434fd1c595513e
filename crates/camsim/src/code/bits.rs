//! Reading and writing the bits of parameter sets and slice headers (H.264 §7.2 and §9.1, H.265 the same).

/// The stream ended before the syntax did, or a number is out of any sensible range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the coded data ends too early")]
pub(crate) struct Short;

/// Reads from a payload without emulation prevention bytes.
pub(crate) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> BitReader<'a> {
        BitReader { data, at: 0 }
    }

    pub(crate) fn bit(&mut self) -> Result<bool, Short> {
        let byte = self.data.get(self.at / 8).ok_or(Short)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// Up to 32 bits.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, Short> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Ok(value)
    }

    pub(crate) fn ue(&mut self) -> Result<u32, Short> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Short);
            }
        }
        Ok((1u32 << zeros) - 1 + self.bits(zeros)?)
    }

    pub(crate) fn se(&mut self) -> Result<i32, Short> {
        let code = i64::from(self.ue()?);
        let value = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
        i32::try_from(value).map_err(|_| Short)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Short> {
        self.at += count;
        if self.at > self.data.len() * 8 { Err(Short) } else { Ok(()) }
    }

    /// What follows the next byte boundary, which is where CABAC data begins.
    pub(crate) fn aligned_rest(&self) -> &'a [u8] {
        self.data.get(self.at.div_ceil(8)..).unwrap_or_default()
    }

    /// How many bits are left before the next byte boundary.
    pub(crate) fn to_boundary(&self) -> usize {
        (8 - self.at % 8) % 8
    }
}

/// Writes a payload without emulation prevention bytes.
#[derive(Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    pub(crate) fn bit(&mut self, bit: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if bit && let Some(last) = self.bytes.last_mut() {
            *last |= 1 << (7 - self.used % 8);
        }
        self.used += 1;
    }

    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        for i in (0..count).rev() {
            self.bit(value >> i & 1 == 1);
        }
    }

    pub(crate) fn ue(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let length = 64 - code.leading_zeros();
        for _ in 1..length {
            self.bit(false);
        }
        for i in (0..length).rev() {
            self.bit(code >> i & 1 == 1);
        }
    }

    pub(crate) fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs();
        self.ue(if value > 0 { magnitude * 2 - 1 } else { magnitude * 2 });
    }

    pub(crate) fn is_aligned(&self) -> bool {
        self.used.is_multiple_of(8)
    }

    /// The bytes so far; unused bits of the last one are zero.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes emulation prevention bytes out of a NAL unit's payload.
pub(crate) fn unescape(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Appends a payload with emulation prevention bytes to a NAL unit's header.
pub(crate) fn escape(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len() + payload.len() + payload.len() / 64);
    out.extend_from_slice(header);
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The NAL units of an Annex B stream, without start codes.
pub(crate) fn split_annex_b(data: &[u8]) -> Vec<Vec<u8>> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= data.len() {
        if data[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let mut units = Vec::with_capacity(starts.len());
    for (i, &start) in starts.iter().enumerate() {
        let mut end = starts.get(i + 1).copied().unwrap_or(data.len());
        // The fourth byte of a long start code, and trailing zeros, belong to no unit.
        while end > start + 3 && data[end - 1] == 0 {
            end -= 1;
        }
        if end > start + 3 {
            units.push(data[start + 3..end].to_vec());
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((0u32..1 << 30, -(1i32 << 29)..1 << 29), 1..20)) {
            let mut writer = BitWriter::default();
            for &(u, s) in &values {
                writer.ue(u);
                writer.se(s);
                writer.bits(u & 0x7f, 7);
            }
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            for &(u, s) in &values {
                prop_assert_eq!(reader.ue(), Ok(u));
                prop_assert_eq!(reader.se(), Ok(s));
                prop_assert_eq!(reader.bits(7), Ok(u & 0x7f));
            }
        }

        #[test]
        fn escaping_is_undone_and_hides_start_codes(payload in prop::collection::vec(0u8..5, 0..200)) {
            let escaped = escape(&[], &payload);
            prop_assert!(!escaped.windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] < 3));
            prop_assert_eq!(unescape(&escaped), payload);
        }
    }
}
