//! The streams a command talks through, and whether a person sits at the other end.

use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};

use nuthatch_engine::Cancel;

/// The streams of one run. Tests pass buffers, the program passes its standard streams.
pub struct Io<'a> {
    /// `Send`, because it is read in a thread of its own, so that Ctrl-C takes effect while nobody types.
    pub input: Option<Box<dyn BufRead + Send>>,
    /// Answers, and nothing else.
    pub out: &'a mut dyn Write,
    /// Warnings, progress and errors.
    pub err: &'a mut dyn Write,
    /// Whether a person reads `out`: then it gets colours and indented JSON.
    pub out_terminal: bool,
    /// Whether a person reads `err`: then it gets progress bars.
    pub err_terminal: bool,
    pub in_terminal: bool,
    /// Raised by Ctrl-C.
    pub cancel: Cancel,
}

impl Io<'_> {
    /// Standard input, output and error, the output locked and buffered for the whole run.
    pub fn with_process_streams<T>(cancel: Cancel, run: impl FnOnce(&mut Io<'_>) -> T) -> T {
        let stdout = std::io::stdout();
        let out_terminal = stdout.is_terminal();
        let mut out = BufWriter::new(stdout.lock());
        // Not locked: the progress bar and the log write to it as well.
        let mut err = std::io::stderr();
        let err_terminal = err.is_terminal();
        let in_terminal = std::io::stdin().is_terminal();
        let input: Box<dyn BufRead + Send> = Box::new(BufReader::new(std::io::stdin()));
        run(&mut Io {
            input: Some(input),
            out: &mut out,
            err: &mut err,
            out_terminal,
            err_terminal,
            in_terminal,
            cancel,
        })
    }
}
