//! From coded pictures to findings: faults are found, good scenes are left alone.

use crate::Test;

pub(crate) const TESTS: &[Test] = &[];
