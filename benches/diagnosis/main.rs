//! How good the diagnosis is, and what it costs: `./task evaluate`, see the README.
//!
//! Every picture goes the whole way: coded as H.264, decoded in the sandboxed worker, measured, judged against what the
//! camera learned. `--tune` shows the places on which thresholds may be tuned; without it only places that no threshold
//! has seen are reported. Run by `cargo test` it is a short form on rendered places that fails when a class gets worse.
#![allow(clippy::print_stdout)]

mod camera;
mod faults;
mod frame;
mod pairs;
mod run;
mod scenes;
mod score;

use faults::Severity;
use pairs::Pairs;
use run::Way;
use scenes::{Place, Split};
use score::{Alarms, Case};
use std::{
    collections::VecDeque,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinSet;

/// Places that are visited at a time: drawing, coding and decoding take turns.
const LANES: usize = 3;

/// What was asked for.
struct Asked {
    split: Split,
    /// Where the packages with photographs were unpacked.
    photographs: Option<PathBuf>,
    /// Pictures of one's own.
    pictures: Option<PathBuf>,
    /// Rendered places.
    rendered: u32,
    /// Camera-days of good footage.
    days: u64,
    wrong: bool,
    /// Cameras in their first minutes.
    young: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == "decode-worker") {
        return picture::run_worker();
    }
    if arguments.iter().any(|a| a == "--list") {
        println!("diagnosis: test");
        return ExitCode::SUCCESS;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if arguments.iter().any(|a| a == "--bench") {
        return match asked(&arguments) {
            Ok(asked) => runtime.block_on(evaluate(asked)),
            Err(why) => {
                eprintln!(
                    "{why}\nusage: ./task evaluate [--tune] [--days N] [--rendered N] [--pictures DIR] [--young] [--wrong]"
                );
                ExitCode::from(2)
            }
        };
    }
    // A filter of the whole test run that names something else.
    if arguments.iter().any(|a| !a.starts_with('-') && !"diagnosis".contains(a.as_str())) {
        return ExitCode::SUCCESS;
    }
    runtime.block_on(short())
}

fn asked(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked {
        split: Split::Report,
        photographs: None,
        pictures: None,
        rendered: 12,
        days: 100,
        wrong: false,
        young: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: &String| text.parse().map_err(|_| format!("{argument}: {text} is no number"));
        match argument.as_str() {
            "--bench" => {}
            "--tune" => asked.split = Split::Tune,
            "--photographs" => asked.photographs = Some(value()?.into()),
            "--pictures" => asked.pictures = Some(value()?.into()),
            "--rendered" => asked.rendered = number(value()?)?,
            "--days" => asked.days = number(value()?)?.into(),
            "--wrong" => asked.wrong = true,
            "--young" => asked.young = true,
            other => return Err(format!("{other}: unknown")),
        }
    }
    Ok(asked)
}

fn pool() -> picture::Pool {
    let time_limit = Duration::from_secs(60);
    let config = picture::Config { workers: 2, time_limit, ..picture::Config::default() };
    picture::Pool::start(config, std::env::current_exe().expect("this program has a path")).expect("the decoders start")
}

async fn evaluate(asked: Asked) -> ExitCode {
    let mut places = scenes::rendered(asked.split, asked.rendered);
    let mut missing = Vec::new();
    if let Some(folder) = &asked.photographs {
        let (found, not) = scenes::photographs(folder, asked.split);
        places.extend(found);
        missing.extend(not);
    }
    if let (Some(folder), Split::Report) = (&asked.pictures, asked.split) {
        let (found, not) = scenes::own(folder);
        places.extend(found);
        missing.extend(not);
    }
    let side = if asked.split == Split::Tune { "tuned on" } else { "never tuned on" };
    println!(
        "{} places {side}, {} of them photographs or clips:",
        places.len(),
        places.iter().filter(|p| p.real).count()
    );
    for package in &scenes::PACKAGES {
        println!("  {} ({}): {}", package.name, package.registry, package.licence);
    }
    for what in &missing {
        println!("  not there: {what}");
    }
    let age = if asked.young { "five minutes of one weather" } else { "a day and a night in changing weather" };
    println!("what each camera learned from before its faults: {age}");
    let Visited { way, cases, alarms, pairs } = visit(places, asked.young, &Severity::ALL, asked.days).await;
    println!();
    let mut below = score::print(&cases);
    score::print_confusion(&cases);
    if asked.wrong {
        score::print_wrong(&cases);
    }
    if pairs.print() {
        below.push("the same picture".to_owned());
    }
    let rate = alarms.print();
    if rate > 1.0 {
        below.push(format!("{rate:.1} false alarms in 100 camera-days, aim 1"));
    }
    print_cost(&way);
    if below.is_empty() {
        println!("\nevery aim is reached");
    } else {
        println!("\nnot reached: {}", below.join("; "));
    }
    way.pool.shutdown().await;
    ExitCode::SUCCESS
}

/// What came of it.
struct Visited {
    way: Way,
    cases: Vec<Case>,
    alarms: Alarms,
    pairs: Pairs,
}

/// Every case at every place, and days of good footage shared out over them; some places at a time.
async fn visit(places: Vec<Place>, young: bool, severities: &'static [Severity], days: u64) -> Visited {
    let (pool, count) = (pool(), places.len() as u64);
    let minutes = days * 1440 / count.max(1);
    let places = Arc::new(Mutex::new(places.into_iter().enumerate().collect::<VecDeque<_>>()));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (places, pool) = (Arc::clone(&places), pool.clone());
        lanes.spawn(async move {
            let mut all = Vec::new();
            loop {
                let Some((index, place)) = places.lock().expect("nobody panics").pop_front() else { break all };
                let (mut way, mut cases, mut alarms) = (Way::new(pool.clone()), Vec::new(), Alarms::default());
                let place = Arc::new(place);
                way.cases(&place, young, severities, &mut cases).await;
                let mut pairs = Pairs::default();
                way.pairs(&place, &mut pairs).await;
                // Each begins at another hour.
                let begin = index as u64 * 397 % 1440;
                way.footage(&place, begin..begin + minutes, &mut alarms).await;
                eprintln!("{} ({} of {count})", place.name, index + 1);
                all.push((index, Visited { way, cases, alarms, pairs }));
            }
        });
    }
    let mut all = lanes.join_all().await.into_iter().flatten().collect::<Vec<_>>();
    all.sort_by_key(|(index, _)| *index);
    let mut sum =
        Visited { way: Way::new(pool), cases: Vec::new(), alarms: Alarms::default(), pairs: Pairs::default() };
    for (_, Visited { way, cases, alarms, pairs }) in all {
        sum.way.add(&way);
        sum.cases.extend(cases);
        sum.alarms.add(alarms);
        sum.pairs.add(pairs);
    }
    sum
}

