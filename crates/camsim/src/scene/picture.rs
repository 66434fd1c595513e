//! A YUV 4:2:0 picture and the few ways of painting on it.

/// Luma and chroma of one picture; width and height are even.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

/// A colour as the encoder sees it (BT.601, limited range).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Yuv(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// A colour as people say it.
pub(crate) const fn rgb(r: u8, g: u8, b: u8) -> Yuv {
    let (r, g, b) = (r as i32, g as i32, b as i32);
    Yuv(
        (16 + (66 * r + 129 * g + 25 * b) / 256) as u8,
        (128 + (-38 * r - 74 * g + 112 * b) / 256) as u8,
        (128 + (112 * r - 94 * g - 18 * b) / 256) as u8,
    )
}

impl Yuv {
    /// Lighter (`by` > 1) or darker.
    pub(crate) fn shade(self, by: f32) -> Yuv {
        Yuv((16.0 + (f32::from(self.0) - 16.0) * by).clamp(16.0, 235.0) as u8, self.1, self.2)
    }

    /// `share` of `other`, the rest of this.
    pub(crate) fn mix(self, other: Yuv, share: f32) -> Yuv {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share.clamp(0.0, 1.0)) as u8;
        Yuv(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

impl Picture {
    pub(crate) fn new(width: usize, height: usize, colour: Yuv) -> Picture {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        Picture {
            width,
            height,
            y: vec![colour.0; width * height],
            u: vec![colour.1; chroma],
            v: vec![colour.2; chroma],
        }
    }

    /// Paints pixels `from..to` of one row; whatever lies outside is cut.
    pub(crate) fn span(&mut self, row: i32, from: f32, to: f32, colour: Yuv) {
        let Ok(row) = usize::try_from(row) else { return };
        let (from, to) = (from.round().max(0.0) as usize, (to.round().max(0.0) as usize).min(self.width));
        if row >= self.height || from >= to {
            return;
        }
        let start = row * self.width;
        self.y[start + from..start + to].fill(colour.0);
        if row.is_multiple_of(2) || row + 1 == self.height {
            let start = row / 2 * (self.width / 2);
            let (from, to) = (from / 2, to.div_ceil(2).min(self.width / 2));
            if from < to {
                self.u[start + from..start + to].fill(colour.1);
                self.v[start + from..start + to].fill(colour.2);
            }
        }
    }

    pub(crate) fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Yuv) {
        for row in y.round() as i32..(y + height).round() as i32 {
            self.span(row, x, x + width, colour);
        }
    }

    /// A rectangle whose colour changes from top to bottom.
    pub(crate) fn gradient(&mut self, y: f32, height: f32, top: Yuv, bottom: Yuv) {
        let width = self.width as f32;
        for row in y.round() as i32..(y + height).round() as i32 {
            self.span(row, 0.0, width, top.mix(bottom, (row as f32 - y) / height.max(1.0)));
        }
    }

    pub(crate) fn ellipse(&mut self, x: f32, y: f32, rx: f32, ry: f32, colour: Yuv) {
        for row in (y - ry).floor() as i32..=(y + ry).ceil() as i32 {
            let d = (row as f32 + 0.5 - y) / ry;
            if d.abs() < 1.0 {
                let half = rx * (1.0 - d * d).sqrt();
                self.span(row, x - half, x + half, colour);
            }
        }
    }

    /// A filled polygon (even-odd rule).
    pub(crate) fn polygon(&mut self, points: &[(f32, f32)], colour: Yuv) {
        let top = points.iter().map(|p| p.1).fold(f32::MAX, f32::min).max(0.0);
        let bottom = points.iter().map(|p| p.1).fold(f32::MIN, f32::max).min(self.height as f32);
        for row in top.floor() as i32..bottom.ceil() as i32 {
            let at = row as f32 + 0.5;
            let mut crossings: Vec<f32> = points
                .iter()
                .zip(points.iter().cycle().skip(1))
                .filter(|(a, b)| (a.1 <= at) != (b.1 <= at))
                .map(|(a, b)| a.0 + (at - a.1) / (b.1 - a.1) * (b.0 - a.0))
                .collect();
            crossings.sort_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                self.span(row, pair[0], pair[1], colour);
            }
        }
    }

    /// A line of some width.
    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Yuv) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(0.001);
        let (nx, ny) = (-dy / length * width / 2.0, dx / length * width / 2.0);
        self.polygon(
            &[(from.0 + nx, from.1 + ny), (to.0 + nx, to.1 + ny), (to.0 - nx, to.1 - ny), (from.0 - nx, from.1 - ny)],
            colour,
        );
    }

    /// The picture made smaller by a whole factor, each pixel the mean of those it replaces.
    pub(crate) fn shrunk(&self, by: usize) -> Picture {
        let (width, height) = (self.width / by, self.height / by);
        Picture {
            width,
            height,
            y: shrink(&self.y, self.width, width, height, by),
            u: shrink(&self.u, self.width / 2, width / 2, height / 2, by),
            v: shrink(&self.v, self.width / 2, width / 2, height / 2, by),
        }
    }
}

fn shrink(from: &[u8], stride: usize, width: usize, height: usize, by: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height);
    let area = (by * by) as u16;
    let mut sums = vec![0u16; width * by];
    for rows in from.chunks_exact(stride * by).take(height) {
        sums.fill(area / 2);
        for row in rows.chunks_exact(stride) {
            for (sum, &sample) in sums.iter_mut().zip(row) {
                *sum += u16::from(sample);
            }
        }
        out.extend(
            sums.chunks_exact(by).map(|cell| ((cell.iter().sum::<u16>() - (by as u16 - 1) * (area / 2)) / area) as u8),
        );
    }
    out
}
