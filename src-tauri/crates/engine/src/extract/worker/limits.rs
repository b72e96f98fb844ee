//! What an extraction process may use of the machine, set by itself before it reads a byte.
//!
//! | | memory | processor | priority | no dumps, no files |
//! |---|---|---|---|---|
//! | Linux | `RLIMIT_AS` | `RLIMIT_CPU` | `nice` | `RLIMIT_CORE`, `_FSIZE`, `_NOFILE` |
//! | macOS, BSD | a thread that watches the peak: `RLIMIT_AS` is not enforced there | `RLIMIT_CPU` | `nice` | as above; macOS writes its own crash report |
//! | Windows | job object | the engine's clock alone | the engine starts it below normal | no dumps (job object) |

use std::fs::File;
use std::io;

/// Exit code of a process that found itself above its allowance of memory, where the system does not enforce one.
pub(super) const OVER_MEMORY: i32 = 86;

#[cfg(unix)]
pub(super) use unix::{allow_cpu, apply, take_stdout, was_short_of_memory};
#[cfg(windows)]
pub(super) use windows::{allow_cpu, apply, take_stdout, was_short_of_memory};

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;

    use rlimit::Resource;

    use super::{File, io};

    /// How much nicer than the engine: below everything the user does.
    const NICER: libc::c_int = 10;

    /// Descriptors: the three standard ones, ours, and room for what a system library holds open.
    const MAX_OPEN_FILES: u64 = 32;

    /// The standard output, which from now on is the standard error to everybody else.
    pub(crate) fn take_stdout() -> io::Result<File> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        // SAFETY: both descriptors are open, and nobody here owns the one that is replaced.
        if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(own.into())
    }

    /// `memory_bytes` is what the process may take beyond what it has now.
    pub(crate) fn apply(memory_bytes: u64) -> io::Result<()> {
        // SAFETY: takes and gives numbers. Refused where the engine itself runs at the lowest priority already.
        let _ = unsafe { libc::nice(NICER) };
        limit_memory(memory_bytes)?;
        limit(Resource::CORE, 0)?;
        limit(Resource::FSIZE, 0)?;
        limit(Resource::NOFILE, MAX_OPEN_FILES)
    }

    #[cfg(target_os = "linux")]
    fn limit_memory(memory_bytes: u64) -> io::Result<()> {
        limit(Resource::AS, address_space("VmSize:")? + memory_bytes)
    }

    #[cfg(target_os = "linux")]
    fn address_space(field: &str) -> io::Result<u64> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let size_kb = status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
        Ok(size_kb.and_then(|kb| kb.parse::<u64>().ok()).ok_or(io::ErrorKind::InvalidData)? << 10)
    }

    /// Whether a reader that gave up did so for want of memory: libraries that are refused some say so in as many ways as
    /// there are libraries. By then it has taken three quarters of what it may.
    #[cfg(target_os = "linux")]
    pub(crate) fn was_short_of_memory(memory_bytes: u64) -> bool {
        let limit = Resource::AS.get_soft().unwrap_or(u64::MAX);
        address_space("VmPeak:").is_ok_and(|peak| peak >= limit.saturating_sub(memory_bytes / 4))
    }

    /// The thread that watches ends the process before a library is refused anything.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn was_short_of_memory(_memory_bytes: u64) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn limit_memory(memory_bytes: u64) -> io::Result<()> {
        // Bytes on macOS, kilobytes elsewhere.
        let unit_shift = if cfg!(target_os = "macos") { 0 } else { 10 };
        let peak_bytes = move || usage().ru_maxrss.unsigned_abs() << unit_shift;
        let allowed = peak_bytes() + memory_bytes;
        let watch = move || {
            while peak_bytes() <= allowed {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            std::process::exit(super::OVER_MEMORY);
        };
        std::thread::Builder::new().name("memory".to_owned()).spawn(watch).map(drop)
    }

    fn usage() -> libc::rusage {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: getrusage writes a whole `rusage`, and all zeros is a valid one where it fails.
        unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        }
    }

    /// Lets the process use `seconds` of the processor from now on; then the system ends it.
    pub(crate) fn allow_cpu(seconds: u64) -> io::Result<()> {
        let usage = usage();
        let used = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec).unsigned_abs();
        let (_, hard) = Resource::CPU.get()?;
        Resource::CPU.set((used + 1 + seconds).min(hard), hard)
    }

    fn limit(resource: Resource, limit: u64) -> io::Result<()> {
        // A stricter limit that somebody else has set stays.
        let limit = limit.min(resource.get_hard()?);
        resource.set(limit, limit)
    }
}

#[cfg(windows)]
mod windows {
    use std::os::windows::io::FromRawHandle;
    use std::ptr;

    use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle};
    use windows_sys::Win32::System::JobObjects::{
        AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
        JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
        SetInformationJobObject,
    };
    use windows_sys::Win32::System::Threading::GetCurrentProcess;

    use super::{File, io};

    /// The standard output, which from now on is the standard error to everybody else.
    pub(crate) fn take_stdout() -> io::Result<File> {
        // SAFETY: the handle was opened for this process by its parent and nobody else closes it.
        unsafe {
            let own = GetStdHandle(STD_OUTPUT_HANDLE);
            if SetStdHandle(STD_OUTPUT_HANDLE, GetStdHandle(STD_ERROR_HANDLE)) == 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(File::from_raw_handle(own))
        }
    }

    /// What a process has at its start is little here and counts as part of `memory_bytes`.
    pub(crate) fn apply(memory_bytes: u64) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags =
            JOB_OBJECT_LIMIT_PROCESS_MEMORY | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        limits.ProcessMemoryLimit = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        // SAFETY: the structure is the one that this kind of information takes, and its size is given. The job's handle
        // stays open on purpose: the limits hold as long as the process.
        unsafe {
            let job = CreateJobObjectW(ptr::null(), ptr::null());
            let size = size_of_val(&limits) as u32;
            let limits = ptr::from_ref(&limits).cast();
            if job.is_null()
                || SetInformationJobObject(job, JobObjectExtendedLimitInformation, limits, size) == 0
                || AssignProcessToJobObject(job, GetCurrentProcess()) == 0
            {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// A job does not tell; most libraries leave it to Rust, which ends the process and says so.
    pub(crate) fn was_short_of_memory(_memory_bytes: u64) -> bool {
        false
    }

    /// A job counts a process's time once for all, not for each file: here the engine's clock alone decides.
    pub(crate) fn allow_cpu(_seconds: u64) -> io::Result<()> {
        Ok(())
    }
}
