//! The real binary, run in a clean environment.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
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
    pub fn spawn(&self) -> Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_triphase"))
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(&self.vars)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits for one that was started.
    pub fn end(&self, child: Child) -> Run {
        let output = child.wait_with_output().unwrap();
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

/// Sends a signal (`TERM`, `INT`, `KILL`) to a process that was started.
pub fn signal(child: &Child, name: &str) {
    let status =
        std::process::Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for an event, looking again and again; a test that waits in vain fails by name instead of hanging.
#[track_caller]
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !happens() {
        assert!(start.elapsed() < std::time::Duration::from_secs(120), "waited in vain for: {what}");
        std::thread::yield_now();
    }
}
