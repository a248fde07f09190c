//! `tenant import` and `tenant clone`.

use std::path::Path;

use super::manifest::{Manifest, WrittenProfile};
use super::read::Archive;
use super::receive::Coming;
use super::{ArchiveError, Transferred};
use crate::app::{TenantError, Tenants};
use crate::db::{DatabaseError, Piece, Taken, way};
use crate::tenancy::TenantId;

impl Tenants {
    /// Makes a tenant from a file that [`Tenants::export`] has written, perhaps in another app with the same plugins. Its name is the one
    /// that it had, unless another one is given. `server` is one of `services.database.servers`; without it the tenant comes to the one
    /// that has the least.
    ///
    /// All of the file is read first: when it is not what an export has written, or cannot be taken by this app, nothing is made. An archive
    /// that is older than this program is migrated. It holds rows only, which come into the tables that this program's migrations make,
    /// so it brings nothing that runs.
    ///
    /// No `tenant_created` hook runs: an import is no sign-up, and what the hooks have written is among the rows.
    ///
    /// While this is under way the tenant is [importing](crate::tenancy::State::Importing) and not routable. When a step fails it is undone
    /// at once; when the process is killed or the future is dropped, a server undoes it. A `tenant_deleted` hook does not run then: it could
    /// end what belongs to the tenant that was copied.
    ///
    /// # Errors
    /// When the file is damaged or cannot be taken here, the name is taken, the directory keeps no states, or a step fails.
    pub async fn import(
        &self,
        from: &Path,
        name: Option<&TenantId>,
        server: Option<&str>,
    ) -> Result<Transferred, TenantError> {
        let from = from.to_owned();
        let opening = tokio::task::spawn_blocking(move || Archive::open(&from));
        let mut archive = opening.await.unwrap_or(Err(ArchiveError::CutShort))?;
        let Manifest { tenant, rows: form, migrations, .. } = &archive.manifest;
        let id = name.copied().unwrap_or(*tenant);
        let coming = Coming {
            form: *form,
            applied: migrations.clone(),
            profile: std::mem::take(&mut archive.profile),
            jobs: std::mem::take(&mut archive.jobs),
        };
        let (mut out, rows) = way();
        let reading = tokio::task::spawn_blocking(move || archive.send(&mut out));
        let received = self.receive(&id, server, &coming, rows).await;
        let read = reading.await.unwrap_or(Err(ArchiveError::CutShort));
        match (read, received) {
            // Whoever stopped first knows why.
            (Err(ArchiveError::CutShort), Err(problem)) => Err(problem),
            (Err(problem), _) => Err(problem.into()),
            (Ok(()), received) => Ok(transferred(id, received?, coming.jobs.len())),
        }
    }

    /// Makes a tenant with all that another one has: as an [export](Tenants::export) and an [import](Tenants::import) under another
    /// name, without a file between them. API keys and domains stay with the one that has them. The jobs that were added at
    /// run time come along, and run for both.
    ///
    /// # Errors
    /// As there.
    pub async fn clone_to(
        &self,
        from: &TenantId,
        to: &TenantId,
        server: Option<&str>,
    ) -> Result<Transferred, TenantError> {
        let source = self.source(from).await?;
        let (out, mut rows) = way();
        let unread = |source| TenantError::Data { id: *from, step: "read", source };
        let form = source.database.form();
        let (profile, jobs): (WrittenProfile, _) = (source.profile, source.jobs);
        let count = jobs.len();
        let receiving = async {
            let Piece::Begin(applied) = rows.next().await.map_err(unread)? else {
                return Err(ArchiveError::CutShort.into());
            };
            self.receive(to, server, &Coming { form, applied, profile, jobs }, rows).await
        };
        let (sent, received) = tokio::join!(source.database.send(from, out), receiving);
        match (sent, received) {
            (Ok(()) | Err(DatabaseError::CutShort), Err(problem)) => Err(problem),
            (Err(problem), _) => Err(unread(problem)),
            (Ok(()), received) => Ok(transferred(*to, received?, count)),
        }
    }
}

fn transferred(tenant: TenantId, Taken { tables, rows }: Taken, jobs: usize) -> Transferred {
    Transferred { tenant, tables, rows, jobs }
}
