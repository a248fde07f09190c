//! Follows a store from which runs are claimed: claims, renews, reports.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

use super::claims::{Claims, Holder, Report};
use super::lease::{Leases, Message};
use super::runs::Runs;
use super::service::Core;

/// The longest time between two looks at the store. It bounds how late a job begins that another process has added.
const LOOK: Duration = Duration::from_millis(500);

/// The shortest time between two looks that give nothing.
const CALM: Duration = Duration::from_millis(20);

/// Pause after a store that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Most reports of one statement.
const REPORTS: usize = 1_000;

/// How often what ended long ago is forgotten.
const PURGE: Duration = Duration::from_secs(60);

/// How much of what this process gets done meanwhile it may hold beside what it runs.
const AHEAD: Duration = Duration::from_millis(100);

/// What this process knows of its part among others.
#[derive(Debug)]
pub(super) struct Claiming {
    pub(super) holder: Holder,
    pub(super) leases: Arc<Leases>,
    /// Something was added here.
    pub(super) changed: Notify,
}

impl Claiming {
    /// Gives the one that keeps the leases its inbox.
    pub(super) fn new(holder: Holder) -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (leases, inbox) = Leases::new();
        (Self { holder, leases, changed: Notify::new() }, inbox)
    }

    /// Claims runs for ever. Dropping the future stops it; what was claimed by then is given back.
    pub(super) async fn follow(&self, claims: &dyn Claims, core: &Core) {
        let (runs, calls) = (&core.engine.runs, &core.calls());
        let mut pace = Pace::new(runs.ended_so_far());
        let mut is_reachable = true;
        let mut purged = Instant::now();
        loop {
            // Before the look at what is held: a run that ends right after it must not be waited for.
            let ended = pin!(runs.one_ended());
            let room = pace.room(runs);
            if room == 0 {
                let _ = timeout(LOOK, ended).await;
                continue;
            }
            // Before the question, so that what this process believes ends before what the store believes.
            let until = Instant::now() + self.holder.lease;
            match claims.claim_except(&self.holder, calls, room, runs.crowded()).await {
                Ok(round) => {
                    is_reachable = true;
                    let claimed = round.runs.len();
                    for run in round.runs {
                        let lease = self.leases.hold(run.id, until);
                        let rules =
                            core.declared(&run.call).map(|declared| declared.rules).unwrap_or_default();
                        runs.take_claimed(run, rules, lease);
                    }
                    if claimed < room {
                        let idle = round.idle_for.unwrap_or(LOOK).clamp(CALM, LOOK);
                        tokio::select! {
                            () = sleep(idle) => {}
                            () = self.changed.notified() => {}
                            // A run may have waited for the end of another one of its job.
                            () = ended => sleep(CALM.min(idle)).await,
                        }
                    }
                }
                Err(problem) => {
                    if is_reachable {
                        error!(
                            error = &problem as &dyn std::error::Error,
                            "runs cannot be claimed; trying again"
                        );
                    }
                    is_reachable = false;
                    sleep(RETRY).await;
                }
            }
            if purged.elapsed() > PURGE {
                purged = Instant::now();
                if let Err(problem) = claims.purge().await {
                    warn!(
                        error = &problem as &dyn std::error::Error,
                        "runs that ended long ago cannot be forgotten yet"
                    );
                }
            }
        }
    }

    /// Renews leases and writes down how runs ended, for ever.
    pub(super) async fn keep(&self, claims: &dyn Claims, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut renewals = interval(self.holder.lease / 3);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut messages = Vec::new();
        loop {
            tokio::select! {
                received = inbox.recv_many(&mut messages, REPORTS) => if received == 0 { return },
                _ = renewals.tick() => self.renew(claims).await,
            }
            let mut reports = Vec::with_capacity(messages.len());
            let mut waiting = Vec::new();
            for message in messages.drain(..) {
                match message {
                    Message::Ended(report) => reports.push(report),
                    Message::Flush(written) => waiting.push(written),
                }
            }
            self.report(claims, reports).await;
            for written in waiting {
                // Who waited may have gone.
                let _ = written.send(());
            }
        }
    }

    async fn renew(&self, claims: &dyn Claims) {
        let asked = self.leases.ids();
        if asked.is_empty() {
            return;
        }
        let until = Instant::now() + self.holder.lease;
        match claims.renew(&self.holder, &asked).await {
            Ok(lost) => self.leases.renewed(&asked, &lost, until),
            // They end by themselves.
            Err(problem) => warn!(error = &problem as &dyn std::error::Error, "leases cannot be renewed"),
        }
    }

    /// Tries for as long as the lease of another run would hold: afterwards somebody else has them.
    async fn report(&self, claims: &dyn Claims, reports: Vec<Report>) {
        if reports.is_empty() {
            return;
        }
        let give_up = Instant::now() + self.holder.lease;
        loop {
            match claims.report(&reports).await {
                Ok(refused) => {
                    for id in refused {
                        info!(
                            run = id.run,
                            "what a run here gave is not taken: its lease was over, and another process has it"
                        );
                    }
                    return;
                }
                Err(problem) if Instant::now() < give_up => {
                    warn!(
                        error = &problem as &dyn std::error::Error,
                        "how runs ended cannot be written down; trying again"
                    );
                    sleep(RETRY).await;
                    self.renew(claims).await;
                }
                Err(problem) => {
                    error!(
                        runs = reports.len(),
                        error = &problem as &dyn std::error::Error,
                        "how runs ended could not be written down; they are run again"
                    );
                    return;
                }
            }
        }
    }
}

/// How much a process may hold: what it runs, and what it will have done within a moment. One with slow jobs keeps
/// none from the others.
struct Pace {
    since: Instant,
    ended: u64,
    ahead: usize,
}

impl Pace {
    fn new(ended: u64) -> Self {
        Self { since: Instant::now(), ended, ahead: 0 }
    }

    fn room(&mut self, runs: &Runs) -> usize {
        let passed = self.since.elapsed();
        if passed >= AHEAD {
            let ended = runs.ended_so_far();
            let done = (ended - self.ended) as f64 * AHEAD.as_secs_f64() / passed.as_secs_f64();
            // Jobs that are due each second come in bursts. What the last one showed is forgotten over the next second, not at once.
            self.ahead = (done.ceil() as usize).max(self.ahead * 7 / 8);
            (self.since, self.ended) = (Instant::now(), ended);
        } else {
            // A burst is seen at once.
            self.ahead = self.ahead.max((runs.ended_so_far() - self.ended) as usize);
        }
        (runs.at_once() + self.ahead).saturating_sub(runs.held())
    }
}
