//! How long others may be first, again and again (`lock_retry_for`). A try that loses the race is followed by another one on the newest
//! version. What the first try worked does not count; nor does what brings a later one nearer its end.

use crate::{
    engine::{Failure, Stop},
    model::spell,
};
use std::time::{Duration, Instant};

/// The pause after the first lost race.
const FIRST: Duration = Duration::from_millis(20);
/// The longest pause: whoever waits longer is met by more commits, and wins no more often.
const LONGEST: Duration = Duration::from_millis(250);

/// What is left of it. It begins with the first lost race, and anew whenever a try had to look at no more than half as many files as any
/// before it: on a table of N files that is at most 2 + log2 N times. A try that has begun is ended.
pub struct Patience {
    length: Duration,
    until: Option<Instant>,
    pause: Duration,
    /// The fewest files that a try had to look at.
    least: u64,
}

impl Patience {
    /// From the first lost race on.
    pub const fn new(length: Duration) -> Self {
        Self { length, until: None, pause: FIRST, least: u64::MAX }
    }

    /// Others were first, and the next try begins at once. `work`: at how many files this one had to look.
    ///
    /// # Errors
    /// [`Failure::Busy`] once it is over.
    pub fn lost(&mut self, work: u64) -> Result<(), Failure> {
        let nearer = work < self.least && work <= self.least / 2;
        let now = Instant::now();
        match self.until {
            Some(until) if !nearer => {
                if now + self.pause >= until {
                    return Err(self.over());
                }
            }
            Some(_) | None => {
                (self.until, self.pause) = (Some(now + self.length), FIRST);
                if self.length.is_zero() {
                    return Err(self.over());
                }
            }
        }
        self.least = self.least.min(work);
        Ok(())
    }

    /// Others were first; waits a little longer than the last time.
    ///
    /// # Errors
    /// [`Failure::Busy`] once it is over, [`Failure::Stopped`].
    pub async fn wait(&mut self, work: u64, stop: &Stop) -> Result<(), Failure> {
        self.lost(work)?;
        tokio::select! {
            () = tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64())) => {}
            () = stop.pulled() => return Err(Failure::Stopped),
        }
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }

    fn over(&self) -> Failure {
        Failure::Busy(format!(
            "others commit to the table without a pause; given up after `lock_retry_for: {}`",
            spell(self.length)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_over(told: &Result<(), Failure>) -> bool {
        matches!(told, Err(Failure::Busy(text)) if text.ends_with("`lock_retry_for: 30ms`"))
    }

    #[test]
    fn it_begins_with_the_first_lost_race_and_ends() {
        let mut patience = Patience::new(Duration::from_millis(30));
        std::thread::sleep(Duration::from_millis(40));
        assert!(patience.lost(1000).is_ok(), "what the first try worked does not count");
        std::thread::sleep(Duration::from_millis(40));
        // As many files again, or a few less: it comes no nearer.
        assert!(is_over(&patience.lost(1000)) && is_over(&patience.lost(501)));
    }

    #[test]
    fn it_begins_anew_as_long_as_less_and_less_is_left() {
        let mut patience = Patience::new(Duration::from_millis(30));
        let mut begun = 0;
        for work in (0..=10).rev().map(|power| 1 << power) {
            assert!(patience.lost(work).is_ok(), "{work}");
            begun += 1;
            std::thread::sleep(Duration::from_millis(40));
        }
        assert!(patience.lost(0).is_ok(), "there is less than one");
        std::thread::sleep(Duration::from_millis(40));
        assert!(is_over(&patience.lost(0)), "nothing is never less");
        // 1024 files: 2 + 10 times.
        assert_eq!(begun + 1, 12);
    }

    #[test]
    fn none_is_none() {
        assert!(matches!(Patience::new(Duration::ZERO).lost(1), Err(Failure::Busy(_))));
    }
}
