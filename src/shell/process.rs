//! One client at work: its file, its end, and its last words.

use super::Client;
use anyhow::anyhow;
use rustix::process::{Pid, Signal};
use std::{
    fs,
    future::Future,
    io::{self, Write as _},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Mutex,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

/// How much of the client's last words is kept.
const TAIL: usize = 4096;
/// How long a client that was told to end may take before it is told more firmly.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a client ended, if not well.
#[derive(Debug)]
pub enum Ended {
    /// By itself, or it could not be started; its last words.
    Failed(anyhow::Error),
    /// Told to stop.
    Stopped,
}

/// Runs a file with its client, and waits for its end. `text` is what the file must hold: where the project's file is not that (another
/// checkout, a template, a rollback from the ledger), a copy of the text is run. `keep` is held open by the client, and so outlives this
/// process with it; it takes the place of standard input where the file is not read from there.
///
/// Once `stop` ends, so does the client.
///
/// # Errors
/// [`Ended::Failed`] where it can't be started or ends with anything but 0, with its last words and no secret; [`Ended::Stopped`].
pub async fn run(
    client: &Client,
    text: &str,
    keep: Option<fs::File>,
    stop: impl Future<Output = ()>,
) -> Result<(), Ended> {
    let failed = Ended::Failed;
    let own = client.project.join(&client.file);
    let copy = if holds(client, &own, text) { None } else { Some(copied(client, text).map_err(failed)?) };
    let path = copy.as_ref().map_or(own, |copy| copy.path().to_owned());
    let (args, named) = client.args(&path);
    let input = if named {
        keep.map_or_else(Stdio::null, Stdio::from)
    } else {
        fs::File::open(&path).map(Stdio::from).map_err(|error| failed(error.into()))?
    };
    let mut command = Command::new(&client.program);
    command.args(args).stdin(input);
    work(client, command, TAIL, stop).await.map(drop)
}

/// Runs a client that reads no file, and gives what it prints.
///
/// # Errors
/// As [`run`]'s.
pub async fn output(client: &Client, stop: impl Future<Output = ()>) -> Result<String, Ended> {
    let mut command = Command::new(&client.program);
    command.args(client.args(Path::new("")).0).stdin(Stdio::null());
    work(client, command, usize::MAX, stop).await
}

/// Runs a client to its end; gives the last of what it printed, up to `keep` bytes.
async fn work(
    client: &Client,
    mut command: Command,
    keep: usize,
    stop: impl Future<Output = ()>,
) -> Result<String, Ended> {
    let failed = Ended::Failed;
    command.current_dir(&client.project).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in client.unset {
        command.env_remove(name);
    }
    command.envs(client.vars.iter().map(|(name, value)| (*name, value.reveal())));
    let mut child =
        command.spawn().map_err(|error| failed(anyhow!("{} can't be started: {error}", client.program.display())))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (said, moaned) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (status, stopped) = {
        let words = async { tokio::join!(tail(out, &said, keep), tail(err, &moaned, TAIL)) };
        let end = ended(&mut child, stop);
        tokio::pin!(words, end);
        tokio::select! {
            end = &mut end => {
                // A child of its own may hold the streams open for longer.
                let _ = tokio::time::timeout(Duration::from_secs(1), words).await;
                end
            }
            _ = &mut words => end.await,
        }
    };
    let (out, err) = (text_of(&said), text_of(&moaned));
    let status = status.map_err(|error| failed(error.into()))?;
    if status.success() {
        return Ok(out);
    }
    if stopped {
        return Err(Ended::Stopped);
    }
    let words = if err.trim().is_empty() { out } else { err };
    let words = client
        .secrets
        .iter()
        .filter(|secret| !secret.reveal().is_empty())
        .fold(words, |words, secret| words.replace(secret.reveal(), "***"));
    let program = client.program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Err(failed(anyhow!("{program} ended with {status}: {}", words.trim())))
}

/// Waits for the end; once told to stop, tells the client: first as Ctrl-C does, so that it cancels what its server does.
async fn ended(child: &mut Child, stop: impl Future<Output = ()>) -> (io::Result<ExitStatus>, bool) {
    tokio::select! {
        status = child.wait() => return (status, false),
        () = stop => {}
    }
    for signal in [Signal::INT, Signal::TERM] {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = rustix::process::kill_process(pid, signal)
        {
            tracing::debug!(%error, "the client is gone");
        }
        if let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await {
            return (status, true);
        }
    }
    if let Err(error) = child.start_kill() {
        tracing::debug!(%error, "the client is gone");
    }
    (child.wait().await, true)
}

/// All that a stream says, its end kept.
async fn tail(stream: Option<impl tokio::io::AsyncRead + Unpin>, kept: &Mutex<Vec<u8>>, most: usize) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        if let Ok(mut kept) = kept.lock() {
            kept.extend_from_slice(&buffer[..n]);
            let over = kept.len().saturating_sub(most);
            kept.drain(..over);
        }
    }
}

fn text_of(kept: &Mutex<Vec<u8>>) -> String {
    kept.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned()).unwrap_or_default()
}

/// Whether the project's own file is there, inside the project, and holds the text.
fn holds(client: &Client, own: &Path, text: &str) -> bool {
    let inside = || own.canonicalize().ok()?.starts_with(client.project.canonicalize().ok()?).then_some(());
    inside().is_some() && fs::read(own).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// The text in a file of its own, which only this user can read, and which goes with its guard.
fn copied(client: &Client, text: &str) -> anyhow::Result<tempfile::NamedTempFile> {
    let suffix = client.file.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    let mut copy = tempfile::Builder::new().prefix("triphase-").suffix(&suffix).tempfile()?;
    copy.write_all(text.as_bytes())?;
    copy.flush()?;
    Ok(copy)
}
