//! Reads an archive, on a thread that may block: first all of it, to see that it is as it was written, and then its rows.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ArchiveError;
use super::manifest::{
    CHECKSUM, FIRST, FORMAT, JOBS, MANIFEST, Manifest, Member, PROFILE, TITLE, WrittenProfile, hex, read_json,
};
use crate::db::{Outlet, PIECE, Piece};
use crate::scheduler::MovedJob;

/// What is read into memory as a whole is at most so large, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// An archive of a terabyte has some hundred thousand.
const MOST_MEMBERS: usize = 2_000_000;

/// An archive that is as it was written.
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    pub(super) manifest: Manifest,
    pub(super) profile: WrittenProfile,
    pub(super) jobs: Vec<MovedJob>,
    /// Where the members begin.
    places: Vec<u64>,
}

/// Of the members those that are read as a whole.
#[derive(Default)]
struct Texts {
    first: Vec<u8>,
    profile: Vec<u8>,
    jobs: Vec<u8>,
    manifest: Vec<u8>,
    checksum: Vec<u8>,
}

impl Texts {
    fn of(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        match name {
            FIRST => Some(&mut self.first),
            PROFILE => Some(&mut self.profile),
            JOBS => Some(&mut self.jobs),
            MANIFEST => Some(&mut self.manifest),
            CHECKSUM => Some(&mut self.checksum),
            _ => None,
        }
    }
}

impl Archive {
    /// Opens an archive and reads all of it.
    ///
    /// # Errors
    /// When it is not, byte by byte, what an export has written.
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|source| ArchiveError::file("read", path, source))?;
        let mut texts = Texts::default();
        let (mut found, places) = members(path, &file, &mut texts)?;
        let damaged = |member: &str, problem| ArchiveError::damaged(path, member, problem);
        // The last two vouch for all others.
        let last = found.split_off(found.len().saturating_sub(2));
        let names: Vec<&str> = last.iter().map(|member| member.name.as_str()).collect();
        if names != [MANIFEST, CHECKSUM] {
            return Err(damaged("its end", "is missing"));
        }
        let hash = format!("{}\n", hex(Sha256::new_with_prefix(&texts.manifest)));
        if texts.checksum != hash.as_bytes() {
            return Err(damaged(MANIFEST, "is not what its checksum says"));
        }
        let manifest: Manifest = read_json(path, MANIFEST, &texts.manifest)?;
        manifest.check(path)?;
        if found.len() != manifest.members.len() {
            return Err(damaged(MANIFEST, "names more or fewer members than there are"));
        }
        for (found, said) in found.iter().zip(&manifest.members) {
            if found.name != said.name {
                return Err(damaged(&said.name, "is missing, or not in its place"));
            }
            if found.size != said.size {
                return Err(damaged(&said.name, "has not the size that the manifest says"));
            }
            if found.sha256 != said.sha256 {
                return Err(damaged(&said.name, "is not what its checksum says"));
            }
        }
        let (profile, jobs) =
            (read_json(path, PROFILE, &texts.profile)?, read_json(path, JOBS, &texts.jobs)?);
        Ok(Self { path: path.to_owned(), file, manifest, profile, jobs, places })
    }

    /// Sends the rows. What was changed since the archive was opened is an error, and then it does not say that it is done.
    pub(super) fn send(&self, out: &mut Outlet) -> Result<(), ArchiveError> {
        let gone = |_| ArchiveError::CutShort;
        let manifest = &self.manifest;
        out.blocking_send(Piece::Begin(manifest.migrations.clone())).map_err(gone)?;
        // The first three are no rows.
        let mut members = manifest.members.iter().zip(&self.places).skip(3);
        for table in &manifest.tables {
            out.blocking_send(Piece::Table(table.table.clone())).map_err(gone)?;
            for (member, place) in members.by_ref().take(table.members) {
                self.send_member(member, *place, out)?;
            }
            out.blocking_send(Piece::End(table.rows)).map_err(gone)?;
        }
        for sequence in &manifest.sequences {
            out.blocking_send(Piece::Sequence(sequence.clone())).map_err(gone)?;
        }
        out.blocking_send(Piece::Done).map_err(gone)
    }

    fn send_member(&self, member: &Member, place: u64, out: &mut Outlet) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::file("read", &self.path, source);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place)).map_err(failed)?;
        let mut rest = file.take(member.size);
        let mut hash = Sha256::new();
        loop {
            let mut piece = Vec::new();
            rest.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            hash.update(&piece);
            out.blocking_send(Piece::Rows(piece)).map_err(|_| ArchiveError::CutShort)?;
        }
        if hex(hash) == member.sha256 {
            return Ok(());
        }
        Err(ArchiveError::damaged(&self.path, &member.name, "was changed while it was read"))
    }
}

