//! When a delivery is tried again, and when no more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tradewind_model::Timestamp;

/// How often and for how long a delivery is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts, the first included.
    pub attempts: u32,
    /// How long after it was owed no attempt begins any more.
    pub age: Option<Duration>,
    /// How long to wait between attempts.
    pub backoff: Backoff,
}

/// How long to wait before a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Twice as long each time, from `min` to `max`; of each wait the second half is left to chance, so that
    /// what failed together does not come back together.
    Exponential {
        /// Before the first retry.
        min: Duration,
        /// Before any retry at most.
        max: Duration,
    },
    /// What was set for each retry; the last holds for those beyond.
    Listed(Arc<[Duration]>),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It failed in a way that another attempt does not mend.
    GivenUp,
    /// The attempts are used up.
    Attempts,
    /// It became too old.
    Age,
}

/// Where chance comes from: numbers from 0 to 1.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// True chance.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(|| {
            let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
            f64::from(u32::try_from(high >> 32).unwrap_or_default()) / f64::from(u32::MAX)
        }))
    }

    /// Always the same, for tests.
    #[must_use]
    pub fn fixed(share: f64) -> Self {
        Self(Arc::new(move || share))
    }

    fn next(&self) -> f64 {
        (self.0)().clamp(0.0, 1.0)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter(..)")
    }
}

impl RetryPolicy {
    /// Whether something owed at `owed_at` may still be attempted at `now`.
    #[must_use]
    pub fn is_too_old(&self, owed_at: Timestamp, now: Timestamp) -> bool {
        let waited = now.as_millis().saturating_sub(owed_at.as_millis());
        self.age
            .is_some_and(|age| u128::try_from(waited).unwrap_or(0) > age.as_millis())
    }

    /// How long to wait after attempt number `made` failed. `asked` is what the target asked for; it is
    /// not retried sooner.
    ///
    /// # Errors
    /// Why there is no further attempt.
    pub fn next(
        &self,
        made: u32,
        asked: Option<Duration>,
        (owed_at, now): (Timestamp, Timestamp),
        jitter: &Jitter,
    ) -> Result<Duration, Exhausted> {
        if made >= self.attempts {
            return Err(Exhausted::Attempts);
        }
        let delay = self.backoff.delay(made, jitter).max(asked.unwrap_or_default());
        if self.is_too_old(owed_at, now.plus_millis(millis(delay))) {
            return Err(Exhausted::Age);
        }
        Ok(delay)
    }
}

impl Backoff {
    fn delay(&self, made: u32, jitter: &Jitter) -> Duration {
        let retry = made.saturating_sub(1);
        match self {
            Self::Exponential { min, max } => {
                let factor = 2_u32.checked_pow(retry).unwrap_or(u32::MAX);
                let full = min.saturating_mul(factor).min(*max);
                full.mul_f64(0.5 + jitter.next() / 2.0)
            }
            Self::Listed(delays) => {
                let listed = delays.get(retry as usize).or(delays.last());
                listed.copied().unwrap_or_default()
            }
        }
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn policy(attempts: u32, age: Option<u64>, backoff: Backoff) -> RetryPolicy {
        RetryPolicy {
            attempts,
            age: age.map(Duration::from_secs),
            backoff,
        }
    }

    fn exponential() -> Backoff {
        Backoff::Exponential {
            min: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }

    fn next(policy: &RetryPolicy, made: u32, chance: f64) -> Result<Duration, Exhausted> {
        policy.next(made, None, (START, START), &Jitter::fixed(chance))
    }

    #[test]
    fn waits_double_up_to_the_most() {
        let policy = policy(u32::MAX, None, exponential());
        let waits: Vec<_> = [1, 2, 3, 6, 7, 500]
            .map(|made| next(&policy, made, 1.0).unwrap().as_secs())
            .into();
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
        let least = next(&policy, 3, 0.0).unwrap();
        assert_eq!(least, Duration::from_secs(2));
    }

    #[test]
    fn a_target_that_asks_for_time_gets_it() {
        let asked = Some(Duration::from_secs(30));
        let waits = policy(5, None, exponential()).next(1, asked, (START, START), &Jitter::fixed(1.0));
        assert_eq!(waits, Ok(Duration::from_secs(30)));
    }

    #[test]
    fn listed_waits_are_kept_to_the_letter() {
        let listed = Backoff::Listed([0, 0, 20].map(Duration::from_secs).into());
        let policy = policy(4, None, listed);
        let waits = [1, 2, 3, 4].map(|made| next(&policy, made, 0.3).map(|wait| wait.as_secs()));
        assert_eq!(waits, [Ok(0), Ok(0), Ok(20), Err(Exhausted::Attempts)]);
    }

    #[test]
    fn no_attempt_begins_after_the_age() {
        let policy = policy(10, Some(60), exponential());
        let at = |seconds: i64| START.plus_millis(seconds * 1000);
        let jitter = Jitter::fixed(1.0);
        assert_eq!(
            policy.next(3, None, (START, at(56)), &jitter),
            Ok(Duration::from_secs(4))
        );
        assert_eq!(
            policy.next(3, None, (START, at(57)), &jitter),
            Err(Exhausted::Age)
        );
        assert!(policy.is_too_old(START, at(61)) && !policy.is_too_old(START, at(60)));
    }
}
