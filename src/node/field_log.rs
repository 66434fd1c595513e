//! Keeps the core's field log, if the config file asks for it: compressed, to a size, and never in anybody's way.
//!
//! The owner hands lines over and goes on; a thread of its own writes. A log with a hole could not be played, so when the
//! disk does not keep up or the size is reached, it ends there, and says so. Each start begins a new one (the core is
//! another), the newest two are kept. `sharpeyes replay` plays one; the form is described in `health::field_log`.

use flate2::{Compression, write::GzEncoder};
use fleet::Now;
use health::{Config, Effect, Event, Resumed, field_log::Writer};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Folder of the logs, within the node's.
pub(super) const FOLDER: &str = "field-log";
/// Logs that are kept, the running one included.
const KEPT: usize = 2;
/// Lines on their way to the disk.
const WAITING: usize = 20_000;
/// What is lost at most when the process is killed.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// The running log.
pub(super) struct FieldLog {
    writer: Writer,
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl FieldLog {
    /// Begins a log of the core that is made of the same, of at most `most` bytes.
    pub(super) fn begin(
        data: &Path,
        most: u64,
        config: &Config,
        seed: u64,
        resumed: &Resumed,
        now: Now,
    ) -> io::Result<FieldLog> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder)?;
        make_room(&folder)?;
        let path = folder.join(format!("{}.jsonl.gz", now.wall.0));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let (writer, first) = Writer::begin(config, seed, resumed, now);
        let (lines, waiting) = sync_channel(WAITING);
        let mut out = Out { file: GzEncoder::new(Counted { file, bytes: 0 }, Compression::fast()), most };
        out.line(&serde_json::to_string(&first)?)?;
        let thread = std::thread::Builder::new().name("field-log".into()).spawn(move || write(out, &waiting, &path))?;
        Ok(FieldLog { writer, lines: Some(lines), thread: Some(thread) })
    }

    /// Takes in an event and what came of it.
    pub(super) fn record(&mut self, event: &Event, now: Now, effects: &[Effect]) {
        let Some(lines) = &self.lines else { return };
        let line = serde_json::to_string(&self.writer.line(event, now, effects)).unwrap_or_default();
        if lines.try_send(line).is_err() {
            tracing::warn!("the field log ends here: it is full, or the disk does not keep up");
            self.lines = None;
        }
    }
}

impl Drop for FieldLog {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Removes the oldest logs, so that with the next there are no more than are kept.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "gz"))
        .collect();
    // Their names are times of the same number of digits.
    logs.sort();
    let room = logs.len().saturating_sub(KEPT - 1);
    logs.iter().take(room).try_for_each(fs::remove_file)
}

struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buffer)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Out {
    file: GzEncoder<Counted>,
    most: u64,
}

impl Out {
    fn line(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(line.as_bytes())?;
        self.file.write_all(b"\n")
    }

    fn is_full(&self) -> bool {
        self.file.get_ref().bytes >= self.most
    }
}

/// Writes until nobody has anything to write, the log is full or the disk fails.
fn write(mut out: Out, lines: &Receiver<String>, path: &Path) {
    let mut flushed = Instant::now();
    let done: io::Result<()> = loop {
        let left = FLUSH_EVERY.saturating_sub(flushed.elapsed());
        let step = match lines.recv_timeout(left) {
            Ok(line) => out.line(&line),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
        };
        let step = step.and_then(|()| {
            if flushed.elapsed() < FLUSH_EVERY {
                return Ok(());
            }
            flushed = Instant::now();
            out.file.flush()
        });
        if step.is_err() || out.is_full() {
            break step;
        }
    };
    if let Err(error) = done.and_then(|()| out.file.try_finish()) {
        tracing::warn!(%error, file = %path.display(), "the field log ends here");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::MultiGzDecoder;
    use health::{Fleet, field_log::Replay};
    use std::io::Read as _;

    fn logs(data: &Path) -> Vec<PathBuf> {
        let mut logs: Vec<_> = fs::read_dir(data.join(FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
        logs.sort();
        logs
    }

    fn at(ms: i64) -> Now {
        Now { mono: fleet::Mono(3_600_000_000_000 + ms as u64 * 1_000_000), wall: fleet::Wall(1_760_000_000_000 + ms) }
    }

    /// A core that ticks for so long, with its log.
    fn run(data: &Path, most: u64, ticks: i64, begun: i64) {
        let (config, resumed) = (Config::default(), Resumed::default());
        let mut core = Fleet::new(config.clone(), 7, resumed.clone(), at(begun));
        let mut log = FieldLog::begin(data, most, &config, 7, &resumed, at(begun)).unwrap();
        for tick in 0..ticks {
            let (now, mut effects) = (at(begun + tick * 250), Vec::new());
            core.on(Event::Tick, now, &mut effects);
            log.record(&Event::Tick, now, &effects);
        }
    }

    #[test]
    fn a_log_is_played_as_it_was_recorded_and_old_ones_go() {
        let data = tempfile::tempdir().unwrap();
        for start in 0..4 {
            run(data.path(), 1 << 20, 1000, start * 1_000_000);
        }
        let kept = logs(data.path());
        assert_eq!(kept.len(), KEPT);
        let mut text = String::new();
        MultiGzDecoder::new(File::open(&kept[1]).unwrap()).read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let mut replay = Replay::begin(serde_json::from_str(lines.next().unwrap()).unwrap()).unwrap();
        lines.for_each(|line| replay.play(serde_json::from_str(line).unwrap(), &mut Vec::new()).unwrap());
        assert_eq!((replay.lines(), replay.now()), (1001, at(3_000_000 + 999 * 250)));
    }

    #[test]
    fn a_log_that_is_full_ends_and_is_whole_up_to_there() {
        let data = tempfile::tempdir().unwrap();
        run(data.path(), 4096, 200_000, 0);
        let log = &logs(data.path())[0];
        assert!(fs::metadata(log).unwrap().len() < 200_000, "{}", fs::metadata(log).unwrap().len());
        let mut text = String::new();
        MultiGzDecoder::new(File::open(log).unwrap()).read_to_string(&mut text).unwrap();
        assert!(text.ends_with("}\n") && text.lines().count() > 10);
    }
}
