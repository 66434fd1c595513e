//! What came out: confusion, precision, recall and F1 by class, false alarms.

use crate::{camera::Condition, faults::Severity};
use fleet::Cause;
use picture::Finding;
use std::collections::BTreeMap;

/// What a case shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truth {
    Fault(Cause),
    Good(Condition),
}

/// One case and what was told of it.
pub(crate) struct Case {
    pub(crate) place: String,
    pub(crate) real: bool,
    pub(crate) truth: Truth,
    pub(crate) light: Condition,
    pub(crate) severity: Severity,
    /// The verdict: the worst finding after the last picture.
    pub(crate) told: Option<Finding>,
    /// Figures of the last picture.
    pub(crate) last: String,
}

impl Case {
    fn is_right(&self) -> bool {
        match self.truth {
            Truth::Fault(cause) => self.cause() == Some(cause),
            Truth::Good(_) => self.told.is_none(),
        }
    }

    fn cause(&self) -> Option<Cause> {
        self.told.as_ref().map(|f| f.cause)
    }
}

/// The classes with the F1 that is aimed at.
pub(crate) const CLASSES: [(Cause, f64); 10] = [
    (Cause::PictureBlack, 0.95),
    (Cause::PictureFrozen, 0.95),
    (Cause::PictureCovered, 0.95),
    (Cause::PictureColourCast, 0.95),
    (Cause::PictureStripes, 0.95),
    (Cause::PictureBlurred, 0.90),
    (Cause::PictureTooDark, 0.90),
    (Cause::PictureTooBright, 0.90),
    (Cause::PictureNoise, 0.90),
    (Cause::SceneMoved, 0.90),
];

/// Figures of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
    pub(crate) cases: usize,
}

pub(crate) fn of(cases: &[Case], cause: Cause) -> Figures {
    let right = cases.iter().filter(|c| c.truth == Truth::Fault(cause) && c.is_right()).count() as f64;
    let told = cases.iter().filter(|c| c.cause() == Some(cause)).count() as f64;
    let all = cases.iter().filter(|c| c.truth == Truth::Fault(cause)).count();
    let (precision, recall) = (right / told.max(1.0), right / (all as f64).max(1.0));
    let f1 = if right > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    Figures { precision, recall, f1, cases: all }
}

/// Prints the table of classes; the names of those below their aim.
pub(crate) fn print(cases: &[Case]) -> Vec<String> {
    println!(
        "{:<22} {:>6} {:>10} {:>7} {:>7} {:>5}  found by severity (day | night)",
        "class", "cases", "precision", "recall", "F1", "aim"
    );
    let mut below = Vec::new();
    for (cause, aim) in CLASSES {
        let f = of(cases, cause);
        let share = |severity: Severity, night: bool| {
            let those: Vec<&Case> = cases
                .iter()
                .filter(|c| c.truth == Truth::Fault(cause) && c.severity == severity && c.light.is_night() == night)
                .collect();
            if those.is_empty() {
                "–".to_owned()
            } else {
                format!("{:.0}%", 100.0 * those.iter().filter(|c| c.is_right()).count() as f64 / those.len() as f64)
            }
        };
        let by = |night| Severity::ALL.map(|s| share(s, night)).join(" ");
        let mark = if f.f1 < aim { "  below its aim" } else { "" };
        println!(
            "{:<22} {:>6} {:>10.3} {:>7.3} {:>7.3} {:>5.2}  {} | {}{mark}",
            cause.code(),
            f.cases,
            f.precision,
            f.recall,
            f.f1,
            aim,
            by(false),
            by(true)
        );
        if f.f1 < aim {
            below.push(format!("{} F1 {:.3} of {aim}", cause.code(), f.f1));
        }
    }
    let good: Vec<&Case> = cases.iter().filter(|c| matches!(c.truth, Truth::Good(_))).collect();
    let wrong = good.iter().filter(|c| !c.is_right()).count();
    println!("good pictures: {} cases under {} conditions, {wrong} told as a fault", good.len(), Condition::ALL.len());
    below
}

/// Prints which class was told for which.
pub(crate) fn print_confusion(cases: &[Case]) {
    println!("\nconfusion (rows: what it was; columns: what was told)");
    let short = |cause: Cause| cause.code().trim_start_matches("picture_").chars().take(9).collect::<String>();
    let columns: Vec<Option<Cause>> =
        CLASSES.iter().map(|(c, _)| Some(*c)).chain([Some(Cause::SamePicture), None]).collect();
    print!("{:<11}", "");
    for column in &columns {
        print!("{:>10}", column.map_or("good".to_owned(), short));
    }
    println!();
    let rows = CLASSES.iter().map(|(c, _)| Some(*c)).chain([None]);
    for row in rows {
        print!("{:<11}", row.map_or("good".to_owned(), short));
        for column in &columns {
            let count = cases
                .iter()
                .filter(|c| match c.truth { Truth::Fault(cause) => Some(cause), Truth::Good(_) => None } == row && c.cause() == *column)
                .count();
            print!("{count:>10}");
        }
        println!();
    }
}

/// Prints every case that was judged wrongly, with its figures.
pub(crate) fn print_wrong(cases: &[Case]) {
    println!();
    for case in cases.iter().filter(|c| !c.is_right()) {
        let told = case.told.as_ref().map_or("good".to_owned(), |f| format!("{} ({})", f.cause.code(), f.detail));
        println!(
            "{:?} {:?} {:?} at {}{}: told {told}; {}",
            case.truth,
            case.severity,
            case.light,
            case.place,
            if case.real { "" } else { " " },
            case.last
        );
    }
}

/// False alarms in good footage.
#[derive(Default)]
pub(crate) struct Alarms {
    pub(crate) checks: u64,
    pub(crate) told: Vec<String>,
}

impl Alarms {
    /// Adds those of another place.
    pub(crate) fn add(&mut self, other: Alarms) {
        self.checks += other.checks;
        self.told.extend(other.told);
    }

    pub(crate) fn print(&self) -> f64 {
        let days = self.checks as f64 / 1440.0;
        let count = self.told.len() as f64;
        // Upper end of the 95 % interval of a Poisson count (Garwood 1936; Wilson and Hilferty 1931).
        let n = count + 1.0;
        let upper = n * (1.0 - 1.0 / (9.0 * n) + 1.645 / (3.0 * n.sqrt())).powi(3);
        println!(
            "\ngood footage: {} checks, {days:.1} camera-days at a check a minute: {count} false alarms, {:.2} in 100 camera-days (at most {:.1} with 95 % confidence)",
            self.checks,
            count / days * 100.0,
            upper / days * 100.0
        );
        let mut by_class: BTreeMap<&str, u32> = BTreeMap::new();
        for line in &self.told {
            println!("  {line}");
            *by_class
                .entry(line.split(": ").nth(1).and_then(|l| l.split(' ').next()).unwrap_or_default())
                .or_default() += 1;
        }
        if !by_class.is_empty() {
            println!("  by class: {by_class:?}");
        }
        count / days * 100.0
    }
}
