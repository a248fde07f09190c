//! Brings what transactions have put in line there, as long as the app lives.

use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::instance::Inner;
use crate::scheduler::{Admit, Admitted, Outbox, Rounds};
use crate::tenancy::TenantId;

pub(super) async fn relay(app: Weak<Inner>, outbox: Arc<Outbox>) {
    let mut rounds = Rounds::default();
    let admit = Tenants(app);
    loop {
        outbox.round(&mut rounds, &admit).await;
        let Some(app) = admit.0.upgrade() else { return };
        if let Some(scheduler) = &app.runtime.scheduler {
            scheduler.wake();
        }
        drop(app);
        outbox.something().await;
    }
}

struct Tenants(Weak<Inner>);

impl Admit for Tenants {
    fn admit(&self, id: TenantId) -> BoxFuture<'_, Admitted> {
        async move {
            let Some(app) = self.0.upgrade() else { return Admitted::Rests };
            match app.tenants.admit(&id).await {
                Ok(tenant) => Admitted::Active(tenant),
                // Of one that is not active the directory says so, and of none it says nothing.
                Err(_) if app.tenants.store().is_managed() => match app.tenants.store().find(&id).await {
                    Ok(None) => Admitted::Gone,
                    Ok(Some(_)) | Err(_) => Admitted::Rests,
                },
                Err(_) => Admitted::Rests,
            }
        }
        .boxed()
    }
}
