//! After which changes the build script runs again.
//!
//! Cargo looks at modification times. A relative or missing path counts as changed for ever, and a folder is
//! searched through to its leaves, so the package's own folder would count as changed with every file that
//! the app or cargo writes. Only files that exist are therefore watched, and one small folder of our own that
//! notices overlays which are made later.

use std::path::{Path, PathBuf};

use crate::layer::{FileList, find_overlays, overlay_path};

/// Names of environments that an overlay is expected for sooner or later.
#[cfg(unix)]
const EXPECTED: &[&str] = &["dev", "development", "local", "prod", "production", "staging", "test"];

/// Everything to watch: absolute paths that exist.
///
/// A configuration file that is missing is not watched: it is an error, and cargo runs a failed script again
/// anyway.
pub(super) fn paths(files: &FileList, folder: &Path, out_dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        files.paths().iter().map(|file| folder.join(file)).filter(|path| path.is_file()).collect();
    if let Some(first) = files.first().map(|first| folder.join(first)) {
        paths.extend(find_overlays(&first).into_iter().map(|(_, path)| path));
        paths.extend(watch_for_overlays(&first, out_dir));
    }
    paths
}

/// A folder of links to overlays that do not exist yet. Cargo follows links and passes over those that lead
/// nowhere, so the folder counts as changed once one of the overlays is there, and never before.
#[cfg(unix)]
fn watch_for_overlays(first: &Path, out_dir: &Path) -> Option<PathBuf> {
    let folder = out_dir.join("xcore_overlays");
    std::fs::create_dir_all(&folder).ok()?;
    for name in EXPECTED {
        let (link, overlay) = (folder.join(name), overlay_path(first, name));
        // What exists is watched by itself; a link that is new in this run would count as changed in the next
        // one.
        if overlay.exists() {
            let _ = std::fs::remove_file(&link);
        } else if std::fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(&overlay, &link).ok()?;
        }
    }
    // The folder itself was changed just now, which must not count.
    let folder_file = std::fs::File::open(&folder).ok()?;
    folder_file.set_modified(std::time::SystemTime::UNIX_EPOCH).ok()?;
    Some(folder)
}

/// Without links that any user may make, an overlay that is new is checked when something else makes the
/// script run, and at start.
#[cfg(not(unix))]
fn watch_for_overlays(_first: &Path, _out_dir: &Path) -> Option<PathBuf> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn every_watched_path_is_absolute_and_exists() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("xcore.yaml"), "").unwrap();
        std::fs::write(folder.path().join("xcore.production.yaml"), "").unwrap();
        let files = FileList::new(Path::new("xcore.yaml,absent.yaml"));
        let paths = paths(&files, folder.path(), folder.path());
        assert!(paths.iter().all(|path| path.is_absolute() && path.exists()), "{paths:?}");
        assert_eq!(paths.len(), 3);
    }

    #[test]
    fn the_watched_folder_is_older_than_any_build_until_an_overlay_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("xcore.yaml");
        let watched = watch_for_overlays(&file, folder.path()).unwrap();
        let newest = || {
            // As cargo does: the folder, and what its links lead to.
            let inside = std::fs::read_dir(&watched)
                .unwrap()
                .filter_map(|entry| std::fs::metadata(entry.unwrap().path()).ok());
            inside.chain(std::fs::metadata(&watched).ok()).map(|data| data.modified().unwrap()).max().unwrap()
        };
        assert_eq!(newest(), std::time::SystemTime::UNIX_EPOCH);
        std::fs::write(folder.path().join("xcore.staging.yaml"), "").unwrap();
        assert!(newest() > std::time::SystemTime::UNIX_EPOCH);
        watch_for_overlays(&file, folder.path()).unwrap();
        assert_eq!(newest(), std::time::SystemTime::UNIX_EPOCH);
    }
}
