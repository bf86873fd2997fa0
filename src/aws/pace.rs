//! How fast may be asked: a limit that many look-ups share, and the waits after a refusal.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Gives turns at even distances. Time is counted from any beginning that the caller chooses, so it can be tested without one.
///
/// INVARIANT (pace-rate): no two turns lie closer together than the spacing, whatever the order and number of those who ask.
#[derive(Debug, Clone)]
pub struct Turns {
    spacing: Duration,
    next: Duration,
}

impl Turns {
    /// Turns that lie `spacing` apart.
    #[must_use]
    pub fn every(spacing: Duration) -> Self {
        Self { spacing, next: Duration::ZERO }
    }

    /// The moment of the next free turn, which is taken with it.
    pub fn take(&mut self, now: Duration) -> Duration {
        let turn = self.next.max(now);
        self.next = turn + self.spacing;
        turn
    }

    /// Gives no turn before this moment.
    pub fn hold(&mut self, until: Duration) {
        self.next = self.next.max(until);
    }
}

/// [`Turns`] that tasks share.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    turns: Mutex<(Turns, Duration)>,
}

impl Pace {
    /// At most `rate` requests a second. The distance is a little longer than it had to be: requests do not arrive as evenly as
    /// they leave, and a refusal costs more.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        Self::every(Duration::from_millis(1040) / rate.max(1))
    }

    /// One request in every `spacing`.
    #[must_use]
    pub fn every(spacing: Duration) -> Self {
        Self { begun: Instant::now(), turns: Mutex::new((Turns::every(spacing), Duration::ZERO)) }
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        loop {
            let now = self.begun.elapsed();
            let at = self.turns.lock().unwrap_or_else(PoisonError::into_inner).0.take(now);
            tokio::time::sleep_until(self.begun + at).await;
            // A refusal that came meanwhile holds those too that had their turn already.
            if at >= self.turns.lock().unwrap_or_else(PoisonError::into_inner).1 {
                return;
            }
        }
    }

    /// Lets nobody ask for so long: the service refused.
    pub fn hold(&self, pause: Duration) {
        let until = self.begun.elapsed() + pause;
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.0.hold(until);
        turns.1 = turns.1.max(until);
    }
}

/// How long to wait before the next try, after `tries` that failed: from half of `base` · 2^(tries-1) to all of it, and never more
/// than half a minute. `chance` is between 0 and 1.
#[must_use]
pub fn backoff(base: Duration, tries: u32, chance: f64) -> Duration {
    let full = base.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1).min(16)).unwrap_or(u32::MAX));
    full.min(Duration::from_secs(30)).mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

/// A number between 0 and 1, another each time: the keys of hash maps are random too.
#[must_use]
pub fn chance() -> f64 {
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    proptest! {
        #[test]
        fn turns_never_come_closer_than_the_spacing(asks in prop::collection::vec((0_u64..3_000, prop::option::of(0_u64..5_000)), 1..60)) {
            let (mut turns, mut now, mut last) = (Turns::every(ms(520)), Duration::ZERO, None::<Duration>);
            for (later, hold) in asks {
                now += ms(later);
                if let Some(pause) = hold {
                    turns.hold(now + ms(pause));
                }
                let turn = turns.take(now);
                prop_assert!(turn >= now && hold.is_none_or(|pause| turn >= now + ms(pause)));
                prop_assert!(last.is_none_or(|last| turn >= last + ms(520)));
                last = Some(turn);
            }
        }
    }

    #[test]
    fn nobody_waits_without_need() {
        let mut turns = Turns::every(ms(500));
        assert_eq!([turns.take(ms(0)), turns.take(ms(0)), turns.take(ms(100))], [ms(0), ms(500), ms(1000)]);
        assert_eq!(turns.take(ms(9000)), ms(9000), "unused turns are gone, and do not make a burst");
    }

    #[test]
    fn waits_grow_and_end() {
        let check = |tries: u32, chance: f64, expected: u64| assert_eq!(backoff(ms(500), tries, chance), ms(expected), "{tries}");
        check(1, 0.0, 250);
        check(1, 1.0, 500);
        check(3, 1.0, 2000);
        check(20, 1.0, 30_000);
        check(200, 0.0, 15_000);
        assert!((0..100).map(|_| chance()).all(|c| (0.0..=1.0).contains(&c)));
        assert_ne!(chance().to_bits(), chance().to_bits());
    }
}
