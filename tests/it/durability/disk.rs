//! Limits of the real system: files that may not grow, a full disk, a folder that may not be written to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Nuthatch, write};

fn notes(folder: &Path, bird: &str, n: usize, paragraphs: usize) {
    for i in 0..n {
        // Every word occurs once, so that the text compresses badly.
        let words: String = (0..paragraphs * 8).map(|w| format!("w{:x} ", (i * 9973 + w) * 2_654_435_761)).collect();
        write(
            folder,
            &[(&format!("{bird}{i}.md"), format!("# {bird} {i}\n\nThe {bird} waits.\n\n{words}").as_bytes())],
        );
    }
}

fn n_found(nuthatch: &Nuthatch, bird: &str) -> usize {
    let answer = nuthatch.run(&["search", bird, "--stage", "lexical", "--top", "100", "--json"]);
    answer.json()["hits"].as_array().map_or(0, Vec::len)
}

/// `command`, run through a shell that lets no file grow beyond `kb` kilobytes.
fn limited(command: &Command, kb: usize) -> Command {
    let mut limited = Command::new("sh");
    // `ulimit -f` counts blocks of 512 bytes. A write beyond the limit sends a signal that would end the process. While
    // the signal is ignored, the write fails instead.
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kb * 2)]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        value.map(|value| limited.env(name, value));
    }
    limited.stdin(Stdio::null());
    limited
}

#[test]
fn files_that_may_not_grow_leave_what_was_indexed() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    notes(folder.path(), "heron", 5, 4);
    nuthatch.index(folder.path());
    notes(folder.path(), "pelican", 40, 400);

    let failed = limited(&nuthatch.command(&["index", "--json"]), 60).output().unwrap();
    let said = String::from_utf8(failed.stdout).unwrap();
    assert_eq!(failed.status.code(), Some(3), "{said} {}", String::from_utf8_lossy(&failed.stderr));
    let index = nuthatch.data_dir().join("index").canonicalize().unwrap();
    let names_and_helps = said.contains(index.to_str().unwrap()) && said.contains("make room");
    assert!(said.contains("disk_full") && names_and_helps, "{said}");

    let search = limited(&nuthatch.command(&["search", "heron", "--json", "--stage", "lexical"]), 60).output().unwrap();
    assert_eq!(search.status.code(), Some(0), "{search:?}");
    assert_eq!((n_found(&nuthatch, "heron"), n_found(&nuthatch, "pelican")), (5, 0));
    nuthatch.index(folder.path());
    assert_eq!((n_found(&nuthatch, "heron"), n_found(&nuthatch, "pelican")), (5, 40));
}

/// Unmounts when it is dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(folder.path());
        mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_indexing_goes_on_when_there_is_room() {
    use std::io::{BufRead, BufReader};

    use nuthatch_engine::index::Generations;

    let Some(disk) = SmallDisk::mount("8m") else {
        println!("a full disk: not tested, mounting takes rights");
        return;
    };
    let nuthatch = Nuthatch::without_models();
    let data_dir = disk.0.path().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    notes(folder.path(), "heron", 5, 4);
    let indexed = nuthatch.run(&["--data-dir", data_dir, "index", folder.path().to_str().unwrap()]);
    assert_eq!(indexed.code, 0, "{indexed:?}");
    let filler = disk.0.path().join("filler");
    // Writes until nothing more fits.
    let _ = fs::write(&filler, vec![1; 8 << 20]);
    notes(folder.path(), "pelican", 40, 100);

    let mut watch = nuthatch.command(&["--data-dir", data_dir, "watch"]).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stderr.take().unwrap()).lines().map(Result::unwrap);
    let says = lines.find(|line| line.contains("make room")).expect("the watch ended without a word");
    assert!(says.contains(data_dir), "{says}");
    let found = nuthatch.run(&["--data-dir", data_dir, "search", "heron", "--stage", "lexical", "--json"]);
    assert_eq!(found.files().len(), 5, "{found:?}");

    fs::remove_file(filler).unwrap();
    let generations = Generations::new(disk.0.path());
    let n_files = || generations.current().unwrap().unwrap().snapshot().unwrap().n_files().unwrap();
    while n_files() < 45 {
        assert!(watch.try_wait().unwrap().is_none(), "the watch ended");
        std::thread::yield_now();
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_folder_that_may_only_be_read_is_searched_and_named() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    notes(folder.path(), "heron", 5, 4);
    nuthatch.index(folder.path());
    let is_root = fs::metadata(nuthatch.data_dir()).unwrap().uid() == 0;
    let set = |mode_of_folders: u32, mode_of_files: u32| {
        let index = nuthatch.data_dir().join("index");
        let inner: Vec<_> = fs::read_dir(&index).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
        for file in crate::support::files(nuthatch.data_dir()) {
            fs::set_permissions(file, fs::Permissions::from_mode(mode_of_files)).unwrap();
        }
        for path in inner.iter().map(|p| p.as_path()).chain([index.as_path(), nuthatch.data_dir()]) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode_of_folders)).unwrap();
        }
    };
    for path in [folder.path(), nuthatch.models_dir()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    set(0o555, 0o444);
    // Permissions do not bind root, so another user runs the command.
    let run = |args: &[&str]| {
        let mut command = nuthatch.command(args);
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.output()
    };
    let Ok(found) = run(&["search", "heron", "--stage", "lexical", "--json"]) else {
        println!("a read-only folder: not tested, the command cannot be run by somebody else");
        set(0o755, 0o644);
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(found.status.code(), Some(0), "{} {}", text(&found.stdout), text(&found.stderr));
    assert!(text(&found.stdout).contains("heron4.md"));
    let failed = run(&["index", "--json"]).unwrap();
    set(0o755, 0o644);
    let said = text(&failed.stdout);
    assert_eq!(failed.status.code(), Some(3), "{said}");
    let path = nuthatch.data_dir().canonicalize().unwrap();
    let names_and_helps = said.contains(path.to_str().unwrap()) && said.contains("permission to write");
    assert!(said.contains("read_only") && names_and_helps, "{said}");
}
