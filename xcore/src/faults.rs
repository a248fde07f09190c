//! The steps of a tenant's life at which a test can end the process, as `kill -9` would.
//!
//! A step is named once, in the list below, and marked with [`reached`] where it has just been done. `tests/kills.rs` ends the program
//! at each of them and sees that the next start finishes or undoes what was begun; it fails for a step that nothing reaches. Without
//! the feature `testing` nothing of this is there.

#[cfg(feature = "testing")]
use std::sync::OnceLock;
#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names the step at which the process ends, in the environment: `purge.claimed`, or `purge.postgres.part_dropped@3` for the third
/// time that it is reached.
#[cfg(feature = "testing")]
const VARIABLE: &str = "XCORE_TEST_FAULT";

macro_rules! steps {
    ($( $(#[$doc:meta])* $step:ident = $name:literal, )*) => {
        /// A step that has just been done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "some belong to backends that may not be built in"))]
        pub(crate) enum Step { $( $(#[$doc])* $step, )* }

        #[cfg(feature = "testing")]
        impl Step {
            pub(crate) const ALL: &'static [Self] = &[$( Self::$step, )*];

            /// The operation, then `sqlite` or `postgres` where it is a step of this backend only, then the step.
            pub(crate) const fn name(self) -> &'static str {
                match self { $( Self::$step => $name, )* }
            }
        }
    };
}

steps! {
    /// The directory has the tenant, as provisioning.
    CreateNoted = "create.noted",
    CreateClaimed = "create.claimed",
    /// The template is copied, and has not its name yet.
    CreateFileCopied = "create.sqlite.file_copied",
    /// The tenant was made from the template.
    CreateReplayed = "create.replayed",
    /// The tenant has a schema or file, and nothing in it.
    CreateProvisioned = "create.provisioned",
    CreateCacheEmptied = "create.cache_emptied",
    /// One migration was applied.
    CreateMigrationApplied = "create.migration_applied",
    CreateMigrated = "create.migrated",
    /// The directory has the version of its data.
    CreateVersionNoted = "create.version_noted",
    CreateJobsOpened = "create.jobs_opened",
    /// One hook has run.
    CreateHookRun = "create.hook_run",
    /// The directory has it as active.
    CreateActive = "create.active",
    CreateJobsGiven = "create.jobs_given",

    /// Nobody else can take the spare schema.
    SpareLocked = "spare.postgres.locked",
    /// The spare file has the tenant's name.
    SpareRenamed = "spare.sqlite.renamed",
    /// The tenant was made of a spare one.
    SpareTaken = "spare.taken",

    /// The directory has both names, as renaming and reserved.
    RenameNoted = "rename.noted",
    RenameLifeEnded = "rename.life_ended",
    RenameJobsRest = "rename.jobs_rest",
    /// Both names are claimed.
    RenameClaimed = "rename.claimed",
    /// Nobody uses the data any more.
    RenameEvacuated = "rename.evacuated",
    /// All of the tenant is in its file, and nothing beside it.
    RenameLogBroughtIn = "rename.sqlite.log_brought_in",
    /// The file has its new name; what is beside it has the old one.
    RenameFileRenamed = "rename.sqlite.file_renamed",
    /// Nobody can begin to use either schema.
    RenameLocked = "rename.postgres.locked",
    /// Schema and role have their new names; sessions of the role are still there.
    RenameSchemaRenamed = "rename.postgres.schema_renamed",
    RenameDataRenamed = "rename.data_renamed",
    /// The jobs are by both names.
    RenameJobsGiven = "rename.jobs_given",
    /// The jobs are by the new name only.
    RenameJobsTaken = "rename.jobs_taken",
    RenameCacheEmptied = "rename.cache_emptied",
    /// The directory has the tenant by its new name.
    RenameEnded = "rename.ended",
    RenameJobsRun = "rename.jobs_run",
    /// The data could not get the name.
    RenameRefused = "rename.refused",
    /// The directory has the tenant by its old name.
    RenameUndone = "rename.undone",

    /// The directory has it as soft-deleted.
    DeleteNoted = "delete.noted",
    DeleteLifeEnded = "delete.life_ended",
    DeleteJobsRest = "delete.jobs_rest",

    RestoreClaimed = "restore.claimed",
    /// Its data has all migrations.
    RestoreMigrated = "restore.migrated",
    /// The directory has it as what it was.
    RestoreNoted = "restore.noted",
    RestoreJobsGiven = "restore.jobs_given",

    /// The directory has it as deleting.
    PurgeNoted = "purge.noted",
    PurgeLifeEnded = "purge.life_ended",
    PurgeClaimed = "purge.claimed",
    PurgeJobsTaken = "purge.jobs_taken",
    /// One hook has run.
    PurgeHookRun = "purge.hook_run",
    /// Nobody uses its data any more.
    PurgeEvacuated = "purge.evacuated",
    /// Its role cannot log in any more.
    PurgeLockedOut = "purge.postgres.locked_out",
    /// A part of a large schema is gone.
    PurgePartDropped = "purge.postgres.part_dropped",
    PurgeSchemaDropped = "purge.postgres.schema_dropped",
    PurgeRoleDropped = "purge.postgres.role_dropped",
    /// The database file is gone; those beside it are not.
    PurgeFileDeleted = "purge.sqlite.file_deleted",
    PurgeDataDropped = "purge.data_dropped",
    PurgeCacheEmptied = "purge.cache_emptied",
    /// The directory has it no more, nor its keys and domains.
    PurgeForgotten = "purge.forgotten",

    /// What a transaction has left in the outbox is in line, and still in the outbox.
    OutboxBrought = "outbox.brought",
}

/// Ends the process here, if a test wants it to.
#[cfg(feature = "testing")]
pub(crate) fn reached(step: Step) {
    static WANTED: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var(VARIABLE).ok()?;
        let (name, time) = wanted.split_once('@').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), time.parse().unwrap_or(1)))
    });
    let Some((name, time)) = wanted else { return };
    if *name == step.name() && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *time {
        // No destructor runs and nothing is written.
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(crate) const fn reached(_: Step) {}

/// The names of all steps of a tenant's life at which a program with the feature `testing` can be killed, by
/// `XCORE_TEST_FAULT=NAME` in its environment: the operation, then `sqlite` or `postgres` where it is a step of this backend
/// only, then what has just been done.
#[cfg(feature = "testing")]
pub fn fault_points() -> impl Iterator<Item = &'static str> {
    Step::ALL.iter().map(|step| step.name())
}
