//! What the system reports of the machine and of this process.

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The processor's model name, if the system reports it.
    pub(crate) processor: Option<String>,
    pub(crate) cores: usize,
    pub(crate) threads: usize,
}

impl Machine {
    pub(crate) fn here(threads: Option<u16>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { processor: processor(), cores, threads: threads.map_or(cores, usize::from) }
    }
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Resident memory of the whole process, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) before_models: u64,
    pub(crate) with_models: u64,
    /// Memory after all measurements; `peak` is the most at any time.
    pub(crate) after: u64,
    pub(crate) peak: u64,
}

/// Resident memory now and its peak so far, in bytes.
pub(crate) fn resident() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let bytes = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
    };
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
}
