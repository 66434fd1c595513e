//! What is recorded in the field can be played again: the same states, the same effects.
#![allow(clippy::unwrap_used)]

use crate::sim::{
    S,
    script::{Plan, Scale},
};
use health::{
    Config,
    field_log::{Fault, Head, Line, Replay},
};

/// Plays a log to its end.
fn play(lines: &[String]) -> Result<Replay, Fault> {
    let mut replay = Replay::begin(serde_json::from_str(&lines[0]).unwrap())?;
    let mut effects = Vec::new();
    for line in &lines[1..] {
        replay.play(serde_json::from_str(line).unwrap(), &mut effects)?;
        effects.clear();
    }
    Ok(replay)
}

fn recorded(seed: u64) -> crate::sim::World {
    let plan = Plan::draw(seed, Scale { cameras: 20, length: 1500 * S, trouble: 1.0 });
    let mut w = plan.stage_recording(Config::default());
    w.run_to(plan.end);
    w
}

#[test]
fn what_was_recorded_in_trouble_gives_the_same_states_and_effects_again() {
    let mut restarts = 0;
    for seed in 0..40 {
        let w = recorded(seed);
        let logs = w.recorded.as_ref().unwrap();
        restarts += logs.len() - 1;
        for (n, log) in logs.iter().enumerate() {
            let played = play(log).unwrap_or_else(|fault| panic!("seed {seed}, process {n}: {fault}"));
            assert_eq!(played.lines(), log.len() as u64);
            if n + 1 == logs.len() {
                let (is, was) = (played.core().board(played.now()), w.fleet.board(played.now()));
                assert_eq!(format!("{is:?}"), format!("{was:?}"), "seed {seed}");
            }
        }
    }
    assert!(restarts > 5, "restarts are recorded as well: {restarts}");
}

#[test]
fn no_address_and_no_account_is_in_a_log() {
    let w = recorded(3);
    for line in w.recorded.unwrap().concat() {
        for secret in ["10.0.0.", "rtsp://", "pass0", "admin", "camera 1", "village"] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}

#[test]
fn what_was_altered_or_cut_is_told_with_its_line() {
    let log = recorded(3).recorded.unwrap().remove(0);
    let at = log.iter().position(|line| line.contains("\"opened\"") && line.contains("\"f\"")).unwrap();
    let altered = log[at].replace("\"opened\"", "\"opend\"");
    assert!(serde_json::from_str::<Line>(&altered).is_err(), "what is not known is not guessed");
    let mut left_out = log.clone();
    left_out.remove(at);
    assert!(matches!(play(&left_out), Err(Fault::Differs { .. })));
    let mut otherwise = log.clone();
    let hash = otherwise[at].rfind("\"f\":\"").unwrap() + 5;
    let digit = if otherwise[at].as_bytes()[hash] == b'0' { "1" } else { "0" };
    otherwise[at].replace_range(hash..=hash, digit);
    assert_eq!(play(&otherwise).unwrap_err(), Fault::Differs { line: at as u64 + 1 });
    for nonsense in ["", "{}", "[]", "\u{0}", "{\"sharpeyes_field_log\":1}", &log[1]] {
        assert!(serde_json::from_str::<Head>(nonsense).is_err(), "{nonsense}");
    }
    let next = log[0].replace("\"sharpeyes_field_log\":1", "\"sharpeyes_field_log\":9");
    assert_eq!(play(&[next]).unwrap_err(), Fault::Form(9));
}
