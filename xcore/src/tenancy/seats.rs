//! The seats that a tenant's plan gives it: one for each connection to a database that it holds.
//!
//! Whoever finds all of them taken waits in the tenant's own line, before the line of all tenants for the connections themselves. So a
//! tenant that wants many keeps nobody waiting but itself.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Tenant;

/// So many that nobody waits: when a plan had the limit once and has it no more.
const NO_LIMIT: usize = Semaphore::MAX_PERMITS;

/// The seats of one life of a tenant, made when its plan first has a limit.
#[derive(Default)]
pub(super) struct Seats(OnceLock<Room>);

struct Room {
    seats: Arc<Semaphore>,
    size: Mutex<Size>,
}

#[derive(Clone, Copy)]
struct Size {
    seats: usize,
    /// How many of those that are taken go when they are given back: the plan became smaller meanwhile.
    leaving: usize,
}

/// A connection that a tenant may hold. It is given back when this is dropped.
pub(crate) struct Seat {
    tenant: Tenant,
    permit: Option<OwnedSemaphorePermit>,
}

/// No seat became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSeat {
    /// How many the plan gives.
    pub(crate) seats: usize,
}

impl Seats {
    /// The plan has so many. Those that are taken stay so; what is too many is not given out again.
    pub(super) fn resize(&self, seats: Option<u32>) {
        if seats.is_none() && self.0.get().is_none() {
            return;
        }
        let seats = seats.map_or(NO_LIMIT, |seats| seats as usize);
        let mut is_new = false;
        let room = self.0.get_or_init(|| {
            is_new = true;
            Room { seats: Arc::new(Semaphore::new(seats)), size: Mutex::new(Size { seats, leaving: 0 }) }
        });
        if is_new {
            return;
        }
        let mut size = room.size.lock().unwrap_or_else(PoisonError::into_inner);
        if seats > size.seats {
            let more = seats - size.seats;
            let staying = more.min(size.leaving);
            size.leaving -= staying;
            room.seats.add_permits(more - staying);
        } else {
            let fewer = size.seats - seats;
            size.leaving += fewer - room.seats.forget_permits(fewer);
        }
        size.seats = seats;
    }
}

impl Tenant {
    /// Waits for a seat, in the tenant's own line and in the order of asking.
    ///
    /// Cancellation safe: a dropped call has taken none.
    pub(crate) async fn take_seat(&self, at_most: Duration) -> Result<Seat, NoSeat> {
        let Some(room) = self.seats().0.get() else {
            return Ok(Seat { tenant: self.clone(), permit: None });
        };
        let permit = match Arc::clone(&room.seats).try_acquire_owned() {
            Ok(permit) => permit,
            // Nobody closes it.
            Err(_taken) => match timeout(at_most, Arc::clone(&room.seats).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => {
                    let size = *room.size.lock().unwrap_or_else(PoisonError::into_inner);
                    return Err(NoSeat { seats: size.seats });
                }
            },
        };
        Ok(Seat { tenant: self.clone(), permit: Some(permit) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (Some(permit), Some(room)) = (self.permit.take(), self.tenant.seats().0.get()) else { return };
        let mut size = room.size.lock().unwrap_or_else(PoisonError::into_inner);
        if size.leaving > 0 {
            size.leaving -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::TenantId;
    use super::*;

    fn tenant(seats: Option<u32>) -> Tenant {
        let tenant = Tenant::admit(TenantId::parse("acme").unwrap(), 1);
        tenant.seats().resize(seats);
        tenant
    }

    async fn take(tenant: &Tenant) -> Result<Seat, usize> {
        tenant.take_seat(Duration::from_secs(1)).await.map_err(|none| none.seats)
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_taken_and_the_next_waits_for_one_that_is_given_back() {
        let tenant = tenant(Some(2));
        let (first, _second) = (take(&tenant).await.ok().unwrap(), take(&tenant).await.ok().unwrap());
        assert_eq!(take(&tenant).await.err(), Some(2));
        let waits = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(first);
        };
        let (third, ()) = tokio::join!(take(&tenant), waits);
        assert!(third.is_ok());
        drop(third);
        assert!(take(&tenant).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_it_waits_has_taken_none() {
        let tenant = tenant(Some(1));
        let held = take(&tenant).await.ok().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(10), take(&tenant)).await.is_err());
        drop(held);
        assert!(take(&tenant).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_plan_counts_what_is_taken() {
        let tenant = tenant(Some(3));
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(take(&tenant).await.ok().unwrap());
        }
        tenant.seats().resize(Some(1));
        for _ in 0..2 {
            held.pop();
            assert_eq!(take(&tenant).await.err(), Some(1), "they are not given out again");
        }
        held.pop();
        let one = take(&tenant).await.ok().unwrap();
        assert!(take(&tenant).await.is_err());
        // Smaller and larger again, with one taken all the time.
        tenant.seats().resize(Some(4));
        tenant.seats().resize(Some(2));
        let two = take(&tenant).await.ok().unwrap();
        assert!(take(&tenant).await.is_err());
        let (waits, ()) = tokio::join!(take(&tenant), async { tenant.seats().resize(None) });
        assert!(waits.is_ok(), "who waits hears of it");
        let many: Vec<_> = futures_util::future::join_all((0..100).map(|_| take(&tenant))).await;
        assert!(many.iter().all(Result::is_ok));
        tenant.seats().resize(Some(1));
        drop((one, two, waits, many));
        let _one = take(&tenant).await.ok().unwrap();
        assert!(take(&tenant).await.is_err());
    }

    #[tokio::test]
    async fn without_a_limit_there_is_nothing_to_wait_for() {
        let tenant = tenant(None);
        let all: Vec<_> = futures_util::future::join_all((0..1_000).map(|_| take(&tenant))).await;
        assert!(all.iter().all(Result::is_ok));
        assert!(tenant.seats().0.get().is_none());
    }
}
