//! Files of the index that are mapped into memory, and what becomes of one that is cut off meanwhile.
//!
//! Where no file stands behind a mapped page any more, the system sends SIGBUS, which ends the process. For pages of ours
//! zeros are put in their place instead, and the file is noted: whoever read it asks [`cut_off`] before he believes what he
//! read, and a commit is refused (`Folder`). Windows lets nobody cut off a file that is mapped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::FileHandle;

/// Stands for `handle`, whose file is at `path`.
#[cfg(not(unix))]
pub(super) fn watched(handle: Arc<dyn FileHandle>, _path: PathBuf) -> std::io::Result<Arc<dyn FileHandle>> {
    Ok(handle)
}

/// The files in `folder` that were cut off while they were mapped by this process, as far as somebody read what is gone.
#[cfg(not(unix))]
pub(super) fn cut_off(_folder: &Path) -> BTreeSet<String> {
    BTreeSet::new()
}

/// How many files of the generation in `folder`, and of those beside it, were cut off so.
#[cfg(not(unix))]
pub(super) fn n_cut_off(_folder: &Path) -> usize {
    0
}

/// Lets go of the mapped pages that were read, which count as this process's memory until somebody else wants it. They
/// stay in the system's cache: to read one again takes about a microsecond.
#[cfg(not(unix))]
pub(super) fn give_back_pages() {}

