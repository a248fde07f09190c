//! The time of day.

use chrono::{DateTime, Utc};

/// Where the scheduler reads the time. Tests put tokio's clock, which they can stop, behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// The clock of the system.
    System,
    /// A time of day that goes on with tokio's clock.
    #[cfg(test)]
    Tokio {
        /// The time of day at `start`.
        day: DateTime<Utc>,
        /// When the clock was made.
        start: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock that shows `day` now and goes on with tokio's.
    #[cfg(test)]
    pub(crate) fn tokio(day: DateTime<Utc>) -> Self {
        Self::Tokio { day, start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            #[cfg(test)]
            Self::Tokio { day, start } => *day + start.elapsed(),
        }
    }
}
