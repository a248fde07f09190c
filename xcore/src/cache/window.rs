//! Counters in a sliding window, for limits that all replicas share.

use std::time::Duration;

/// What a sliding window allows.
///
/// The time is cut into windows of this length. What is in use is what was counted in the current one, and of the one before the
/// part that a window ending now still covers. So at no time more than twice the limit passes within a window, and with an even
/// stream the limit is exact to a few per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Milliseconds, at least 1.
    pub(crate) length: u64,
    pub(crate) limit: u64,
    pub(crate) cost: u64,
}

/// What was counted: stored as the JSON `[start, current, before]`, with a time to live of two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Whether the cost was within the limit and is counted.
    pub(crate) allowed: bool,
    /// Now, in milliseconds of the Unix epoch.
    pub(crate) now: u64,
    /// When the current window began.
    pub(crate) start: u64,
    pub(crate) current: u64,
    pub(crate) before: u64,
}

/// The answer of `count_in_window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowCount {
    /// Whether the cost was within the limit. If not, nothing was counted.
    pub allowed: bool,
    /// What is in use now, the cost included when it was allowed.
    pub used: u64,
    /// When the same cost would be allowed, if nobody else counts until then. Zero when it was allowed. A cost over the limit is
    /// never allowed; then this is the length of the window.
    pub retry_after: Duration,
}

impl Window {
    pub(crate) fn new(length: Duration, limit: u64, cost: u64) -> Self {
        // Beyond this a Lua number would not be exact; it is three thousand centuries.
        let most = 1 << 50;
        let length = u64::try_from(length.as_millis()).unwrap_or(most).clamp(1, most);
        Self { length, limit: limit.min(most), cost: cost.min(most) }
    }

    /// Counts, with what is stored: `(start, current, before)`.
    pub(crate) fn count(self, now: u64, stored: Option<(u64, u64, u64)>) -> Counted {
        let start = now - now % self.length;
        let (current, before) = match stored {
            Some((at, current, before)) if at == start => (current, before),
            Some((at, current, _)) if at.checked_add(self.length) == Some(start) => (0, current),
            _ => (0, 0),
        };
        let mut counted = Counted { allowed: false, now, start, current, before };
        if counted.used(self).saturating_add(self.cost) <= self.limit {
            counted.allowed = true;
            counted.current += self.cost;
        }
        counted
    }

    /// What a caller is told.
    pub(crate) fn told(self, counted: Counted) -> WindowCount {
        let retry_after = if counted.allowed { 0 } else { self.wait(counted) };
        WindowCount {
            allowed: counted.allowed,
            used: counted.used(self),
            retry_after: Duration::from_millis(retry_after),
        }
    }

    /// Milliseconds until the cost fits.
    fn wait(self, counted: Counted) -> u64 {
        let Some(room) = self.limit.checked_sub(self.cost) else { return self.length };
        let into = counted.now - counted.start;
        // The share of a past window that counts falls evenly: `amount * (length - into) / length` is at most `room` from here on.
        let falls = |amount: u64, room: u64| match amount {
            0 => 0,
            amount if amount <= room => 0,
            amount => {
                self.length
                    - u64::try_from(u128::from(room) * u128::from(self.length) / u128::from(amount))
                        .unwrap_or(0)
            }
        };
        let rest = match room.checked_sub(counted.current) {
            Some(room) => falls(counted.before, room).saturating_sub(into),
            None => self.length - into + falls(counted.current, room),
        };
        rest.max(1)
    }
}

impl Counted {
    fn used(self, window: Window) -> u64 {
        let covered = window.length - (self.now - self.start).min(window.length);
        let before = (u128::from(self.before) * u128::from(covered)).div_ceil(u128::from(window.length));
        u64::try_from(before).unwrap_or(u64::MAX).saturating_add(self.current)
    }

    /// What is stored, as JSON.
    pub(crate) fn to_json(self) -> String {
        format!("[{},{},{}]", self.start, self.current, self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { length: 1000, limit: 10, cost: 1 };

    fn stored(counted: Counted) -> Option<(u64, u64, u64)> {
        serde_json::from_str(&counted.to_json()).unwrap()
    }

    #[test]
    fn a_window_allows_its_limit_and_says_when_there_is_room_again() {
        let mut state = None;
        for number in 1..=10 {
            let counted = WINDOW.count(5_000, state);
            assert!(counted.allowed);
            assert_eq!(WINDOW.told(counted).used, number);
            state = stored(counted);
        }
        let refused = WINDOW.count(5_200, state);
        assert!(!refused.allowed);
        assert_eq!(WINDOW.told(refused).used, 10);
        let after = u64::try_from(WINDOW.told(refused).retry_after.as_millis()).unwrap();
        assert_eq!(after, 800 + 100, "a tenth of the window before has to pass");
        assert!(!WINDOW.count(5_200 + after - 1, state).allowed);
        assert!(WINDOW.count(5_200 + after, state).allowed);
    }

    #[test]
    fn what_was_counted_before_falls_evenly_and_is_gone_after_two_windows() {
        let state = Some((5_000, 10, 0));
        assert_eq!(WINDOW.told(WINDOW.count(6_500, state)).used, 6);
        assert_eq!(WINDOW.told(WINDOW.count(7_000, state)).used, 1);
        assert_eq!(WINDOW.told(WINDOW.count(9_000, state)).used, 1);
    }

    #[test]
    fn a_wait_is_neither_too_short_nor_too_long() {
        for before in 0..=12 {
            for current in 0..=12 {
                for into in [0, 1, 499, 999] {
                    let state = Some((5_000, current, before));
                    let refused = WINDOW.count(5_000 + into, state);
                    if refused.allowed {
                        continue;
                    }
                    let after = u64::try_from(WINDOW.told(refused).retry_after.as_millis()).unwrap();
                    assert!(
                        WINDOW.count(5_000 + into + after, state).allowed,
                        "{before} {current} {into} {after}"
                    );
                    assert!(
                        after == 1 || !WINDOW.count(5_000 + into + after - 1, state).allowed,
                        "{before} {current} {into} {after}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cost_over_the_limit_is_never_allowed() {
        let window = Window::new(Duration::from_secs(1), 10, 11);
        let refused = window.count(5_000, None);
        assert!(!refused.allowed);
        assert_eq!(window.told(refused).retry_after, Duration::from_secs(1));
    }
}
