//! Which files there are, and which of them are trusted.
//!
//! Nothing here opens a database file. Closing *any* descriptor of a file drops every POSIX lock that the process has on
//! it, SQLite's included (<https://www.sqlite.org/howtocorrupt.html>, 2.2), so only its metadata is read.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::db::DatabaseError;
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

/// How the name of a template's file begins.
const TEMPLATE: &str = "template-";

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

    /// The template of a version. It is not among the tenants.
    pub(super) fn template(&self, version: &str) -> PathBuf {
        self.folder.join(format!("{TEMPLATE}{version}.db"))
    }

    /// The files of templates, whole or not, but for that of this version.
    pub(super) fn other_templates(&self, version: &str) -> Result<Vec<PathBuf>, DatabaseError> {
        let kept = self.template(version);
        let entries = fs::read_dir(&self.folder).map_err(|source| folder_error(&self.folder, source))?;
        let is_template = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(TEMPLATE))
        };
        Ok(entries
            .flatten()
            .map(|entry| entry.path())
            .filter(is_template)
            .filter(|path| *path != kept)
            .collect())
    }

    /// Where spare databases are. It is not among the tenants.
    fn spare_folder(&self) -> PathBuf {
        self.folder.join("spares")
    }

    /// A new spare database of a version.
    pub(super) fn new_spare(&self, version: &str) -> Result<PathBuf, DatabaseError> {
        let folder = self.spare_folder();
        private_folder().create(&folder).map_err(|source| folder_error(&folder, source))?;
        // A hasher with random keys is the random number that the standard library has.
        let number = RandomState::new().hash_one(0_u8);
        Ok(folder.join(format!("{version}-{number:016x}.db")))
    }

    /// The spare databases: those of this version, and all other files.
    pub(super) fn spares(&self, version: &str) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DatabaseError> {
        let folder = self.spare_folder();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(source) => return Err(folder_error(&folder, source)),
        };
        let is_current = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&format!("{version}-")) && name.ends_with(".db") && look(path) == Found::File
        };
        Ok(entries.flatten().map(|entry| entry.path()).partition(is_current))
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
pub(super) fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Files that only the owner may read; SQLite gives its side files the mode of their database.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
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

/// Whether a part of a database is not in its file yet.
pub(super) fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Makes a new database as a copy of one that nobody has open; `false` when there is one. It is whole when it has its name.
pub(super) fn copy_new(from: &Path, to: &Path) -> Result<bool, DatabaseError> {
    if look(to) != Found::Nothing {
        return Ok(false);
    }
    let failed = |source| folder_error(parent(to), source);
    // The ending is none that a tenant's file has. Whoever copies has the folder's lock, so one name is enough.
    let unfinished = parent(from).join("template-copy.new");
    delete_one(&unfinished)?;
    let mut source = fs::File::open(from).map_err(failed)?;
    let mut copy =
        private(OpenOptions::new().write(true).create_new(true)).open(&unfinished).map_err(failed)?;
    io::copy(&mut source, &mut copy).map_err(failed)?;
    copy.sync_all().map_err(failed)?;
    reached(Step::CreateFileCopied);
    for suffix in SIDE_FILES {
        delete_one(&beside(to, suffix))?;
    }
    fs::rename(&unfinished, to).map_err(failed)?;
    Ok(true)
}

/// Gives a database that nobody has open, and whose log is in it, another name that nothing has. It has one of the two at any moment.
pub(super) fn rename(from: &Path, to: &Path, done: Step) -> Result<(), DatabaseError> {
    let failed = |source| folder_error(parent(to), source);
    // What an earlier one of the name left would be taken for the log of this one.
    for suffix in SIDE_FILES {
        delete_one(&beside(to, suffix))?;
    }
    fs::rename(from, to).map_err(failed)?;
    reached(done);
    delete_side_files(from)?;
    // What is noted of the name next must not outlast the name itself.
    #[cfg(unix)]
    fs::File::open(parent(to)).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(())
}

/// Deletes what is left beside a database that has gone.
pub(super) fn delete_side_files(path: &Path) -> Result<(), DatabaseError> {
    SIDE_FILES.iter().try_for_each(|suffix| delete_one(&beside(path, suffix)))
}

/// Deletes a database that nobody has open.
pub(super) fn delete(path: &Path) -> Result<(), DatabaseError> {
    // The database goes first: a log without its database is ignored and swept by `create`, while a database without its
    // log is one that lost commits.
    delete_one(path)?;
    reached(Step::PurgeFileDeleted);
    for suffix in SIDE_FILES {
        delete_one(&beside(path, suffix))?;
    }
    Ok(())
}

pub(super) fn delete_one(path: &Path) -> Result<(), DatabaseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(folder_error(parent(path), error)),
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

pub(super) fn folder_error(path: &Path, source: io::Error) -> DatabaseError {
    DatabaseError::Folder { path: path.to_owned(), source: Arc::new(source) }
}
