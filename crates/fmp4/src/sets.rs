//! Reading the bits of a parameter set.

/// The payload of a NAL unit without its emulation prevention bytes (00 00 03 → 00 00).
pub(crate) fn plain(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Reads bits, most significant first; `None` beyond the end.
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0 }
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        let byte = self.data.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// Up to 32 bits.
    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |value, _| Some((value << 1) | u32::from(self.flag()?)))
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.data.len() * 8)?;
        Some(())
    }

    /// Unsigned Exp-Golomb.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1_u32 << zeros) - 1) + self.read(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(plain(&[1, 0, 0, 3, 1, 0, 0, 0, 3, 0]), [1, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn bits_end_where_the_data_ends() {
        let mut bits = Bits::new(&[0b1010_0110]);
        assert_eq!((bits.read(3), bits.ue(), bits.skip(1)), (Some(0b101), Some(5), None));
        assert_eq!(Bits::new(&[0; 8]).ue(), None);
    }
}