fn print_cost(way: &Way) {
    let stats = way.pool.stats();
    let pictures = stats.decoded.max(1) as f64;
    println!(
        "CPU for each picture of 640×360: {:.2} ms in the worker (decoding, measuring, thumbnail), {:.3} ms judging",
        stats.cpu.as_secs_f64() * 1000.0 / pictures,
        way.judging.as_secs_f64() * 1000.0 / way.judged.max(1) as f64
    );
}

/// Four places, the middle severity, some hours of footage: a class that gets much worse fails.
async fn short() -> ExitCode {
    println!("\nrunning 1 test");
    let places = scenes::rendered(Split::Tune, 4);
    let Visited { way, cases, alarms, pairs } = visit(places, false, &[Severity::Middle], 1).await;
    score::print(&cases);
    // Of so few cases one is much.
    let far = |(cause, aim): &(fleet::Cause, f64)| score::of(&cases, *cause).f1 < aim - 0.15;
    let below: Vec<&str> = score::CLASSES.iter().filter(|class| far(class)).map(|(cause, _)| cause.code()).collect();
    let confused = pairs.print();
    alarms.print();
    way.pool.shutdown().await;
    if below.is_empty() && alarms.told.is_empty() && !confused {
        println!("test diagnosis ... ok\n\ntest result: ok. 1 passed; 0 failed\n");
        return ExitCode::SUCCESS;
    }
    score::print_wrong(&cases);
    println!(
        "test diagnosis ... FAILED: {below:?}, {} false alarms, same pictures confused: {confused}",
        alarms.told.len()
    );
    ExitCode::FAILURE
}
