//! What the server's refusals mean.

pub(super) use super::super::wire::Trouble;

use super::super::{
    NothingRan,
    wire::{self, Given},
};
use anyhow::anyhow;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

/// SQLSTATE of the fence's own exception: the run's row is another run's.
pub(super) const FENCED: &str = "TP001";
/// SQLSTATE of a table that is not there.
pub(super) const NO_TABLE: &str = "42P01";
/// SQLSTATE of a missing right.
pub(super) const NO_RIGHT: &str = "42501";
/// SQLSTATE of a session that was idle for longer than `idle_session_timeout`.
pub(super) const IDLE_TOO_LONG: &str = "57P05";
/// SQLSTATE of a cancelled statement.
pub(super) const CANCELLED: &str = "57014";

/// A text of statements that stopped at one of them.
#[derive(Debug)]
pub(super) struct Broken {
    /// What the statements before it gave.
    pub results: Vec<Given>,
    /// Why.
    pub cause: sqlx::Error,
}

impl Broken {
    /// The server's SQLSTATE, if the server said anything.
    pub fn state(&self) -> Option<&str> {
        server(&self.cause).map(PgDatabaseError::code)
    }

    /// Where in the text, in characters from 0, the server saw the fault.
    pub fn position(&self) -> Option<usize> {
        match server(&self.cause)?.position()? {
            PgErrorPosition::Original(at) => at.checked_sub(1),
            PgErrorPosition::Internal { .. } => None,
        }
    }

    /// The same as a failure's reason. A refusal of class 42 (manual, appendix A: a name that is not there, no right) is of the statement as
    /// written where no context comes with it; inside a function or a block there is always one (manual, "Error and Notice Message
    /// Fields", W).
    pub fn why(&self) -> anyhow::Error {
        let said = server(&self.cause).filter(|said| said.code().starts_with("42") && said.r#where().is_none());
        match said {
            Some(_) => NothingRan(self.words()).into(),
            None => anyhow!("{}", self.words()),
        }
    }
}

impl Trouble for Broken {
    fn gone(&self) -> bool {
        match self.state() {
            // Shut down, crashed, terminated, database dropped, idle for too long; idle in a transaction, or in one, for too long; the
            // pooler's word for a lost server.
            Some(state) => {
                matches!(state, "57P01" | "57P02" | "57P03" | "57P04" | IDLE_TOO_LONG | "25P03" | "25P04")
                    || state.starts_with("08")
            }
            None => true,
        }
    }

    // Lock not had in time, deadlock, serialization failure.
    fn busy(&self) -> bool {
        matches!(self.state(), Some("55P03" | "40P01" | "40001"))
    }

    fn words(&self) -> String {
        words(&self.cause)
    }
}

fn server(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|e| e.try_downcast_ref())
}

/// The server's message, detail, hint and SQLSTATE; else the client's own words. Never a secret: neither side repeats a password.
pub(super) fn words(error: &sqlx::Error) -> String {
    let Some(said) = server(error) else { return wire::words(error) };
    let mut text = said.message().to_owned();
    for (name, more) in [("detail", said.detail()), ("hint", said.hint()), ("where", said.r#where())] {
        if let Some(more) = more {
            text.push_str(&format!("\n{name}: {more}"));
        }
    }
    text.push_str(&format!(" (SQLSTATE {})", said.code()));
    text
}
