//! Pictures in memory: borrowed planes as decoded, and scaled copies of them. Never decodes or judges.

/// One plane of 8-bit samples.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    data: &'a [u8],
    stride: usize,
    /// Samples in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
}

impl<'a> Plane<'a> {
    /// `None` unless `data` holds `height` rows of `stride` samples (the last may end after `width`).
    pub(crate) fn new(data: &'a [u8], stride: usize, width: usize, height: usize) -> Option<Plane<'a>> {
        let needed = height.checked_sub(1)?.checked_mul(stride)?.checked_add(width)?;
        (width > 0 && width <= stride && needed <= data.len()).then_some(Plane { data, stride, width, height })
    }

    /// One row of samples.
    ///
    /// # Panics
    /// If `y` is not below `height`: a mistake of the caller.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        assert!(y < self.height, "row {y} of {}", self.height);
        &self.data[y * self.stride..y * self.stride + self.width]
    }
}

/// A decoded picture: luma, and both chroma planes unless it is grey.
pub(crate) struct Planes<'a> {
    pub(crate) luma: Plane<'a>,
    pub(crate) chroma: Option<[Plane<'a>; 2]>,
    /// Whether black is 0 and white 255; otherwise 16 and 235 (ITU-R BT.601, BT.709 "limited range").
    pub(crate) full_range: bool,
    /// Whether chroma was made with the BT.709 matrix; otherwise BT.601, as JPEG has it.
    pub(crate) bt709: bool,
}

impl Planes<'_> {
    pub(crate) fn width(&self) -> usize {
        self.luma.width
    }

    pub(crate) fn height(&self) -> usize {
        self.luma.height
    }
}

