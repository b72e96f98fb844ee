//! The threads that read, cut and embed files: a pool of their own at background priority, so that searches, which use
//! Rayon's global one and the models' own, never run at theirs.

use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::priority::background;

#[derive(Debug, Default)]
pub struct Threads(Mutex<Option<Arc<ThreadPool>>>);

impl Threads {
    /// Runs `work` on `n` threads; on the caller's where the system gives no others.
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
