//! Writes an archive, on a thread that may block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{
    CHECKSUM, FIRST, FORMAT, JOBS, MANIFEST, Manifest, Member, PROFILE, TITLE, TableRows, WrittenProfile,
    hex, rows_name,
};
use super::{ArchiveError, Transferred};
use crate::db::{Inlet, Piece};
use crate::scheduler::MovedJob;

/// How much of a table one member holds, in bytes, at least; the memory that an export takes.
const PART: usize = 8 * 1024 * 1024;

/// A file without its name, which is removed unless it gets it.
struct Unfinished {
    path: PathBuf,
    is_named: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished archive was left behind");
        }
    }
}

/// Writes what comes into a file that has its name when it is whole, and that its owner alone may read.
pub(super) fn write(
    to: &Path,
    mut manifest: Manifest,
    profile: &WrittenProfile,
    jobs: &[MovedJob],
    rows: Inlet,
) -> Result<Transferred, ArchiveError> {
    let failed = |source| ArchiveError::file("write", to, source);
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    let path = to.with_file_name(name);
    let file = private(OpenOptions::new().write(true).create_new(true)).open(&path).map_err(failed)?;
    let mut unfinished = Unfinished { path, is_named: false };
    let mut writer = Writer { tar: tar::Builder::new(BufWriter::new(file)), members: Vec::new() };
    writer.add(FIRST, format!("{TITLE}{FORMAT}\n").as_bytes()).map_err(failed)?;
    writer.add(PROFILE, &json(profile).map_err(failed)?).map_err(failed)?;
    writer.add(JOBS, &json(&jobs).map_err(failed)?).map_err(failed)?;
    writer.add_rows(to, &mut manifest, rows)?;
    manifest.members = std::mem::take(&mut writer.members);
    let text = json(&manifest).map_err(failed)?;
    writer.add(MANIFEST, &text).map_err(failed)?;
    writer.add(CHECKSUM, format!("{}\n", hex(Sha256::new_with_prefix(&text))).as_bytes()).map_err(failed)?;
    let mut file = writer.tar.into_inner().map_err(failed)?;
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)?;
    if to.exists() {
        return Err(ArchiveError::FileExists { path: to.to_owned() });
    }
    fs::rename(&unfinished.path, to).map_err(failed)?;
    unfinished.is_named = true;
    sync_folder(to).map_err(failed)?;
    Ok(Transferred {
        tenant: manifest.tenant,
        tables: manifest.tables.len(),
        rows: manifest.tables.iter().map(|table| table.rows).sum(),
        jobs: jobs.len(),
    })
}

struct Writer {
    tar: tar::Builder<BufWriter<File>>,
    members: Vec<Member>,
}

impl Writer {
    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        let size = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        header.set_size(size);
        header.set_cksum();
        self.tar.append(&header, bytes)?;
        let sha256 = hex(Sha256::new_with_prefix(bytes));
        self.members.push(Member { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    /// Writes what comes until all of it was there.
    fn add_rows(&mut self, to: &Path, manifest: &mut Manifest, mut rows: Inlet) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::file("write", to, source);
        let mut part: Vec<u8> = Vec::new();
        let mut parts = 0;
        let mut flush = |part: &mut Vec<u8>, manifest: &mut Manifest| {
            if part.is_empty() {
                return Ok(());
            }
            parts += 1;
            self.add(&rows_name(parts), part)?;
            part.clear();
            if let Some(table) = manifest.tables.last_mut() {
                table.members += 1;
            }
            Ok(())
        };
        loop {
            match rows.blocking_next().ok_or(ArchiveError::CutShort)? {
                Piece::Begin(applied) => manifest.migrations = applied,
                Piece::Table(table) => manifest.tables.push(TableRows { table, rows: 0, members: 0 }),
                Piece::Rows(bytes) => {
                    part.extend_from_slice(&bytes);
                    if part.len() >= PART {
                        flush(&mut part, manifest).map_err(failed)?;
                    }
                }
                Piece::End(count) => {
                    flush(&mut part, manifest).map_err(failed)?;
                    if let Some(table) = manifest.tables.last_mut() {
                        table.rows = count;
                    }
                }
                Piece::Sequence(sequence) => manifest.sequences.push(sequence),
                Piece::Done => return Ok(()),
            }
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// So that the name survives a loss of power as the file does.
fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
