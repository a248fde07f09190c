//! Who may work on the data folder, and on a tenant in it, among all processes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::{Layout, folder_error, private, private_folder};
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// A claim on the data folder that ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Claim {
    _file: File,
}

impl Claim {
    /// Claims the folder for the process that serves.
    pub(super) fn serve(layout: &Layout) -> Result<Self, DatabaseError> {
        let path = layout.folder().join("xcore.lock");
        let mut file = lock_file(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(served(layout, &mut file)),
            Err(TryLockError::Error(source)) => return Err(folder_error(&path, source)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|source| folder_error(&path, source))?;
        Ok(Self { _file: file })
    }

    /// Makes sure that no process serves the folder while the claim is held.
    pub(super) fn not_served(layout: &Layout) -> Result<Self, DatabaseError> {
        let path = layout.folder().join("xcore.lock");
        let mut file = lock_file(&path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(served(layout, &mut file)),
            Err(TryLockError::Error(source)) => Err(folder_error(&path, source)),
        }
    }

    /// The right to make, change or delete database files, among all processes. Waits for it; blocks the thread.
    pub(super) fn change_files(layout: &Layout, wait: Duration) -> Result<Self, DatabaseError> {
        Self::wait_for(&layout.folder().join("xcore.files.lock"), wait)
    }

    /// The right to make or read the template, among all processes. Waits for it; blocks the thread.
    pub(super) fn template(layout: &Layout, wait: Duration) -> Result<Self, DatabaseError> {
        Self::wait_for(&layout.folder().join("xcore.template.lock"), wait)
    }

    fn wait_for(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        let file = lock_file(path)?;
        let deadline = Instant::now() + wait;
        while !try_lock(&file, path)? {
            if Instant::now() >= deadline {
                return Err(DatabaseError::WriterBusy { waited: wait });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(Self { _file: file })
    }
}

/// The right to create or delete a tenant, among all processes. It ends with the process, however it ends.
///
/// Each tenant has a lock file of its own, which is there while the right is held or wanted: whoever has it deletes the file
/// before he gives the lock free. So a lock counts only while the file that was locked is still the one of that name.
#[derive(Debug)]
pub(super) struct TenantClaim {
    path: PathBuf,
    _file: File,
}

impl TenantClaim {
    /// Deletes the lock files that processes have left behind which were killed.
    pub(super) fn sweep(layout: &Layout) {
        let left = fs::read_dir(layout.folder().join("locks")).into_iter().flatten().flatten();
        for file in left {
            let name = file.file_name();
            let id = name
                .to_str()
                .and_then(|name| name.strip_suffix(".lock"))
                .and_then(|id| TenantId::parse(id).ok());
            if let Some(id) = id {
                // Nobody's: taken, and given back with the file. Somebody's: he will.
                drop(Self::take(layout, &id, Duration::ZERO));
            }
        }
    }

    /// Waits for the right; blocks the thread.
    pub(super) fn take(layout: &Layout, id: &TenantId, wait: Duration) -> Result<Self, DatabaseError> {
        let folder = layout.folder().join("locks");
        private_folder().create(&folder).map_err(|source| folder_error(&folder, source))?;
        let path = folder.join(format!("{id}.lock"));
        let deadline = Instant::now() + wait;
        loop {
            let file = lock_file(&path)?;
            while !try_lock(&file, &path)? {
                if Instant::now() >= deadline {
                    return Err(DatabaseError::Claimed { tenant: *id, waited: wait });
                }
                std::thread::sleep(PAUSE);
            }
            if is_still_at(&file, &path).map_err(|source| folder_error(&path, source))? {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for TenantClaim {
    fn drop(&mut self) {
        // The lock ends after this, with the file. Where a name cannot be told from the file that it had, the file stays.
        #[cfg(unix)]
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a lock file was left behind");
        }
    }
}

/// Whether the path still names this file.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// How long a lock that another one has is left alone before it is asked for again.
const PAUSE: Duration = Duration::from_millis(5);

fn try_lock(file: &File, path: &Path) -> Result<bool, DatabaseError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(folder_error(path, source)),
    }
}

fn lock_file(path: &Path) -> Result<File, DatabaseError> {
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(|source| folder_error(path, source))
}

fn served(layout: &Layout, file: &mut File) -> DatabaseError {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(32).read_to_string(&mut text));
    DatabaseError::Served {
        folder: layout.folder().to_owned(),
        process: read.ok().and_then(|_| text.trim().parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn layout() -> (Layout, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Layout::prepare(folder.path()).unwrap(), folder)
    }

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn lock_files(layout: &Layout) -> usize {
        fs::read_dir(layout.folder().join("locks")).unwrap().count()
    }

    #[test]
    fn a_tenant_that_is_claimed_keeps_no_other_waiting() {
        let (layout, _folder) = layout();
        let held = TenantClaim::take(&layout, &id("acme"), Duration::ZERO).unwrap();
        for number in 0..200 {
            TenantClaim::take(&layout, &id(&format!("t{number}")), Duration::ZERO).unwrap();
        }
        let refused = TenantClaim::take(&layout, &id("acme"), Duration::from_millis(20));
        assert!(matches!(refused, Err(DatabaseError::Claimed { .. })), "{refused:?}");
        assert_eq!(layout.tenants().unwrap(), [], "a lock is not data");
        if cfg!(unix) {
            assert_eq!(lock_files(&layout), 1);
        }
        drop(held);
        TenantClaim::take(&layout, &id("acme"), Duration::ZERO).unwrap();
        if cfg!(unix) {
            assert_eq!(lock_files(&layout), 0, "nothing is left behind");
        }
    }

    #[test]
    fn of_many_that_claim_a_tenant_one_has_it() {
        let (layout, _folder) = layout();
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let held = TenantClaim::take(&layout, &id("acme"), Duration::from_secs(60)).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over() {
        let (layout, _folder) = layout();
        fs::create_dir(layout.folder().join("locks")).unwrap();
        let left = || fs::write(layout.folder().join("locks/acme.lock"), "").unwrap();
        left();
        TenantClaim::take(&layout, &id("acme"), Duration::ZERO).unwrap();
        left();
        let held = TenantClaim::take(&layout, &id("globex"), Duration::ZERO).unwrap();
        TenantClaim::sweep(&layout);
        if cfg!(unix) {
            assert_eq!(lock_files(&layout), 1, "what is held stays, what is not goes");
        }
        let refused = TenantClaim::take(&layout, &id("globex"), Duration::ZERO);
        assert!(matches!(refused, Err(DatabaseError::Claimed { .. })), "{refused:?}");
        drop(held);
    }
}
