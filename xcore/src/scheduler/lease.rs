//! The leases that this process holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::claims::{ClaimId, Ending, Report};

/// How long a run that was cancelled may take to be gone. It is when it waits the next time.
const GIVEN_BACK: Duration = Duration::from_millis(500);

/// What the keeper of the leases is told.
#[derive(Debug)]
pub(super) enum Message {
    Ended(Report),
    /// Answered when everything before it was written down.
    Flush(oneshot::Sender<()>),
}

/// The leases that this process holds.
#[derive(Debug)]
pub(super) struct Leases {
    held: Mutex<HashMap<ClaimId, Weak<Lease>>>,
    messages: mpsc::UnboundedSender<Message>,
}

/// The right to run one run, for a while. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    id: ClaimId,
    /// Until when it holds; `None` when it was lost.
    until: watch::Sender<Option<Instant>>,
    is_over: AtomicBool,
    leases: Arc<Leases>,
}

impl Leases {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Message>) {
        let (messages, inbox) = mpsc::unbounded_channel();
        (Arc::new(Self { held: Mutex::default(), messages }), inbox)
    }

    /// Takes note of a claim that holds until then.
    pub(super) fn hold(self: &Arc<Self>, id: ClaimId, until: Instant) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            id,
            until: watch::Sender::new(Some(until)),
            is_over: AtomicBool::new(false),
            leases: Arc::clone(self),
        });
        self.held().insert(id, Arc::downgrade(&lease));
        lease
    }

    /// All that are held.
    pub(super) fn ids(&self) -> Vec<ClaimId> {
        self.held().keys().copied().collect()
    }

    /// Those that were renewed hold until then, the others of `asked` no longer.
    pub(super) fn renewed(&self, asked: &[ClaimId], lost: &[ClaimId], until: Instant) {
        let leases: Vec<(ClaimId, Arc<Lease>)> = {
            let held = self.held();
            asked.iter().filter_map(|id| Some((*id, held.get(id)?.upgrade()?))).collect()
        };
        for (id, lease) in leases {
            lease.until.send_replace((!lost.contains(&id)).then_some(until));
        }
    }

    /// Waits a moment for runs that were cancelled to give their leases back, and until all is written down. Cancellation safe.
    pub(super) async fn flush(&self) {
        let _ = timeout(GIVEN_BACK, async {
            while !self.held().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let (sender, written) = oneshot::channel();
        // Without a keeper nobody writes anything.
        if self.messages.send(Message::Flush(sender)).is_ok() {
            let _ = written.await;
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ClaimId, Weak<Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Comes to its end when the lease was lost or has run out. Then another process may have the run.
    pub(super) async fn lost(&self) {
        let mut until = self.until.subscribe();
        loop {
            let Some(end) = *until.borrow_and_update() else { return };
            tokio::select! {
                // It may have been renewed in the same moment.
                () = sleep_until(end) => if *until.borrow() == Some(end) { return },
                _ = until.changed() => {}
            }
        }
    }

    /// Reports how the run ended. The first report counts.
    pub(super) fn end(&self, ending: Ending) {
        if !self.is_over.swap(true, Ordering::AcqRel) {
            self.leases.held().remove(&self.id);
            // Without a keeper the lease runs out.
            let _ = self.leases.messages.send(Message::Ended(Report { id: self.id, ending }));
        }
    }

    /// Ends it without a report: the run is another's.
    pub(super) fn forget(&self) {
        if !self.is_over.swap(true, Ordering::AcqRel) {
            self.leases.held().remove(&self.id);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end(Ending::Released);
    }
}
