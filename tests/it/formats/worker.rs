//! The worker process that reads files. When it dies or is stopped, that is an error of one file, and the next file is
//! still read.

use std::time::Duration;

use nuthatch_engine::Cancel;
use nuthatch_engine::extract::ExtractError;
use nuthatch_engine::extract::worker::{Urgency, WorkerCommand, WorkerLimits, Workers};

use super::made::long_pdf;
use super::{fixture, read, workers};
use crate::support::worker;

fn with(limits: WorkerLimits) -> Workers {
    Workers::new(Some(worker()), limits)
}

#[test]
fn what_takes_too_long_is_stopped() {
    let workers = with(WorkerLimits { read_time: Duration::from_millis(1), ..WorkerLimits::default() });
    let error = read(&workers, "long.pdf", &long_pdf(500)).unwrap_err();
    assert!(error.to_string().contains("longer than 0.001 s and was stopped"), "{error}");
}

#[test]
fn what_needs_too_much_memory_is_stopped() {
    let limits = WorkerLimits { memory_bytes: 8 << 20, ..WorkerLimits::default() };
    let workers = with(limits);
    let error = read(&workers, "long.pdf", &long_pdf(3000)).unwrap_err();
    assert_eq!(error, ExtractError::OutOfMemory { name: "long.pdf".to_owned(), limit_mb: 8 });
    assert!(read(&workers, "seeds.ods", fixture("seeds.ods")).is_ok(), "the next file has a process of its own");
}

#[test]
fn an_answer_that_is_too_long_is_refused() {
    let workers = with(WorkerLimits { answer_bytes: 4 << 10, ..WorkerLimits::default() });
    let error = read(&workers, "long.pdf", &long_pdf(3)).unwrap_err();
    assert!(matches!(error, ExtractError::TooLong { .. }), "{error}");
    assert!(read(&workers, "seeds.ods", fixture("seeds.ods")).is_ok());
}

#[test]
fn without_a_process_risky_files_fail_and_others_are_read() {
    let program = |program: &str| Some(WorkerCommand { program: program.into(), args: Vec::new() });
    for command in [None, program("/no/such/program"), program("true"), program("cat"), program("yes")] {
        let workers = Workers::new(command.clone(), WorkerLimits::default());
        let error = read(&workers, "trip.pdf", fixture("trip.pdf")).unwrap_err();
        assert!(matches!(error, ExtractError::NoWorker { .. }), "{command:?}: {error}");
        assert_eq!(read(&workers, "a.md", b"# Tea").unwrap().title, "Tea");
    }
}

#[test]
fn one_that_waits_can_be_called_off() {
    let cancel = Cancel::new();
    cancel.cancel();
    let outcome = workers().extract("trip.pdf".as_ref(), fixture("trip.pdf").to_vec(), Urgency::Background, &cancel);
    assert_eq!(outcome, Err(ExtractError::Cancelled));
}

#[test]
fn several_readers_share_two_processes() {
    let workers = with(WorkerLimits { files_each: 3, ..WorkerLimits::default() });
    std::thread::scope(|scope| {
        for reader in 0..6 {
            let urgency = if reader == 0 { Urgency::Urgent } else { Urgency::Background };
            let workers = &workers;
            scope.spawn(move || {
                for _ in 0..5 {
                    let read =
                        workers.extract("trip.pdf".as_ref(), fixture("trip.pdf").to_vec(), urgency, &Cancel::new());
                    assert_eq!(read.unwrap().title, "Trip to Lisbon");
                }
            });
        }
    });
}

#[cfg(target_os = "linux")]
mod processes {
    use std::fs;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// The processes that were started with this argument, and the processor time that each has used, in ticks.
    fn running(mark: &str) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let folder = entry.path();
            let is_ours = fs::read(folder.join("cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes()));
            if let (true, Ok(stat)) = (is_ours, fs::read_to_string(folder.join("stat"))) {
                // The ticks are fields 14 and 15. Counting starts behind field 2, in brackets, which may hold blanks.
                let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
                let ticks = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
                found.push((entry.file_name().into_string().unwrap(), ticks));
            }
        }
        found
    }

    fn marked(mark: &str, limits: WorkerLimits) -> Workers {
        let mut command = worker();
        command.args.push(mark.into());
        Workers::new(Some(command), limits)
    }

    #[test]
    fn one_that_is_killed_while_it_reads_is_started_again() {
        const MARK: &str = "--to-be-killed";
        let workers = marked(MARK, WorkerLimits::default());
        let pdf = long_pdf(300);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // A process that has used more than 4 ticks is reading; one that only starts has used fewer.
                while !done.load(Ordering::Relaxed) {
                    for (process, _) in running(MARK).iter().filter(|(_, ticks)| *ticks > 4) {
                        Command::new("kill").args(["-9", process]).output().unwrap();
                    }
                }
            });
            let outcome = read(&workers, "long.pdf", &pdf);
            done.store(true, Ordering::Relaxed);
            assert_eq!(outcome, Err(ExtractError::Crashed { name: "long.pdf".to_owned() }));
        });
        assert_eq!(read(&workers, "long.pdf", &pdf).unwrap().places.len(), 300);
    }

    #[test]
    fn one_that_has_nothing_to_do_closes() {
        const MARK: &str = "--to-be-idle";
        let workers = marked(MARK, WorkerLimits { idle: Duration::from_millis(1), ..WorkerLimits::default() });
        for _ in 0..3 {
            assert!(read(&workers, "seeds.ods", fixture("seeds.ods")).is_ok());
            while !running(MARK).is_empty() {
                std::thread::yield_now();
            }
        }
        let lasting = marked(MARK, WorkerLimits::default());
        assert!(read(&lasting, "seeds.ods", fixture("seeds.ods")).is_ok());
        assert_eq!(running(MARK).len(), 1, "it waits for the next file");
        drop(lasting);
        while !running(MARK).is_empty() {
            std::thread::yield_now();
        }
    }
}