/// A full-range 4:2:0 picture with the BT.601 matrix and even sides, as a JPEG coder wants it: luma, Cb, Cr one after the other.
pub(crate) struct Canvas {
    pub(crate) data: Vec<u8>,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Canvas {
    /// A copy of `planes`, at most `max_width` wide (area-averaged), sides rounded down to even numbers.
    pub(crate) fn new(planes: &Planes<'_>, max_width: usize) -> Canvas {
        let (full_width, full_height) = (planes.width(), planes.height());
        let (width, height) = if full_width > max_width {
            (max_width, (full_height * max_width + full_width / 2) / full_width)
        } else {
            (full_width, full_height)
        };
        let (width, height) = ((width & !1).max(2), (height & !1).max(2));
        let mut data = Vec::with_capacity(width * height * 3 / 2);
        resize(&planes.luma, width, height, &mut data);
        match &planes.chroma {
            Some([cb, cr]) => {
                resize(cb, width / 2, height / 2, &mut data);
                resize(cr, width / 2, height / 2, &mut data);
            }
            None => data.resize(width * height * 3 / 2, 128),
        }
        let mut canvas = Canvas { data, width, height };
        if !planes.full_range {
            canvas.stretch();
        }
        if planes.bt709 && planes.chroma.is_some() {
            canvas.convert_to_bt601();
        }
        canvas
    }

    /// Limited to full range.
    fn stretch(&mut self) {
        let (luma, chroma) = self.data.split_at_mut(self.width * self.height);
        for sample in luma {
            // ×255/219 in 10-bit fixed point.
            let value = (u32::from(*sample).saturating_sub(16) * 1192 + 512) >> 10;
            *sample = value.min(255) as u8;
        }
        for sample in chroma {
            // ×255/224.
            let value = ((i32::from(*sample) - 128) * 1166 + (128 << 10) + 512) >> 10;
            *sample = value.clamp(0, 255) as u8;
        }
    }

    /// JPEG (JFIF) knows the BT.601 matrix only. The product of "BT.709 to RGB" and "RGB to BT.601", ×1024.
    fn convert_to_bt601(&mut self) {
        let (luma, chroma) = self.data.split_at_mut(self.width * self.height);
        let (cbs, crs) = chroma.split_at_mut(self.width * self.height / 4);
        let half = self.width / 2;
        for (row, (cb_row, cr_row)) in cbs.chunks_exact_mut(half).zip(crs.chunks_exact_mut(half)).enumerate() {
            let (upper, lower) = luma[row * 2 * self.width..(row + 1) * 2 * self.width].split_at_mut(self.width);
            for (x, (cb, cr)) in cb_row.iter_mut().zip(cr_row).enumerate() {
                let (b, r) = (i32::from(*cb) - 128, i32::from(*cr) - 128);
                let shift = (b * 104 + r * 201 + 512) >> 10;
                for sample in upper[x * 2..x * 2 + 2].iter_mut().chain(&mut lower[x * 2..x * 2 + 2]) {
                    *sample = (i32::from(*sample) + shift).clamp(0, 255) as u8;
                }
                *cb = (128 + ((b * 1014 - r * 113 + 512) >> 10)).clamp(0, 255) as u8;
                *cr = (128 + ((r * 1007 - b * 74 + 512) >> 10)).clamp(0, 255) as u8;
            }
        }
    }
}

/// Appends `plane` at the new size. Shrinks by area average; a side that grows (chroma of tiny pictures) repeats samples.
pub(crate) fn resize(plane: &Plane<'_>, width: usize, height: usize, out: &mut Vec<u8>) {
    if (width, height) == (plane.width, plane.height) {
        for y in 0..height {
            out.extend_from_slice(plane.row(y));
        }
        return;
    }
    let across = spans(plane.width, width);
    let down = spans(plane.height, height);
    let mut sums = vec![0u32; plane.width];
    // Whole rows are summed narrow, which goes twice as fast; up to 257 of 255 fit.
    let mut whole = vec![0u16; plane.width];
    for span in &down {
        sums.fill(0);
        whole.fill(0);
        let narrow = span.last - span.first < 256;
        for (index, weight) in span.weights() {
            if weight == 256 && narrow {
                for (sum, &sample) in whole.iter_mut().zip(plane.row(index)) {
                    *sum += u16::from(sample);
                }
            } else {
                for (sum, &sample) in sums.iter_mut().zip(plane.row(index)) {
                    *sum += u32::from(sample) * weight;
                }
            }
        }
        for (sum, &part) in sums.iter_mut().zip(&whole) {
            *sum += u32::from(part) * 256;
        }
        for cell in &across {
            // Inner samples count whole.
            let inner = if cell.last > cell.first { &sums[cell.first + 1..cell.last] } else { &[] };
            let inner: u64 = inner.iter().map(|&sum| u64::from(sum)).sum();
            let mut total = inner * 256 + u64::from(sums[cell.first]) * u64::from(cell.first_weight);
            if cell.last > cell.first {
                total += u64::from(sums[cell.last]) * u64::from(cell.last_weight);
            }
            let area = u64::from(span.total) * u64::from(cell.total);
            out.push(((total + area / 2) / area) as u8);
        }
    }
}

/// The samples that one sample of the new size averages, with weights in 1/256 of a sample.
struct Span {
    first: usize,
    last: usize,
    first_weight: u32,
    last_weight: u32,
    total: u32,
}

impl Span {
    fn weights(&self) -> impl Iterator<Item = (usize, u32)> {
        let (first, last) = (self.first, self.last);
        (first..=last).map(move |index| {
            let weight = match index {
                _ if index == first => self.first_weight,
                _ if index == last => self.last_weight,
                _ => 256,
            };
            (index, weight)
        })
    }
}

fn spans(from: usize, to: usize) -> Vec<Span> {
    let edge = |i: usize| i * from * 256 / to;
    let span = |i: usize| {
        let (begin, end) = (edge(i), edge(i + 1).max(edge(i) + 1));
        let (first, last) = (begin / 256, ((end - 1) / 256).min(from - 1));
        let first_weight = (end.min((first + 1) * 256) - begin) as u32;
        let last_weight = (end - last * 256).min(256) as u32;
        let total = if first == last { first_weight } else { (end - begin) as u32 };
        Span { first, last, first_weight, last_weight, total }
    };
    (0..to).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(data: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
        let mut out = Vec::new();
        resize(&Plane::new(data, from.0, from.0, from.1).unwrap(), to.0, to.1, &mut out);
        out
    }

    #[test]
    fn shrinks_by_area() {
        assert_eq!(resized(&[0, 100, 50, 50, 10, 20, 30, 40], (4, 2), (2, 1)), [33, 43]);
        assert_eq!(resized(&[0, 90, 180], (3, 1), (2, 1)), [30, 150]);
        assert_eq!(resized(&[7; 35], (7, 5), (3, 2)), [7; 6]);
        assert_eq!(resized(&[1, 2], (2, 1), (4, 1)), [1, 1, 2, 2]);
    }

    #[test]
    fn planes_that_do_not_fit_are_refused() {
        assert!(Plane::new(&[0; 9], 4, 3, 3).is_none());
        assert!(Plane::new(&[0; 11], 4, 3, 3).is_some());
        assert!(Plane::new(&[0; 11], 2, 3, 3).is_none());
        assert!(Plane::new(&[], usize::MAX, 1, usize::MAX).is_none());
    }

    #[test]
    fn limited_range_white_and_black_become_full_range() {
        let luma = [16, 235, 16, 235];
        let chroma = [128];
        let planes = Planes {
            luma: Plane::new(&luma, 2, 2, 2).unwrap(),
            chroma: Some([Plane::new(&chroma, 1, 1, 1).unwrap(); 2]),
            full_range: false,
            bt709: true,
        };
        assert_eq!(Canvas::new(&planes, 100).data, [0, 255, 0, 255, 128, 128]);
    }

    #[test]
    fn colours_keep_across_matrices() {
        // Pure red in full-range BT.709: Y 54, Cb 99, Cr 255; in BT.601: Y 76, Cb 85, Cr 255.
        let luma = [54; 4];
        let planes = Planes {
            luma: Plane::new(&luma, 2, 2, 2).unwrap(),
            chroma: Some([Plane::new(&[99], 1, 1, 1).unwrap(), Plane::new(&[255], 1, 1, 1).unwrap()]),
            full_range: true,
            bt709: true,
        };
        let canvas = Canvas::new(&planes, 100);
        for (sample, expected) in canvas.data.iter().zip([76, 76, 76, 76, 85, 255]) {
            assert!(sample.abs_diff(expected) <= 3, "{:?}", canvas.data);
        }
    }
}