#[cfg(unix)]
pub(super) use unix::{cut_off, give_back_pages, n_cut_off, watched};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::ops::{Deref, Range};
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
    use std::sync::{Mutex, MutexGuard, Once};

    use stable_deref_trait::StableDeref;
    use tantivy::directory::OwnedBytes;

    use super::{Arc, BTreeSet, FileHandle, Path, PathBuf};

    /// Mapped files that are known to the handler at once. A segment has eight, and an index some thirty segments; readers
    /// of older commits hold more. What is beyond is mapped all the same, without a guard.
    const N_SLOTS: usize = 4096;

    /// Where a file is mapped, for a handler that may take no lock.
    struct Slot {
        start: AtomicUsize,
        /// 0 for a slot that is free.
        end: AtomicUsize,
        is_cut_off: AtomicBool,
    }

    static SLOTS: [Slot; N_SLOTS] =
        [const { Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), is_cut_off: AtomicBool::new(false) } };
            N_SLOTS];
    static IS_ANY_CUT_OFF: AtomicBool = AtomicBool::new(false);
    static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);
    /// What SIGBUS did before us; null until then.
    static FORMER: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
    static FILES: Mutex<Files> = Mutex::new(Files { of_slots: Vec::new(), cut_off: BTreeSet::new() });

    struct Files {
        /// The file of each slot so far used.
        of_slots: Vec<Option<PathBuf>>,
        /// Those that are mapped no longer.
        cut_off: BTreeSet<PathBuf>,
    }

    fn files() -> MutexGuard<'static, Files> {
        FILES.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(in crate::index) fn cut_off(folder: &Path) -> BTreeSet<String> {
        let here = cut_off_where(|file| file.parent() == Some(folder));
        here.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect()
    }

    pub(in crate::index) fn n_cut_off(folder: &Path) -> usize {
        cut_off_where(|file| file.ancestors().nth(2) == folder.parent()).len()
    }

    fn cut_off_where(is_meant: impl Fn(&Path) -> bool) -> BTreeSet<PathBuf> {
        if !IS_ANY_CUT_OFF.load(Ordering::Acquire) {
            return BTreeSet::new();
        }
        let files = files();
        let mapped = files.of_slots.iter().zip(&SLOTS).filter(|(_, slot)| slot.is_cut_off.load(Ordering::Acquire));
        let all = mapped.filter_map(|(file, _)| file.as_ref()).chain(&files.cut_off);
        all.filter(|file| is_meant(file)).cloned().collect()
    }

    pub(in crate::index) fn watched(handle: Arc<dyn FileHandle>, path: PathBuf) -> io::Result<Arc<dyn FileHandle>> {
        install_once();
        let bytes = handle.read_bytes(0..handle.len())?;
        if bytes.is_empty() {
            return Ok(handle);
        }
        let mut files = files();
        let free = files.of_slots.iter().position(Option::is_none).unwrap_or(files.of_slots.len());
        let Some(slot) = SLOTS.get(free) else { return Ok(handle) };
        if free == files.of_slots.len() {
            files.of_slots.push(None);
        }
        files.of_slots[free] = Some(path);
        let range = bytes.as_slice().as_ptr_range();
        slot.is_cut_off.store(false, Ordering::Release);
        slot.start.store(range.start as usize, Ordering::Release);
        slot.end.store(range.end as usize, Ordering::Release);
        Ok(Arc::new(Mapped(Arc::new(Guarded { bytes, slot: free }))))
    }

    pub(in crate::index) fn give_back_pages() {
        // While it is held, nothing is unmapped.
        let files = files();
        let page_bytes = PAGE_BYTES.load(Ordering::Acquire);
        for (_, slot) in files.of_slots.iter().zip(&SLOTS).filter(|(file, _)| file.is_some()) {
            let (start, end) = (slot.start.load(Ordering::Acquire), slot.end.load(Ordering::Acquire));
            // What lies elsewhere in a page would be no mapping of a file, and lost.
            if end > start && start % page_bytes == 0 {
                // SAFETY: these pages are a mapping of a file that is only read (or zeros in their place): what they hold is
                // read from the file again.
                unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_DONTNEED) };
            }
        }
    }

    #[derive(Debug)]
    struct Guarded {
        bytes: OwnedBytes,
        slot: usize,
    }

    impl Drop for Guarded {
        /// Before the file is unmapped: something else may be mapped there next.
        fn drop(&mut self) {
            let mut files = files();
            let slot = &SLOTS[self.slot];
            slot.end.store(0, Ordering::Release);
            let file = files.of_slots[self.slot].take();
            if slot.is_cut_off.swap(false, Ordering::AcqRel) {
                files.cut_off.extend(file);
            }
        }
    }

    /// A file, and at the same time all of its bytes: every slice of them keeps the guard.
    #[derive(Clone, Debug)]
    struct Mapped(Arc<Guarded>);

    impl Deref for Mapped {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            &self.0.bytes
        }
    }

    // SAFETY: the bytes are owned by what is behind the `Arc` and do not move with it.
    unsafe impl StableDeref for Mapped {}

    impl FileHandle for Mapped {
        fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
            Ok(OwnedBytes::new(self.clone()).slice(range))
        }
    }

    fn install_once() {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
    }

    fn install() {
        // SAFETY: plain calls to the system with memory of ours; the handler does nothing that a handler may not do.
        unsafe {
            PAGE_BYTES.store(libc::sysconf(libc::_SC_PAGESIZE) as usize, Ordering::Release);
            let mut former: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, ptr::null(), &mut former) != 0 {
                return;
            }
            FORMER.store(Box::into_raw(Box::new(former)), Ordering::Release);
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = on_fault as *const () as usize;
            // On the stack for signals: the former handler may look for an overflow of the other.
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut ours.sa_mask);
            libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut());
        }
    }

    extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the system hands over a valid description.
        let (address, is_of_system) = unsafe { ((*info).si_addr() as usize, (*info).si_code > 0) };
        if !(is_of_system && put_zeros(address)) {
            // SAFETY: as the system called us.
            unsafe { pass_on(signal, info, context, is_of_system) };
        }
    }

    /// Puts zeros from the page of `address` to the end of the mapped file. `false` where none of ours is mapped there.
    fn put_zeros(address: usize) -> bool {
        let mut file_end = 0;
        for slot in &SLOTS {
            let end = slot.end.load(Ordering::Acquire);
            if address < end && address >= slot.start.load(Ordering::Acquire) && slot.end.load(Ordering::Acquire) == end
            {
                slot.is_cut_off.store(true, Ordering::Release);
                file_end = file_end.max(end);
            }
        }
        if file_end == 0 {
            return false;
        }
        let start = address & !(PAGE_BYTES.load(Ordering::Acquire) - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: all of these pages belong to a mapping of ours, which is unmapped as a whole, these pages too.
        let placed = unsafe { libc::mmap(start as *mut _, file_end - start, libc::PROT_READ, flags, -1, 0) };
        IS_ANY_CUT_OFF.store(true, Ordering::Release);
        placed != libc::MAP_FAILED
    }

    /// Does what SIGBUS did before us.
    ///
    /// # Safety
    /// To be called with what the system called the handler with.
    unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void, is_of_system: bool) {
        // SAFETY: set before the handler, and never freed.
        let former = unsafe { &*FORMER.load(Ordering::Acquire) };
        match former.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => unsafe {
                // What faulted faults again, and what was sent is sent again.
                libc::sigaction(signal, former, ptr::null_mut());
                if !is_of_system {
                    libc::raise(signal);
                }
            },
            handler if former.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    // SAFETY: of this type, as its flag says.
                    unsafe { std::mem::transmute(handler as *const ()) };
                handler(signal, info, context);
            }
            handler => {
                // SAFETY: of this type, as its flags say.
                let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler as *const ()) };
                handler(signal);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use std::os::fd::AsRawFd;

        use super::*;

        extern "C" fn with_more(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
            // SAFETY: the description is valid, and ending is allowed here.
            unsafe { libc::_exit(if (*info).si_signo == libc::SIGBUS { 42 } else { 1 }) };
        }

        extern "C" fn with_the_number(signal: libc::c_int) {
            // SAFETY: as above.
            unsafe { libc::_exit(if signal == libc::SIGBUS { 43 } else { 1 }) };
        }

        /// What becomes of a process in which `former` handled the signal before us and that then does `act`: its exit code, or minus
        /// the signal that ended it.
        fn ends(handler: usize, flags: libc::c_int, act: impl Fn()) -> i32 {
            // SAFETY: between fork and end the child calls nothing that waits for another thread.
            unsafe {
                let mut former: libc::sigaction = std::mem::zeroed();
                (former.sa_sigaction, former.sa_flags) = (handler, flags);
                let former = Box::into_raw(Box::new(former));
                let child = libc::fork();
                if child == 0 {
                    FORMER.store(former, Ordering::Release);
                    act();
                    libc::_exit(0);
                }
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                drop(Box::from_raw(former));
                if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
            }
        }

        /// Kilobytes of the file at `path` that are in this process's memory by being mapped.
        #[cfg(target_os = "linux")]
        fn resident_kb(path: &Path) -> usize {
            let maps = std::fs::read_to_string("/proc/self/smaps").expect("what is mapped");
            let mut lines = maps.lines().skip_while(|line| !line.ends_with(path.to_str().expect("a plain name")));
            let rss = lines.find_map(|line| line.strip_prefix("Rss:")).expect("the file is mapped");
            rss.trim().trim_end_matches(" kB").parse().expect("a number")
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn pages_that_are_given_back_are_read_again() {
            use tantivy::Directory;
            let folder = tempfile::tempdir().expect("a folder");
            let folder_path = folder.path().canonicalize().expect("its real path");
            let path = folder_path.join("a.bin");
            let content: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &content).expect("room for it");
            let mapping = tantivy::directory::MmapDirectory::open(&folder_path).expect("a directory");
            let handle = mapping.get_file_handle(Path::new("a.bin")).expect("the file");
            let file = watched(handle, path.clone()).expect("mapped");
            let bytes = file.read_bytes(0..content.len()).expect("all of it");
            assert!(bytes.as_slice() == content && resident_kb(&path) >= 900);
            give_back_pages();
            assert_eq!(resident_kb(&path), 0);
            assert!(bytes.as_slice() == content);
        }

        #[test]
        fn what_is_not_ours_goes_to_who_had_it_before() {
            install_once();
            let file = tempfile::tempfile().expect("a file");
            // SAFETY: a mapping of its own, of a file that is empty: to read it is to fault.
            let page = unsafe {
                libc::mmap(ptr::null_mut(), 1, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0).cast::<u8>()
            };
            // SAFETY: mapped, and never read but in a process that is to end by it.
            let fault = || _ = unsafe { page.read_volatile() };
            // SAFETY: a plain call.
            let sent = || _ = unsafe { libc::raise(libc::SIGBUS) };
            for act in [&fault as &dyn Fn(), &sent] {
                assert_eq!(ends(with_more as *const () as usize, libc::SA_SIGINFO, act), 42);
                assert_eq!(ends(with_the_number as *const () as usize, 0, act), 43);
                assert_eq!(ends(libc::SIG_DFL, 0, act), -libc::SIGBUS);
            }
            assert_eq!(ends(libc::SIG_IGN, 0, sent), 0, "ignored as before");
            assert_eq!(ends(libc::SIG_IGN, 0, fault), -libc::SIGBUS, "a fault cannot be ignored");
        }
    }
}
