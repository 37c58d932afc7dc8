//! Delta tables by another library: Python's `deltalake`, in a process that answers a line at a time.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

/// The process.
pub struct Python {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Python {
    /// Starts it. `./test` names the interpreter that has the library.
    pub fn start() -> Self {
        let python = std::env::var("TRIPHASE_TEST_PYTHON")
            .expect("TRIPHASE_TEST_PYTHON names a Python with `deltalake` and `pyarrow`: ./test makes one");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lake/lake.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("TRIPHASE_TEST_PYTHON can be started");
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: Mutex::new(pipes) }
    }

    /// Calls a function of `tests/lake/lake.py`. `Err`: what Python raised.
    pub fn call(&self, name: &str, args: Value) -> Result<Value, String> {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{}", json!([name, args])).unwrap();
        let mut line = String::new();
        pipes.1.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
