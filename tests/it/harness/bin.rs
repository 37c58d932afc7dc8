//! The real binary, run in a clean environment.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Run {
    /// The command line, for messages.
    pub line: String,
    /// Exit code; minus the signal's number where a signal ended it.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl Run {
    /// Everything it said.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code of `{}`\n--- stdout\n{}--- stderr\n{}",
            self.line, self.stdout, self.stderr
        );
        self
    }

    /// Checks that it names something, on either stream.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.said().contains(text),
            "`{}` does not say {text:?}\n--- stdout\n{}--- stderr\n{}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Checks that it does not.
    #[track_caller]
    pub fn hides(self, text: &str) -> Self {
        assert!(
            !self.said().contains(text),
            "`{}` says {text:?}\n--- stdout\n{}--- stderr\n{}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }
}

/// A command about to be run.
pub struct Command {
    args: Vec<String>,
    dir: PathBuf,
    vars: BTreeMap<String, String>,
}

impl Command {
    /// The binary with these arguments, in a project folder. Nothing of this process's environment but `PATH` reaches it.
    pub fn new<'a>(dir: &Path, args: impl IntoIterator<Item = &'a str>) -> Self {
        let mut vars = BTreeMap::new();
        vars.insert("PATH".to_owned(), std::env::var("PATH").unwrap_or_default());
        vars.insert("HOME".to_owned(), dir.display().to_string());
        vars.insert("USER".to_owned(), "tester".to_owned());
        vars.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
        Self { args: args.into_iter().map(str::to_owned).collect(), dir: dir.to_owned(), vars }
    }

    /// One more argument, blanks and all.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Sets a variable of its environment.
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// Starts it. Both streams are piped.
    pub fn spawn(&self) -> Running {
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_triphase"))
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(&self.vars)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running::new(child)
    }

    /// Waits for one that was started.
    pub fn end(&self, child: Running) -> Run {
        let output = child.output();
        Run {
            line: format!("triphase {}", self.args.join(" ")),
            code: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap()),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Run {
        self.end(self.spawn())
    }
}

/// A process that was started. Where a test fails before it ends, it is killed with all that it started: nothing of a failed test holds
/// a lock, or works on a database that is dropped.
pub struct Running(Option<Child>);

impl Running {
    /// Looks after a process.
    pub fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// Waits for its end, and gives what it wrote.
    pub fn output(mut self) -> std::process::Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Deref for Running {
    type Target = Child;
    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(child) = self.0.as_mut() else { return };
        if matches!(child.try_wait(), Ok(None)) {
            // Before it is killed: its children are nobody's then.
            for pid in family(child.id()) {
                let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The processes that a process has started, and those that these have.
fn family(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        // The name, in parentheses, may hold anything; behind it come the state and the parent (man 5 proc_pid_stat).
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![of];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family.split_off(1)
}

/// Sends a signal (`TERM`, `INT`, `KILL`) to a process that was started.
pub fn signal(child: &Child, name: &str) {
    let status =
        std::process::Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for an event, looking again and again; a test that waits in vain fails by name instead of hanging.
#[track_caller]
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_secs(120), "waited in vain for: {what}");
        // What is waited for needs the processor too.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_failed_test_started_is_killed_with_its_children() {
    let sleeps = "sleep 600 & echo $!; wait";
    let mut command = std::process::Command::new("sh");
    let mut child = Running::new(command.args(["-c", sleeps]).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let (parent, sleeper): (u32, u32) = (child.id(), line.trim().parse().unwrap());
    assert_eq!(family(parent), [sleeper]);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _child = child;
        panic!("a test fails");
    }));
    assert!(failed.is_err());
    // One that nobody waits for stays listed, without a command line.
    let works = |pid: u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    until("the end of both", || !works(parent) && !works(sleeper));
}
