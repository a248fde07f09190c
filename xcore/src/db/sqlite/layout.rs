//! Which files there are, and which of them are trusted.
//!
//! Nothing here opens a database file. Closing *any* descriptor of a file drops every POSIX lock that the process has on
//! it, SQLite's included (<https://www.sqlite.org/howtocorrupt.html>, 2.2), so only its metadata is read.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// The data folder.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    folder: PathBuf,
}

/// What lies where a database file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    File,
    Odd(&'static str),
}

impl Layout {
    /// Makes the folder when it does not exist.
    pub(super) fn prepare(folder: &Path) -> Result<Self, DatabaseError> {
        private_folder().create(folder.join("tenants")).map_err(|source| folder_error(folder, source))?;
        // SQLite wants an absolute path: the working folder may change.
        let folder = folder.canonicalize().map_err(|source| folder_error(folder, source))?;
        if folder.to_str().is_none() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8");
            return Err(folder_error(&folder, source));
        }
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn shared(&self) -> PathBuf {
        self.folder.join("shared.db")
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.folder.join("directory.db")
    }

    /// A file name comes from a [`TenantId`] and from nothing else: its grammar holds no separator and no dot.
    pub(super) fn tenant(&self, id: &TenantId) -> PathBuf {
        self.folder.join("tenants").join(format!("{id}.db"))
    }

    /// The tenants whose files exist, sorted.
    pub(super) fn tenants(&self) -> Result<Vec<TenantId>, DatabaseError> {
        let folder = self.folder.join("tenants");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|source| folder_error(&folder, source))? {
            let entry = entry.map_err(|source| folder_error(&folder, source))?;
            let name = entry.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".db")) else {
                continue;
            };
            // `ACME.db` would parse as `acme`, whose file is another one.
            if let Ok(id) = TenantId::parse(stem)
                && id.as_str() == stem
                && look(&entry.path()) == Found::File
            {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Looks at a database file and at those that SQLite keeps beside it.
pub(super) fn look(path: &Path) -> Found {
    match look_at(path) {
        Found::File => {}
        other => return other,
    }
    for suffix in SIDE_FILES {
        if let Found::Odd(problem) = look_at(&beside(path, suffix)) {
            return Found::Odd(problem);
        }
    }
    Found::File
}

fn look_at(path: &Path) -> Found {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Found::Odd("it is a symbolic link"),
        Ok(metadata) if !metadata.is_file() => Found::Odd("it is not a regular file"),
        // Two names of one file would be one database of two tenants, with two logs that know nothing of each other.
        Ok(metadata) if links(&metadata) > 1 => Found::Odd("it has a second hard link"),
        Ok(_) => Found::File,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Odd("it cannot be looked at"),
    }
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

/// Folders that only the owner may enter.
fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Files that only the owner may read; SQLite gives its side files the mode of their database.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// How many files this process may have open, where that can be read.
pub(super) fn descriptor_limit() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes an empty file for a new database. Returns false when there is one.
///
/// What an earlier database of that name left beside it is deleted, or SQLite would take it for this one's log.
pub(super) fn create(path: &Path) -> Result<bool, DatabaseError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(folder_error(parent(path), source)),
    }
    for suffix in SIDE_FILES {
        delete_one(&beside(path, suffix))?;
    }
    Ok(true)
}

/// Deletes a database that nobody has open.
pub(super) fn delete(path: &Path) -> Result<(), DatabaseError> {
    // The database goes first: a log without its database is ignored and swept by `create`, while a database without its
    // log is one that lost commits.
    delete_one(path)?;
    for suffix in SIDE_FILES {
        delete_one(&beside(path, suffix))?;
    }
    Ok(())
}

fn delete_one(path: &Path) -> Result<(), DatabaseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(folder_error(parent(path), error)),
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn folder_error(path: &Path, source: io::Error) -> DatabaseError {
    DatabaseError::Folder { path: path.to_owned(), source: Arc::new(source) }
}

/// A claim on the data folder that ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Claim {
    _file: File,
}

impl Claim {
    /// Claims the folder for the process that serves.
    pub(super) fn serve(layout: &Layout) -> Result<Self, DatabaseError> {
        let path = layout.folder.join("xcore.lock");
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
        let path = layout.folder.join("xcore.lock");
        let mut file = lock_file(&path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(served(layout, &mut file)),
            Err(TryLockError::Error(source)) => Err(folder_error(&path, source)),
        }
    }

    /// The right to make, change or delete database files, among all processes. Waits for it; blocks the thread.
    pub(super) fn change_files(layout: &Layout, wait: Duration) -> Result<Self, DatabaseError> {
        Self::wait_for(&layout.folder.join("xcore.files.lock"), wait)
    }

    /// The right to create or delete a tenant, among all processes. Waits for it; blocks the thread.
    ///
    /// Tenants share a fixed number of locks, so that a deleted one leaves no file. The number is the same in every process.
    pub(super) fn tenant(layout: &Layout, id: &TenantId, wait: Duration) -> Result<Self, DatabaseError> {
        let number =
            id.as_bytes().iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)) % 64;
        let folder = layout.folder.join("locks");
        private_folder().create(&folder).map_err(|source| folder_error(&folder, source))?;
        Self::wait_for(&folder.join(format!("{number}.lock")), wait)
    }

    fn wait_for(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        let file = lock_file(path)?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Err(TryLockError::WouldBlock) => return Err(DatabaseError::WriterBusy { waited: wait }),
                Err(TryLockError::Error(source)) => return Err(folder_error(path, source)),
            }
        }
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
        folder: layout.folder.clone(),
        process: read.ok().and_then(|_| text.trim().parse().ok()),
    }
}
