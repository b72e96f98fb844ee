//! Background priority for a thread, and giving memory back.

/// Lets the calling thread, and threads that it starts from now on (on Linux), give way to others, for processor and
/// disk. It cannot be taken back: use it on threads that do nothing else.
pub fn background() {
    #[cfg(target_os = "linux")]
    linux();
    #[cfg(target_os = "macos")]
    // SAFETY: it changes the calling thread's class and touches no memory.
    unsafe {
        libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
    }
    #[cfg(windows)]
    windows();
}

/// A quarter of the processor beside one busy thread of normal priority, where `SCHED_IDLE` would get next to none: a
/// machine that is always busy must not keep a note from being found. (At 10, a tenth, a busy machine of two cores embedded
/// a few passages a second.)
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 5;

#[cfg(target_os = "linux")]
fn linux() {
    // From linux/ioprio.h: `who` is a thread; best effort, the last of its eight levels.
    const IOPRIO_WHO_PROCESS: libc::c_long = 1;
    const BEST_EFFORT_LAST: libc::c_long = (2 << 13) | 7;
    // SAFETY: both calls change how the calling thread (0) is scheduled and touch no memory. Where they are refused, the
    // thread runs as before.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_long, BEST_EFFORT_LAST);
    }
}

#[cfg(windows)]
fn windows() {
    const THREAD_MODE_BACKGROUND_BEGIN: i32 = 0x0001_0000;
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentThread() -> *mut core::ffi::c_void;
        fn SetThreadPriority(thread: *mut core::ffi::c_void, priority: i32) -> i32;
    }
    // SAFETY: the handle is the calling thread's own, valid while it runs.
    unsafe {
        SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN);
    }
}

/// Gives memory that was freed back to the system, which glibc otherwise keeps for later. Takes a few milliseconds.
pub fn release_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
