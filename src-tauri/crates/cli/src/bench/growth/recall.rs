//! How many of the truly nearest passages the quantised vector column finds.

use std::collections::HashSet;
use std::path::Path;

use nuthatch_engine::Embedder;
use nuthatch_engine::chunk::Chunk;
use nuthatch_engine::index::vectors::Quantized;
use nuthatch_engine::index::{Generations, Passage, Snapshot};
use nuthatch_engine::throttle::Limits;

use crate::bench::growth::build::{Stock, row};
use crate::bench::growth::made::Maker;
use crate::bench::growth::source::Source;
use crate::failure::Failure;

/// Number of nearest passages that are looked for.
const NEAREST: usize = 100;

/// The passages nearest to one question by exact cosines in f32, collected as passage after passage is offered.
pub(crate) struct Nearest {
    question: Vec<f32>,
    best: Vec<(f32, u64, usize)>,
}

impl Nearest {
    pub(crate) fn new(question: &[f32]) -> Self {
        Self { question: question.to_vec(), best: Vec::new() }
    }

    /// Offers the vector of a note's passage. It need not be of unit length.
    pub(crate) fn offer(&mut self, note: u64, ordinal: usize, vector: &[f32]) {
        let cosine = dot(&self.question, vector) / dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
        self.best.push((cosine, note, ordinal));
        if self.best.len() >= 8 * NEAREST {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.best.len() > NEAREST {
            self.best.select_nth_unstable_by(NEAREST, |a, b| b.0.total_cmp(&a.0));
            self.best.truncate(NEAREST);
        }
    }

    /// The share of these passages that `snapshot` finds.
    fn found_in(&mut self, snapshot: &Snapshot) -> Result<f64, Failure> {
        self.cut();
        let mut found = HashSet::new();
        for (address, _) in snapshot.vectors().nearest(&self.question, NEAREST) {
            let passage = snapshot.passage(address).map_err(|error| Failure::failed("index", error.to_string()))?;
            let stem = Path::new(&passage.path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let number: Option<u64> = stem.rsplit('-').next().and_then(|number| number.parse().ok());
            found.extend(number.map(|number| (number, passage.chunk.ordinal)));
        }
        let hits = self.best.iter().filter(|(_, note, ordinal)| found.contains(&(*note, *ordinal))).count();
        Ok(hits as f64 / self.best.len().max(1) as f64)
    }
}

/// Recall of the nearest hundred among the real passages, unchanged, over `questions` (unit vectors).
pub(crate) fn of_real(
    source: &Source,
    dir: &Path,
    embedder: &dyn Embedder,
    questions: &[Vec<f32>],
) -> Result<f64, Failure> {
    let generation = Generations::new(dir).open_or_create(Some((embedder.id(), embedder.dimensions())))?;
    let mut writer = generation.writer(&Limits::default())?;
    for (number, (_, vector)) in source.embedded.iter().enumerate() {
        let chunk = Chunk {
            ordinal: 0,
            span: 0..0,
            heading_path: [].into(),
            place: None,
            text: number.to_string(),
            unseen: String::new(),
        };
        let path = format!("/real-{number}.md");
        let passage = Passage { path: path.clone(), title: number.to_string(), tags: [].into(), chunk };
        writer.replace(&row(&path, 1), &[passage], &[Some(Quantized::from_f32(vector))])?;
    }
    writer.commit()?;
    writer.close()?;
    let mut nearest: Vec<Nearest> = questions.iter().map(|question| Nearest::new(question)).collect();
    for (number, (_, vector)) in (0..).zip(&source.embedded) {
        nearest.iter_mut().for_each(|nearest| nearest.offer(number, 0, vector));
    }
    mean(&mut nearest, &generation.snapshot()?)
}

/// The same among all passages of a collection.
pub(crate) fn of_made(stock: &Stock, maker: &Maker<'_>, questions: &[Vec<f32>]) -> Result<f64, Failure> {
    let mut nearest: Vec<Nearest> = questions.iter().map(|question| Nearest::new(question)).collect();
    stock.each_vector(maker, &mut nearest);
    mean(&mut nearest, &stock.generation.snapshot()?)
}

fn mean(nearest: &mut [Nearest], snapshot: &Snapshot) -> Result<f64, Failure> {
    let shares = nearest.iter_mut().map(|nearest| nearest.found_in(snapshot)).collect::<Result<Vec<f64>, _>>()?;
    Ok(shares.iter().sum::<f64>() / shares.len().max(1) as f64)
}

/// Dot product in 16 running sums, so that the compiler can use vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
