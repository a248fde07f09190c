//! How often what failed is tried again, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest that a retry waits.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// How often what failed is tried again, and how long it waits before. By default it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retries {
    most: u32,
    backoff: Duration,
}

impl Retries {
    /// Up to so many retries. The first one waits for `backoff` and each further one twice as long, an hour at most.
    #[must_use]
    pub const fn new(most: u32, backoff: Duration) -> Self {
        Self { most, backoff }
    }

    /// How many there are at most.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// How long the next retry waits of what had failed so often before it failed again; `None` when that was the end.
    #[must_use]
    pub fn after(&self, failures: u32) -> Option<Duration> {
        let factor = 2_u32.saturating_pow(failures);
        (failures < self.most).then(|| self.backoff.saturating_mul(factor).min(LONGEST_BACKOFF))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_twice_as_long_each_time_up_to_an_hour() {
        let retries = Retries::new(3, Duration::from_secs(1_000));
        let waits: Vec<_> = (0..5).map(|failures| retries.after(failures)).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(waits, [seconds(1_000), seconds(2_000), seconds(3_600), None, None]);
        assert_eq!(Retries::new(100, Duration::from_secs(1)).after(99), seconds(3_600));
        assert_eq!(Retries::default().after(0), None);
    }
}
