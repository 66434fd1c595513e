//! The simulator as a child process, and its troubles as the dashboard's demo panel.

use crate::{
    cli::sim::{Ask, Told},
    node,
    output::Failure,
};
use camsim::{Fault, Target};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};
use web::{ActiveFault, DemoError, DemoFault, DemoTarget};

/// Rendering every scene on a slow machine takes minutes.
const START_WITHIN: Duration = Duration::from_secs(900);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A running simulator. One question at a time.
pub(super) struct Control(Mutex<Line>);

struct Line {
    child: Child,
    /// The simulator ends when this is closed, whatever becomes of us.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Control {
    /// Starts the simulator and waits until its cameras answer.
    pub(super) async fn start(config: &camsim::Config, progress: impl Fn(usize, usize)) -> Result<Control, Failure> {
        let mut child = Command::new(node::own_program()?)
            .arg("sim")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            // Ctrl-C is for us: we end the simulator after our own sessions.
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::work(format!("cannot start the simulator: {e}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::work("cannot talk to the simulator"));
        };
        let mut line = Line { child, input: Some(input), output: BufReader::new(output).lines() };
        let ready = async {
            line.say(config).await.map_err(Failure::work)?;
            loop {
                match line.hear().await.map_err(Failure::work)? {
                    Told::Rendering { done, of } => progress(done, of),
                    Told::Ready => return Ok(()),
                    Told::Failed { why } => return Err(Failure::setup(format!("cameras cannot be simulated: {why}"))),
                    _ => return Err(Failure::work("the simulator answered out of turn")),
                }
            }
        };
        tokio::time::timeout(START_WITHIN, ready)
            .await
            .map_err(|_| Failure::work("the simulator did not start in time"))??;
        Ok(Control(Mutex::new(line)))
    }

    /// Ends the simulator.
    pub(super) async fn end(&self, within: Duration) {
        let mut line = self.0.lock().await;
        line.input.take();
        if tokio::time::timeout(within, line.child.wait()).await.is_err() {
            let _ = line.child.kill().await;
        }
    }

    async fn ask(&self, ask: &Ask) -> Result<Told, DemoError> {
        let mut line = self.0.lock().await;
        let answer = async {
            line.say(ask).await?;
            line.hear().await
        };
        tokio::time::timeout(ANSWER_WITHIN, answer)
            .await
            .map_err(|_| DemoError::Failed("the simulator does not answer".into()))?
            .map_err(DemoError::Failed)
    }
}

impl Line {
    async fn say(&mut self, what: &impl serde::Serialize) -> Result<(), String> {
        let mut text = serde_json::to_vec(what).map_err(|e| e.to_string())?;
        text.push(b'\n');
        let input = self.input.as_mut().ok_or("the simulator has ended")?;
        input.write_all(&text).await.map_err(|e| format!("the simulator has ended: {e}"))?;
        input.flush().await.map_err(|e| format!("the simulator has ended: {e}"))
    }

    async fn hear(&mut self) -> Result<Told, String> {
        let line = self.output.next_line().await.map_err(|e| e.to_string())?;
        let line = line.ok_or("the simulator ended; its message stands above")?;
        serde_json::from_str(&line).map_err(|e| format!("the simulator said something else than expected: {e}"))
    }
}

#[async_trait::async_trait]
impl web::Demo for Control {
    async fn faults(&self) -> Vec<DemoFault> {
        Fault::ALL
            .iter()
            .map(|fault| {
                let (zh, en) = fault.text();
                DemoFault { code: fault.code().into(), zh: zh.into(), en: en.into() }
            })
            .collect()
    }

    async fn active(&self) -> Result<Vec<ActiveFault>, DemoError> {
        match self.ask(&Ask::Active).await? {
            Told::Active { faults } => Ok(faults
                .into_iter()
                .map(|(target, fault)| ActiveFault { target: shown(target), fault: fault.code().into() })
                .collect()),
            _ => Err(DemoError::Failed("the simulator answered out of turn".into())),
        }
    }

    async fn set(&self, target: DemoTarget, fault: &str, on: bool) -> Result<(), DemoError> {
        let fault =
            Fault::from_code(fault).ok_or_else(|| DemoError::Invalid(format!("no fault is called {fault:?}")))?;
        match self.ask(&Ask::Set { target: meant(target), fault, on }).await? {
            Told::Done => Ok(()),
            Told::Refused { why } => Err(DemoError::Invalid(why)),
            _ => Err(DemoError::Failed("the simulator answered out of turn".into())),
        }
    }
}

fn meant(target: DemoTarget) -> Target {
    match target {
        DemoTarget::Camera(id) => Target::Camera(id.0),
        DemoTarget::Site(id) => Target::Site(id.0),
        DemoTarget::Uplink(id) => Target::Uplink(id.0),
        DemoTarget::All => Target::All,
    }
}

fn shown(target: Target) -> DemoTarget {
    match target {
        Target::Camera(id) => DemoTarget::Camera(fleet::CameraId(id)),
        Target::Site(id) => DemoTarget::Site(fleet::SiteId(id)),
        Target::Uplink(id) => DemoTarget::Uplink(fleet::UplinkId(id)),
        Target::All => DemoTarget::All,
    }
}
