//! Receives the events with which the system reports changes. If that goes wrong in any way, the folders concerned are
//! looked through every few seconds instead.

use std::io::ErrorKind::PermissionDenied;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use notify::event::EventKind;
use notify::{Error, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::engine::Wake;

/// inotify watches single folders, and the number of its watches is limited, so only folders that are looked into get
/// one. The other systems watch whole trees.
const PER_FOLDER: bool = cfg!(any(target_os = "linux", target_os = "android"));

pub(super) struct Notifier {
    watcher: RecommendedWatcher,
    per_folder: bool,
}

/// Why a folder is not followed by events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub message: String,
    pub advice: String,
}

impl Notifier {
    /// Sends every change outside `data_dirs` to `wake`.
    pub(super) fn new(wake: Sender<Wake>, data_dirs: Vec<PathBuf>) -> Result<Self, Trouble> {
        let on_event = move |event: notify::Result<notify::Event>| {
            // The receiver is gone when the watch ends: then nobody needs to know.
            let _ = match event {
                Ok(event) if event.need_rescan() => wake.send(Wake::Everything),
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => {
                    let is_ours = |path: &PathBuf| data_dirs.iter().any(|data_dir| path.starts_with(data_dir));
                    let paths: Vec<PathBuf> = event.paths.into_iter().filter(|path| !is_ours(path)).collect();
                    if paths.is_empty() {
                        return;
                    }
                    wake.send(Wake::Paths(paths))
                }
                Err(error) => {
                    let trouble = Trouble::of(&error);
                    wake.send(Wake::Trouble { paths: error.paths, trouble })
                }
            };
        };
        let watcher = notify::recommended_watcher(on_event).map_err(|error| Trouble::of(&error))?;
        Ok(Self { watcher, per_folder: PER_FOLDER })
    }

    /// Follows a watched folder and everything below it, if the system can watch trees; otherwise [`Notifier::entered`]
    /// follows each folder. A second call follows what is at the path by then: a new folder, or a drive that is back.
    pub(super) fn follow(&mut self, root: &Path) -> Result<(), Trouble> {
        if self.per_folder {
            return Ok(());
        }
        // Systems that watch trees would keep the first watch beside the second, and report everything twice. This
        // fails if there is no watch yet.
        let _ = self.watcher.unwatch(root);
        self.add(root, RecursiveMode::Recursive)
    }

    /// Called for every folder before it is listed, so that nothing is missed in between.
    pub(super) fn entered(&mut self, folder: &Path) -> Result<(), Trouble> {
        if self.per_folder { self.add(folder, RecursiveMode::NonRecursive) } else { Ok(()) }
    }

    fn add(&mut self, folder: &Path, mode: RecursiveMode) -> Result<(), Trouble> {
        match self.watcher.watch(folder, mode) {
            Ok(()) => Ok(()),
            // The folder went away meanwhile, which the next look notices. Windows has no special error for this.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) || !folder.is_dir() => Ok(()),
            // Such a folder cannot be listed either, and its row says so. The folder above reports when that changes.
            Err(Error { kind: ErrorKind::Io(io), .. }) if io.kind() == PermissionDenied => Ok(()),
            Err(error) => Err(Trouble::of(&error)),
        }
    }
}

impl Trouble {
    fn of(error: &notify::Error) -> Self {
        // At the limit on the number of instances, inotify fails with "too many open files" (24).
        let is_limit = match &error.kind {
            ErrorKind::MaxFilesWatch => Some("fs.inotify.max_user_watches"),
            ErrorKind::Io(io) if PER_FOLDER && io.raw_os_error() == Some(24) => Some("fs.inotify.max_user_instances"),
            _ => None,
        };
        match is_limit {
            Some(setting) => Self {
                message: format!("the system's limit on followed folders is reached ({setting})"),
                advice: format!(
                    "raise it, e.g. `sudo sysctl {setting}={}` (and a line in /etc/sysctl.d to keep it), then restart",
                    if setting.ends_with("watches") { 1_048_576 } else { 1024 }
                ),
            },
            None => Self {
                message: format!("the system does not tell of changes ({error})"),
                advice: "nothing, if the delay of a few seconds does no harm: changes are found by looking".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// As on systems that watch trees: a folder that is away is no trouble, and is followed once it is back.
    #[test]
    fn a_tree_is_followed_again_when_it_is_back() {
        let root = std::env::temp_dir().join(format!("nuthatch-tree-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let (wake, woken) = crossbeam_channel::unbounded();
        let mut notifier = Notifier { per_folder: false, ..Notifier::new(wake, vec!["/no/data".into()]).unwrap() };
        for n in 0..2 {
            assert_eq!(notifier.follow(&root), Ok(()), "away");
            fs::create_dir_all(root.join("deep")).unwrap();
            let root = root.canonicalize().unwrap();
            assert_eq!((notifier.follow(&root), notifier.follow(&root)), (Ok(()), Ok(())));
            let note = root.join(format!("deep/{n}.md"));
            fs::write(&note, "A heron.").unwrap();
            loop {
                match woken.recv_timeout(Duration::from_secs(60)).expect("the note is told of") {
                    Wake::Paths(paths) if paths.contains(&note) => break,
                    Wake::Trouble { trouble, .. } => panic!("{trouble:?}"),
                    _ => {}
                }
            }
            fs::remove_dir_all(&root).unwrap();
        }
    }

    #[test]
    fn a_limit_is_told_with_what_to_raise() {
        let trouble = Trouble::of(&notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(trouble.message.contains("limit"), "{trouble:?}");
        assert!(trouble.advice.contains("sudo sysctl fs.inotify.max_user_watches="), "{trouble:?}");
        let other = Trouble::of(&notify::Error::generic("no such device"));
        assert!(other.message.contains("no such device"), "{other:?}");
    }
}
