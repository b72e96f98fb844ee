//! Chooses the part of a passage that is read if the whole does not fit the window beside the question.
//!
//! Reading only the beginning would miss the answers farther down: in Chinese paragraphs of 440 characters, a third of
//! them. So two parts are kept: the opening, which mostly says what the passage is about, and from the rest the stretch
//! that shares most with the question.

use std::collections::HashMap;
use std::ops::Range;

/// Tokens kept from the beginning of a passage: about as many as a title has, and at most a quarter of the room.
const OPENING: usize = 24;
const OPENING_SHARE: usize = 4;

/// A token is worth the logarithm of its id less this number, and nothing if that is below 0. All common vocabularies
/// are sorted roughly by frequency, so the logarithm of the id says about how much it tells that question and passage
/// share the token. The most frequent tokens tell nothing.
const FREQUENT: f64 = 2.0;

/// Stretches whose shared tokens differ in worth by less than this count as equal.
const ALIKE: f64 = 1e-3;

/// What is kept of a passage, in tokens: its opening and a stretch after it, together as long as the room.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub opening: Range<usize>,
    pub stretch: Range<usize>,
}

/// Chooses the part of a passage that has more than `room` tokens. If neighbouring stretches share equally much with
/// the question, the middle one of the first such run is chosen, so that the text around the shared words is read as
/// well. If no stretch is better than the beginning, the beginning is chosen.
pub fn choose(question: &[u32], passage: &[u32], room: usize) -> Part {
    let opening = OPENING.min(room / OPENING_SHARE);
    let (rest, room) = (&passage[opening..], room - opening);
    if room == 0 {
        return Part { opening: 0..opening, stretch: opening..opening };
    }
    let mut asked: HashMap<u32, Asked> = question.iter().map(|token| (*token, Asked::new(*token))).collect();
    let (mut value, mut best, mut alike) = (0.0, f64::NEG_INFINITY, 0..0);
    for (i, token) in rest.iter().enumerate() {
        if let Some(entering) = asked.get_mut(token) {
            entering.held += 1;
            value += if entering.held == 1 { entering.worth } else { 0.0 };
        }
        if i >= room
            && let Some(leaving) = asked.get_mut(&rest[i - room])
        {
            leaving.held -= 1;
            value -= if leaving.held == 0 { leaving.worth } else { 0.0 };
        }
        let Some(start) = (i + 1).checked_sub(room) else { continue };
        if value > best + ALIKE {
            (best, alike) = (value, start..start + 1);
        } else if value > best - ALIKE && alike.end == start {
            alike.end = start + 1;
        }
    }
    let start = if alike.start == 0 { 0 } else { (alike.start + alike.end - 1) / 2 };
    Part { opening: 0..opening, stretch: opening + start..opening + start + room }
}

/// A token of the question.
struct Asked {
    worth: f64,
    /// How often it occurs in the current stretch.
    held: usize,
}

impl Asked {
    fn new(token: u32) -> Self {
        Self { worth: (f64::from(token.max(1)).ln() - FREQUENT).max(0.0), held: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A passage of `length` tokens: those in `shared` at their places, elsewhere a token that no question has.
    fn passage(length: usize, shared: &[(usize, u32)]) -> Vec<u32> {
        let mut tokens = vec![9; length];
        shared.iter().for_each(|(place, token)| tokens[*place] = *token);
        tokens
    }

    fn start(question: &[u32], passage: &[u32], room: usize) -> usize {
        let part = choose(question, passage, room);
        assert_eq!(part.opening.len() + part.stretch.len(), room);
        assert!(part.stretch.end <= passage.len());
        part.stretch.start
    }

    #[test]
    fn without_anything_shared_it_is_the_beginning() {
        assert_eq!(choose(&[500], &passage(300, &[]), 100), Part { opening: 0..24, stretch: 24..100 });
    }

    #[test]
    fn what_is_shared_lies_in_the_middle_of_what_is_read() {
        assert_eq!(start(&[500], &passage(300, &[(200, 500)]), 100), 162);
        assert_eq!(start(&[500, 600], &passage(300, &[(180, 500), (220, 600)]), 100), 162);
    }

    #[test]
    fn the_ends_are_reached() {
        assert_eq!(start(&[500], &passage(300, &[(299, 500)]), 100), 224);
        assert_eq!(start(&[500], &passage(300, &[(30, 500)]), 100), 24);
    }

    #[test]
    fn rare_tokens_count_for_more_and_repetitions_for_nothing() {
        let shared = [(100, 20), (101, 20), (102, 20), (103, 30), (250, 20_000)];
        assert_eq!(start(&[20, 30, 20_000], &passage(300, &shared), 60), start(&[20_000], &passage(300, &shared), 60));
        let two = [(100, 500), (250, 500), (251, 500)];
        assert_eq!(start(&[500], &passage(300, &two), 60), start(&[500], &passage(300, &two[..1]), 60));
    }

    #[test]
    fn a_room_of_nothing_is_borne() {
        assert_eq!(choose(&[5], &passage(10, &[]), 0), Part { opening: 0..0, stretch: 0..0 });
        assert_eq!(start(&[], &passage(10, &[]), 3), 0);
    }

    /// Computes the worth of every stretch from scratch: none is better than the chosen one.
    #[test]
    fn no_stretch_holds_more() {
        let random = |seed: usize, n: u32| (seed.wrapping_mul(2_654_435_761) >> 7) as u32 % n;
        for case in 0..200 {
            let passage: Vec<u32> = (0..150 + case).map(|i| random(i * 31 + case * 977, 400)).collect();
            let question: Vec<u32> = (0..9).map(|i| random(i * 57 + case * 131, 400)).collect();
            let worth = |stretch: &[u32]| -> f64 {
                let mut shared: Vec<u32> = question.iter().copied().filter(|t| stretch.contains(t)).collect();
                shared.sort_unstable();
                shared.dedup();
                shared.iter().map(|t| Asked::new(*t).worth).sum()
            };
            let part = choose(&question, &passage, 64);
            let chosen = worth(&passage[part.stretch.clone()]);
            let room = part.stretch.len();
            let best = passage[part.opening.len()..].windows(room).map(worth).fold(0.0, f64::max);
            assert!(chosen > best - 0.01, "case {case}: {chosen} of {best}");
        }
    }
}
