//! Pseudo-relevance feedback: what lies near the best passages is likelier to answer too.
//!
//! The cluster hypothesis (Jardine and van Rijsbergen 1971), by the vectors that the index holds already. It costs a few
//! hundred cosines a list and needs no further reading. What it gains stands in `models/train/README.md`.

/// Passages that the others are held against. Five and ten gain as much, but not where nothing was fitted.
const BEST: usize = 3;

/// A passage, and what is thought of it so far.
pub(super) struct Judged<'a> {
    pub file: &'a str,
    /// Of being relevant; `None` where the cross-encoder has not read it yet.
    pub logit: Option<f32>,
}

/// For each candidate how near it lies to the best of those that were read: its mean cosine with them, weighted by their
/// odds, less the mean of all candidates, so that scores hardly move as more of them are read. A note does not speak for itself: passages of its own file do not count. 0 on average, and where nothing is
/// known.
///
/// `cosines` gives those of one passage, by its number, with all of them; `None` where it has no vector.
pub(super) fn nearness(passages: &[Judged], mut cosines: impl FnMut(usize) -> Option<Vec<Option<f32>>>) -> Vec<f32> {
    let mut read: Vec<(f32, usize)> =
        passages.iter().enumerate().filter_map(|(i, passage)| Some((passage.logit?, i))).collect();
    read.sort_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
    let highest = read.first().map_or(0.0, |(logit, _)| *logit);
    // Of each: whose it is, its odds beside the highest, its cosines.
    let best = read.into_iter().filter_map(|(logit, i)| Some((passages[i].file, (logit - highest).exp(), cosines(i)?)));
    let best: Vec<(&str, f32, Vec<Option<f32>>)> = best.take(BEST).collect();
    let near = passages.iter().enumerate().map(|(i, passage)| {
        let others = best.iter().filter(|(file, ..)| *file != passage.file);
        let weighed = others.filter_map(|(_, odds, cosines)| Some((*odds, cosines[i]?)));
        let (sum, total) =
            weighed.fold((0.0, 0.0), |(sum, total), (weight, cosine)| (sum + weight * cosine, total + weight));
        (total > 0.0).then(|| sum / total)
    });
    let near: Vec<Option<f32>> = near.collect();
    let known: Vec<f32> = near.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
    near.into_iter().map(|near| near.map_or(0.0, |near| near - mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged<'a>(passages: &[(&'a str, f32)]) -> Vec<Judged<'a>> {
        passages.iter().map(|&(file, logit)| Judged { file, logit: Some(logit) }).collect()
    }

    /// Cosines of passages that lie along a line, at these places.
    fn along(places: &[f32]) -> impl FnMut(usize) -> Option<Vec<Option<f32>>> {
        move |i| Some(places.iter().map(|place| Some(1.0 - (place - places[i]).abs())).collect())
    }

    #[test]
    fn what_lies_near_the_best_is_nearer() {
        let near =
            nearness(&judged(&[("a", 3.0), ("b", -2.0), ("c", -2.0), ("d", -9.0)]), along(&[0.0, 0.1, 0.8, 0.9]));
        assert!(near[1] > near[2] && near[2] > near[3], "{near:?}");
        assert!(near.iter().sum::<f32>().abs() < 1e-6, "0 on average: {near:?}");
    }

    #[test]
    fn a_note_does_not_speak_for_itself() {
        let alone = nearness(&judged(&[("a", 3.0), ("a", 2.0), ("a", 1.0), ("b", -1.0)]), along(&[0.0, 0.0, 0.0, 0.5]));
        assert_eq!(alone, [0.0; 4], "only b has others to be near to");
        let near = nearness(&judged(&[("a", 3.0), ("a", 3.0), ("b", -1.0), ("c", -1.0)]), along(&[0.0, 0.0, 0.1, 0.6]));
        assert!(near[2] > near[3], "{near:?}");
        assert!(near[0] < near[2], "a lies half a step from b, and b a tenth from a: {near:?}");
    }

    /// What has not been read speaks for nobody, but is spoken for.
    #[test]
    fn reading_on_hardly_moves_scores() {
        let mut passages = judged(&[("a", 3.0), ("b", 1.0), ("c", -4.0), ("d", -5.0)]);
        let whole = nearness(&passages, along(&[0.0, 0.1, 0.5, 0.9]));
        passages[2].logit = None;
        passages[3].logit = None;
        let part = nearness(&passages, along(&[0.0, 0.1, 0.5, 0.9]));
        assert!(whole.iter().zip(&part).all(|(whole, part)| (whole - part).abs() < 0.02), "{whole:?} {part:?}");
    }

    #[test]
    fn without_vectors_nothing_is_known() {
        assert_eq!(nearness(&judged(&[("a", 3.0), ("b", 1.0)]), |_| None), [0.0; 2]);
        assert_eq!(nearness(&[], |_| None), [0.0; 0]);
        let but_one = |i: usize| (i < 2).then(|| vec![Some(1.0), Some(0.5), None]);
        let near = nearness(&judged(&[("a", 3.0), ("b", 1.0), ("c", 5.0)]), but_one);
        assert_eq!(near[2], 0.0, "{near:?}");
        assert!(near.iter().all(|near| near.is_finite()));
    }
}