/// All members, with their sizes, checksums and places.
fn members(path: &Path, file: &File, texts: &mut Texts) -> Result<(Vec<Member>, Vec<u64>), ArchiveError> {
    let failed = |source| ArchiveError::file("read", path, source);
    let mut archive = tar::Archive::new(BufReader::with_capacity(64 * 1024, file));
    let (mut found, mut places): (Vec<Member>, Vec<u64>) = (Vec::new(), Vec::new());
    // Raw: members as they are. Long names and the like are members of their own then, and refused.
    for entry in archive.entries().map_err(failed)?.raw(true) {
        let Ok(mut entry) = entry else {
            return Err(match found.is_empty() {
                true => ArchiveError::NotAnArchive { path: path.to_owned() },
                false => ArchiveError::damaged(path, "the head of a member", "cannot be read"),
            });
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let damaged = |problem| ArchiveError::damaged(path, format!("the member {name:?}"), problem);
        if !entry.header().entry_type().is_file() {
            return Err(damaged("is no file"));
        }
        let is_new = !found.iter().rev().take(5).any(|member| member.name == name);
        if !is_new || found.len() >= MOST_MEMBERS {
            return Err(damaged("is there too often"));
        }
        let (size, place) = (entry.size(), entry.raw_file_position());
        let mut text = texts.of(&name);
        if text.is_some() && size > LARGEST {
            return Err(damaged("is too large"));
        }
        let mut hash = Sha256::new();
        let read = copy(&mut entry, |bytes| {
            hash.update(bytes);
            if let Some(text) = &mut text {
                text.extend_from_slice(bytes);
            }
        });
        if read.map_err(failed)? != size {
            return Err(damaged("is cut off"));
        }
        if found.is_empty() {
            check_first(path, &name, &texts.first)?;
        }
        found.push(Member { name, size, sha256: hex(hash) });
        places.push(place);
    }
    if found.is_empty() {
        Err(ArchiveError::NotAnArchive { path: path.to_owned() })
    } else {
        Ok((found, places))
    }
}

/// Before anything else is looked at: another format may have other members.
fn check_first(path: &Path, name: &str, text: &[u8]) -> Result<(), ArchiveError> {
    let text = String::from_utf8_lossy(text);
    match text.strip_prefix(TITLE).filter(|_| name == FIRST).map(str::trim_end) {
        None => Err(ArchiveError::NotAnArchive { path: path.to_owned() }),
        Some(format) if format == FORMAT.to_string() => Ok(()),
        Some(format) => {
            Err(ArchiveError::Format { path: path.to_owned(), found: format.chars().take(20).collect() })
        }
    }
}

/// Gives how many bytes there were.
fn copy(from: &mut impl Read, mut to: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut all = 0_u64;
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(all) };
        to(bytes);
        all += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::write::write;
    use super::*;
    use crate::db::{Applied, Form, Inlet, Table, way};
    use crate::tenancy::TenantId;

    const ROWS: &[u8] = b"I\x01\0\0\0\0\0\0\0";

    fn written(path: &Path) {
        let (mut out, rows) = way();
        let manifest = Manifest {
            format: FORMAT,
            xcore: String::new(),
            app: String::new(),
            tenant: TenantId::parse("acme").unwrap(),
            exported: String::new(),
            created: None,
            rows: Form::Sqlite,
            migrations: Applied::new(),
            tables: Vec::new(),
            sequences: Vec::new(),
            members: Vec::new(),
        };
        let sending = std::thread::spawn(move || {
            out.blocking_send(Piece::Begin(Applied::new())).unwrap();
            let table = Table { name: "notes".to_owned(), columns: vec!["id".to_owned()] };
            for piece in [Piece::Table(table), Piece::Rows(ROWS.to_vec()), Piece::End(1), Piece::Done] {
                out.blocking_send(piece).unwrap();
            }
        });
        write(path, manifest, &WrittenProfile::default(), &[], rows).unwrap();
        sending.join().unwrap();
    }

    /// The pieces that come, in short.
    fn pieces(archive: Archive) -> (Result<(), ArchiveError>, Vec<String>) {
        let (mut out, rows) = way();
        let taking = std::thread::spawn(move || {
            let mut rows: Inlet = rows;
            std::iter::from_fn(|| rows.blocking_next()).map(|piece| format!("{piece:?}")).collect()
        });
        let sent = archive.send(&mut out);
        drop(out);
        (sent, taking.join().unwrap())
    }

    #[test]
    fn what_is_changed_after_it_was_checked_never_comes_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.tar");
        written(&path);
        let (sent, came) = pieces(Archive::open(&path).unwrap());
        assert!(sent.is_ok() && came.last().is_some_and(|last| last == "Done"), "{came:?}");

        let archive = Archive::open(&path).unwrap();
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        // The first member that holds rows.
        file.seek(SeekFrom::Start(archive.places[3] + 1)).unwrap();
        file.write_all(&[2]).unwrap();
        let (sent, came) = pieces(archive);
        assert!(matches!(sent, Err(ArchiveError::Damaged { .. })), "{sent:?}");
        assert!(!came.contains(&"Done".to_owned()), "{came:?}");
    }
}
