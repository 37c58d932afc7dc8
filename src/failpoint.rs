//! Points at which the kill sweep stops the binary. Without the `failpoints` feature nothing is left of them.

/// A point that can be counted and killed at. `name` says what was last done, as `after commit`.
#[cfg(feature = "failpoints")]
pub fn point(name: &str) {
    use std::{
        io::Write as _,
        sync::atomic::{AtomicU64, Ordering},
    };
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let n = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = std::env::var_os("TRIPHASE_FAILPOINT_LOG")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        // The sweep reads what it can; a line that could not be written is a point it does not try.
        let _ = writeln!(file, "{n} {name}");
    }
    pause(name);
    if std::env::var("TRIPHASE_FAILPOINT").ok().and_then(|at| at.parse::<u64>().ok()) == Some(n) {
        // SIGKILL, not abort: no destructor, no flush, as when the machine goes.
        let _ = std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
        loop {
            std::thread::park();
        }
    }
}

/// Waits where a race is staged: at each point that `TRIPHASE_PAUSE_AT` names (several with commas between them, `*`: at all), the file
/// `<n>.met` says so in the folder `TRIPHASE_PAUSE_IN`, and the run goes on once `<n>.go` lies beside it.
#[cfg(feature = "failpoints")]
fn pause(name: &str) {
    use std::{
        path::Path,
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };
    static MET: AtomicU64 = AtomicU64::new(0);
    let Some(folder) = std::env::var_os("TRIPHASE_PAUSE_IN") else { return };
    if !std::env::var("TRIPHASE_PAUSE_AT").is_ok_and(|at| at.split(',').any(|one| one == name || one == "*")) {
        return;
    }
    let n = MET.fetch_add(1, Ordering::SeqCst) + 1;
    let file = |kind: &str| Path::new(&folder).join(format!("{n}.{kind}"));
    if std::fs::write(file("met"), name).is_ok() {
        while !file("go").exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A point that can be counted and killed at.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn point(_name: &str) {}
