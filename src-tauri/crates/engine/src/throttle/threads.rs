//! The threads that read, cut and embed files. They form a pool of their own at background priority; searches use
//! Rayon's global pool and the models' own pools, so they never run at that priority.

use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::priority::background;

#[derive(Debug, Default)]
pub struct Threads(Mutex<Option<Arc<ThreadPool>>>);

impl Threads {
    /// Runs `work` on `n` threads, or on the caller's thread if the system starts no others.
    pub fn run<T: Send>(&self, n: usize, work: impl FnOnce() -> T + Send) -> T {
        let mut pool = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if pool.as_ref().is_none_or(|pool| pool.current_num_threads() != n) {
            let built = ThreadPoolBuilder::new()
                .num_threads(n)
                .thread_name(|i| format!("index-{i}"))
                .start_handler(|_| background())
                .build();
            *pool = built.map(Arc::new).ok();
        }
        let pool_now = pool.clone();
        drop(pool);
        match pool_now {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Ends the threads; the next [`Threads::run`] starts them anew.
    pub fn end(&self) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = None;
    }
}
