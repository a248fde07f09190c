//! What a session needs between two users.
//!
//! I2 and I3 end here: what was under way is waited for, an open transaction is rolled back, a session that may have been changed is
//! reset, and one whose state is not known is closed. Whoever waits for it gets it after that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::connection::Connection;
use super::pool::Held;
use super::target::Target;
use super::user_code::Definition;

/// For how long the answer to a statement that nobody waits for is waited for before its session is closed.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
pub(super) struct Cleaning {
    pub(super) target: Target,
    /// An operation is under way.
    pub(super) drain: bool,
    /// It may define something.
    pub(super) defines: bool,
    pub(super) roll_back: bool,
    pub(super) reset: bool,
    pub(super) broken: bool,
}

impl Cleaning {
    pub(super) fn is_nothing(self) -> bool {
        !(self.drain || self.roll_back || self.reset || self.broken)
    }

    #[cfg(test)]
    pub(super) fn broken_by(mut self, mutant: super::mutants::Mutant) -> Self {
        use super::mutants::Mutant;
        match mutant {
            Mutant::ReusesAnything => (self.drain, self.roll_back) = (false, false),
            Mutant::TrustsAllSql => self.reset = false,
            _ => {}
        }
        self
    }

    pub(super) async fn run(self, mut connection: Connection, held: Held, definition: Option<Definition>) {
        if self.broken {
            return connection.abandon().await;
        }
        if self.drain && !matches!(timeout(PATIENCE, connection.settle()).await, Ok(Ok(()))) {
            let pool = Arc::clone(&held.pool);
            connection.abandon().await;
            drop(held);
            if self.defines {
                // The server notices that its client has gone within a second, and may come to the end before.
                for _ in 0..3 {
                    pool.defined(self.target);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                pool.defined(self.target);
            }
            return;
        }
        if self.defines {
            // What was still under way has ended now.
            held.pool.defined(self.target);
        }
        drop(definition);
        let restored = timeout(PATIENCE * 50, self.restore(&mut connection)).await;
        if !matches!(restored, Ok(Ok(()))) {
            connection.abandon().await;
        } else if held.pool.is_closed() || connection.retires <= Instant::now() {
            connection.close().await;
        } else {
            held.put_back(connection);
        }
    }

    async fn restore(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        if self.roll_back {
            connection.control("ROLLBACK").await?;
        }
        if self.reset {
            connection.reset().await?;
        }
        Ok(())
    }
}
