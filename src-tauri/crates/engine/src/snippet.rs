//! The few lines of a passage that answer a question best, and where the question's words stand in them.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// White space folded; `…` where the passage goes on.
    pub text: String,
    /// In Unicode code points of `text`, end exclusive, in order, apart.
    pub highlights: Vec<[usize; 2]>,
}

/// At most `max_chars` code points of `text`, cut at sentences or words, with as many of the question's words as
/// possible.
pub fn snippet(_text: &str, _query: &str, _max_chars: usize) -> Snippet {
    todo!()
}
