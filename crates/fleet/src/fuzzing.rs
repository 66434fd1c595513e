//! The import of the register behind one door: for a fuzzer, and for a short run with mutations in the tests. The door
//! panics if what must hold of any file does not.
//!
//! Longer: `cd crates/fleet/fuzz && cargo +nightly fuzz run csv`.

use crate::{
    Registry, Wall,
    import::{Outcome, plan, to_csv},
};

/// Any bytes as a register: refused as a whole, or planned row by row. What was taken can be written out, and read
/// again it changes nothing.
pub fn csv(data: &[u8]) {
    let Ok(first) = plan(data, &Registry::default(), Wall(1)) else { return };
    for fault in first.rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Rejected { faults } => Some(faults),
        _ => None,
    }) {
        assert!(!fault.is_empty(), "a row is rejected without a word");
        assert!(fault.iter().all(|f| f.value.chars().count() <= 81), "a value is told at full length");
    }
    let registry = first.apply(&Registry::default());
    let again = plan(to_csv(&registry).as_bytes(), &registry, Wall(2)).expect("our own file can be read");
    for row in &again.rows {
        assert_eq!(row.outcome, Outcome::Unchanged, "{row:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEEDS: [&str; 3] = [
        "乡镇,点位所属,所属类型,摄像机名称,国标编码,主码流地址,用户名,密码,链路,OLT\n柳溪镇,河东村,建制村,村口,43022301001320000001,rtsp://10.1.1.1/1,admin,geheim,河东链路,OLT-1\n柳溪镇,河东村,建制村,\"桥,头\",,rtsp://10.1.1.2/1,admin,geheim,河东链路,OLT-1\n",
        "name;site;main_url;sub_url;transport;sessions;quirks\r\n村口;河东村;rtsp://u:p@10.1.1.1:554/a?x=1;rtsp://10.1.1.1/b;udp;2;keepalive=none\r\n\r\n桥头;河东村;rtsp://[fd00::1]/c;;tcp;;\r\n",
        "\u{feff}name\tsite\tmain_url\tlongitude\tlatitude\nA\tB\trtsp://10.0.0.1/\t112.5\t27.9\n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn mutations_of_a_register_break_nothing(
            seed in 0..SEEDS.len(),
            edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0..5_u8, any::<u8>()), 0..12),
        ) {
            let mut data = SEEDS[seed].as_bytes().to_vec();
            for (at, kind, value) in edits {
                let at = at.index(data.len().max(1)).min(data.len());
                let end = (at + usize::from(value % 24)).min(data.len());
                match kind {
                    0 => data.splice(at..at, [b"\"\"", b",;", b"\n,", b"\t:", b"//"][usize::from(value) % 5].iter().copied()).for_each(drop),
                    1 => data.splice(at..at, [value]).for_each(drop),
                    2 => data.drain(at..end).for_each(drop),
                    3 => {
                        let piece = data[at..end].to_vec();
                        data.extend(piece);
                    }
                    _ => if let Some(byte) = data.get_mut(at) { *byte = value },
                }
            }
            csv(&data);
        }
    }
}
