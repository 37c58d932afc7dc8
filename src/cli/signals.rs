//! SIGINT and SIGTERM tell a run to stop (rule X4).

use crate::engine::Stop;
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Catches both from now on. They are waited for on a thread of their own: the run's thread may be asking a person.
///
/// # Errors
/// Where the handlers or the thread can't be had.
pub fn catch() -> io::Result<Stop> {
    let (sender, stop) = Stop::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                let number = tokio::select! {
                    Some(()) = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
                    Some(()) = terminate.recv() => SignalKind::terminate().as_raw_value(),
                    else => return,
                };
                if sender.send(Some(number)).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(stop)
}
