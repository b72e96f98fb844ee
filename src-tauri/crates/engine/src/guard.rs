//! Catches panics, so that a panic ends only the piece of work it happened in.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::Path;
use std::sync::Once;

/// How much of a panic's message is kept: some messages quote the text that caused the panic.
const MESSAGE_CHARS: usize = 200;

thread_local! {
    /// Whether a panic on this thread becomes an error, so that the usual panic message is not printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where in the source this thread's last panic began: `csv.rs:120`.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns a panic in it as one line with its place in the source and its message. After a panic the
/// caller must not rely on data that `work` was changing.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| if CAUGHT.get() { note(info) } else { before(info) }));
    });
    let outer = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.map_err(|panic| {
        let place = PLACE.take().map(|place| format!("{place}: ")).unwrap_or_default();
        format!("{place}{}", message_of(panic.as_ref()))
    })
}

fn note(info: &PanicHookInfo<'_>) {
    tracing::debug!("{info}");
    // The file name only: its folders are those of the machine that built the program.
    let place = info.location().and_then(|at| {
        let file = Path::new(at.file()).file_name()?.to_string_lossy().into_owned();
        Some(format!("{file}:{}", at.line()))
    });
    PLACE.set(place);
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let words = text.unwrap_or("no reason given").split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Where a test lets a text cause a panic: in the reader, in the chunker, or in the analysis of its words.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trap {
    Reader,
    Chunker,
    Words,
}

#[cfg(test)]
impl Trap {
    /// The word in a text that springs the trap.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reader => "trapreader",
            Self::Chunker => "trapchunker",
            Self::Words => "trapwords",
        }
    }

    pub(crate) fn pass(self, text: &[u8]) {
        let word = self.word().as_bytes();
        assert!(!text.windows(word.len()).any(|here| here == word), "{} was sprung", self.word());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_with_its_place() {
        assert_eq!(caught(|| 3), Ok(3));
        let words = |work: fn()| caught(work).unwrap_err();
        let said = words(|| panic!("two\n lines, {}", "茶"));
        assert!(said.starts_with("guard.rs:") && said.ends_with(": two lines, 茶"), "{said}");
        let long = words(|| panic!("{}", "茶".repeat(1000)));
        assert!(long.chars().count() < 300 && long.ends_with("茶…"), "{long}");
        assert!(words(|| panic::panic_any(7)).ends_with("no reason given"));
        // An inner `caught` leaves the outer one in force.
        let nested = caught(|| {
            let inner = caught(|| panic!("inner"));
            assert!(CAUGHT.get());
            inner.map(|()| 1).unwrap_or(2)
        });
        assert_eq!((nested, CAUGHT.get()), (Ok(2), false));
    }
}
