//! Going round again after a lost answer (rule L5): how often, for how long, and what is told of it.

use super::Context;
use crate::event::{End, Event, RECONNECT_FOR};
use std::time::Duration;
use tokio::time::Instant;

/// How often a run goes round again after lost answers that brought it no step further.
pub(super) const ROUNDS: u32 = 5;
/// The longest pause between two tries to connect.
const LONGEST: Duration = Duration::from_secs(2);

/// Why a round brought no end.
pub(super) enum Again {
    /// An answer was lost.
    Lost(String),
    /// The target was there a moment ago, and is not, or not as it must be: it restarts, or another server takes its place.
    Away(String),
}

/// What is left of the patience with a target.
pub(super) struct Patience {
    /// Lost answers, one after the other, that brought the run no step further.
    rounds: u32,
    /// How many steps were done when the last round began.
    done: usize,
    /// Since when the target is away.
    away: Option<Instant>,
    /// The next pause while it is.
    pause: Duration,
    /// What was told last.
    told: Option<String>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { rounds: 0, done: 0, away: None, pause: Duration::from_millis(200), told: None }
    }
}

impl Patience {
    /// Tells that the run goes round again, and waits before it does. `done`: how many steps are done by now.
    ///
    /// # Errors
    /// Where it does not: how it ends.
    pub async fn wait(&mut self, context: &Context<'_>, again: Again, done: usize) -> Result<(), End> {
        let pause = match &again {
            Again::Lost(why) => {
                self.rounds = if done > self.done { 1 } else { self.rounds + 1 };
                self.done = done;
                (self.away, self.pause, self.told) = (None, Self::default().pause, None);
                if self.rounds > ROUNDS {
                    return Err(End::Access(why.clone()));
                }
                Duration::from_millis(200 * u64::from(self.rounds))
            }
            Again::Away(why) => {
                let left = RECONNECT_FOR.saturating_sub(self.away.get_or_insert_with(Instant::now).elapsed());
                if left.is_zero() {
                    return Err(End::Access(format!("{why}; tried again for {} s", RECONNECT_FOR.as_secs())));
                }
                let pause = self.pause.min(left);
                self.pause = (self.pause * 2).min(LONGEST);
                pause
            }
        };
        let (Again::Lost(why) | Again::Away(why)) = again;
        if self.told.as_ref() != Some(&why) {
            (context.tell)(Event::Reconnecting { why: why.clone() });
            self.told = Some(why);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = context.stop.pulled() => Err(End::Interrupted(super::SIGINT)),
        }
    }
}
