//! What is measured on a picture. Small enough to keep and to send for every keyframe.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Columns of the grids in [`Features`].
pub const GRID_COLUMNS: usize = 32;
/// Rows of the grids in [`Features`].
pub const GRID_ROWS: usize = 18;
/// Cells of the grids in [`Features`].
pub const GRID_CELLS: usize = GRID_COLUMNS * GRID_ROWS;

/// A decoded keyframe: its size, a thumbnail and what was measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Assessment {
    /// Width of the decoded picture in pixels.
    pub width: u32,
    /// Height of the decoded picture in pixels.
    pub height: u32,
    /// JPEG of [`Config::thumbnail_width`](crate::Config::thumbnail_width) pixels, or of the picture's width if smaller.
    pub thumbnail: Bytes,
    /// What was measured.
    pub features: Features,
}

/// What was measured on one picture. Luma is full range: 0 black to 255 white. About 7 KB.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Features {
    /// Width of the picture in pixels.
    pub width: u16,
    /// Height of the picture in pixels.
    pub height: u16,
    /// Mean luma.
    pub mean: f32,
    /// Standard deviation of luma.
    pub deviation: f32,
    /// Luma below which 1, 5, 25, 50, 75, 95 and 99 % of the pixels are.
    pub percentiles: [u8; 7],
    /// Share of pixels with luma below 30, 0 to 1.
    pub dark: f32,
    /// Share of pixels with luma above 225, 0 to 1.
    pub bright: f32,
    /// Variance of the Laplacian on half-size luma (Pech-Pacheco et al. 2000), median over the better half of a 4×4 tiling.
    pub sharpness: f32,
    /// Standard deviation of noise on full-size luma (Immerkær 1996), in luma steps, measured where the picture is smooth.
    pub noise: f32,
    /// Mean of Cb and Cr about neutral, −128 to 127.
    pub chroma: [f32; 2],
    /// Standard deviation of Cb and Cr.
    pub chroma_deviation: [f32; 2],
    /// Mean distance of chroma from neutral: 0 for a grey picture (infrared night).
    pub saturation: f32,
    /// Strength of horizontal stripes: how much rows differ from their neighbours against the same across columns, in luma steps.
    pub row_stripes: f32,
    /// Strength of vertical stripes, in luma steps.
    pub column_stripes: f32,
    /// Share of cells without texture, 0 to 1.
    pub flat: f32,
    /// How much the steps across the borders of 8×8 blocks exceed the steps inside them, in luma steps.
    pub blockiness: f32,
    /// Perceptual hash: gradient signs of an 8×8 reduction. Near pictures differ in few bits.
    pub hash: u64,
    /// Mean luma ×256 of each cell, row by row, [`GRID_COLUMNS`]×[`GRID_ROWS`].
    pub luma: Vec<u16>,
    /// Mean gradient ×16 of each cell, at most 255: where the edges are.
    pub edges: Vec<u8>,
    /// Standard deviation of the Laplacian on half-size luma in each cell, in eighths of a luma step: 8 and less is flat.
    pub detail: Vec<u8>,
    /// Noise by Immerkær 1996 in each cell, in eighths of a luma step; texture counts too.
    pub grain: Vec<u8>,
    /// As [`blockiness`](Self::blockiness), of each cell, in eighths of a luma step.
    pub blocks: Vec<u8>,
    /// Mean of Cb and Cr of each cell about neutral.
    pub tint: Vec<[i8; 2]>,
    /// Strongest jump of a line right across the picture in each row of cells, in eighths of a luma step.
    pub row_marks: Vec<u8>,
    /// The same of each column of cells.
    pub column_marks: Vec<u8>,
    /// Checksum of every cell's pixels at full size: equal if and only if (but for 1 in 2³²) the cell is bit-identical.
    pub checks: Vec<u32>,
}

impl Features {
    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Sharpness for its contrast: the same scene in fog or at dusk keeps it, a scene out of focus does not.
    #[must_use]
    pub fn acuity(&self) -> f32 {
        self.sharpness / (self.deviation * self.deviation).max(1.0)
    }
}
