//! Ranking by words: BM25 (Robertson and Zaragoza 2009) over the fields of a passage.
//!
//! A question becomes *clauses*: a word in a field, a pair of Chinese characters, a quoted phrase. A passage's score is
//! the sum of its clauses' scores, and the best passages are found without adding up all of them: see [`best`].
//!
//! Scores are added in whole *grains*, so many to the question's highest possible score, so that a sum is the same in
//! whatever order it is taken, by whichever thread, and ties are ties.

mod best;
mod list;
mod phrase;
#[cfg(test)]
mod tests;

use tantivy::postings::TermInfo;
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, SegmentReader, Term};

use crate::index::{Fields, Snapshot};
use crate::text::{QueryTerms, query_terms};
use list::{List, Scoring};
use phrase::{Phrase, PhraseWord};

/// What a word adds by standing in a special place, besides its BM25 score in the whole text. Larger title weights
/// (0.3) lost .01 nDCG@10 on CACM and CISI.
const TITLE_BOOST: f32 = 0.15;
const HEADINGS_BOOST: f32 = 0.1;
const TAGS_BOOST: f32 = 0.1;
const NAME_BOOST: f32 = 0.15;
const FOLDER_BOOST: f32 = 0.05;
const CJK_BOOST: f32 = 0.3;
/// Of a link's target. It is not in the whole text, so that this is all that it counts for: less than what can be read.
const UNSEEN_BOOST: f32 = 0.5;

/// Grains of the highest score a question can give. An f32 adds whole numbers without rounding up to twice that.
const GRAINS: f32 = 8_388_608.0;

/// A question, analysed for one snapshot.
pub(crate) struct Words {
    searcher: Searcher,
    clauses: Vec<Clause>,
    /// Score of a grain.
    grain: f32,
    /// Upper end of what BM25 gives a passage that holds every word: see [`Words::share`].
    ideal: f32,
}

/// One thing that a passage scores by.
struct Clause {
    field: Field,
    weight: Bm25Weight,
    /// No passage gets more, in score.
    most: f32,
    kind: Kind,
}

/// In each segment, where its lists lie.
enum Kind {
    Term(Vec<Option<TermInfo>>),
    /// Of each word, and its place in the phrase; of segments that hold all of them.
    Phrase(Vec<Option<Vec<(usize, TermInfo)>>>),
}

impl Words {
    pub(crate) fn of(question: &str, snapshot: &Snapshot) -> tantivy::Result<Self> {
        let terms = query_terms(question);
        let searcher = snapshot.searcher().clone();
        let mut gathered = Gathered { searcher: &searcher, clauses: Vec::new(), ideal: 0.0 };
        gathered.add(&terms, snapshot.fields())?;
        let Gathered { clauses, ideal, .. } = gathered;
        let most: f32 = clauses.iter().map(|clause| clause.most).sum();
        Ok(Self { clauses, grain: most / GRAINS, ideal, searcher })
    }

    /// How much of the question's weight in words a passage carries, about `0..=1`, comparable between questions.
    pub(crate) fn share(&self, bm25: f32) -> f32 {
        if self.ideal > 0.0 { (bm25 / self.ideal).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The best `n` living passages, best first, those of equal score in the order of addresses.
    pub(crate) fn best(&self, n: usize) -> tantivy::Result<Vec<(f32, DocAddress)>> {
        best::best(self, n, &best::USUAL)
    }

    /// Scores of given passages, by seeking in the lists; those without a matching word are left out.
    pub(crate) fn scores(&self, mut addresses: Vec<DocAddress>) -> tantivy::Result<Vec<(DocAddress, f32)>> {
        addresses.sort_unstable();
        let mut scored = Vec::with_capacity(addresses.len());
        for segment in addresses.chunk_by(|a, b| a.segment_ord == b.segment_ord) {
            let mut lists = self.lists(segment[0].segment_ord)?;
            for address in segment {
                let grains: f32 = lists.iter_mut().map(|list| list.grains_at(address.doc_id, 0.0)).sum();
                if grains > 0.0 {
                    scored.push((*address, grains * self.grain));
                }
            }
        }
        Ok(scored)
    }

    /// The clauses that match anything in a segment, open at the beginning.
    fn lists(&self, segment_ord: u32) -> tantivy::Result<Vec<List<'_>>> {
        let segment = self.searcher.segment_reader(segment_ord);
        let mut lists = Vec::with_capacity(self.clauses.len());
        for clause in &self.clauses {
            lists.extend(clause.open(segment_ord as usize, segment, self.grain)?);
        }
        Ok(lists)
    }

    /// Entries of all lists, about: what going through all of them takes.
    fn n_entries(&self) -> u64 {
        let of = |clause: &Clause| -> u64 {
            match &clause.kind {
                Kind::Term(lists) => lists.iter().flatten().map(|list| u64::from(list.doc_freq)).sum(),
                Kind::Phrase(_) => 0,
            }
        };
        self.clauses.iter().map(of).sum()
    }
}

impl Clause {
    fn open(&self, ord: usize, segment: &SegmentReader, grain: f32) -> tantivy::Result<Option<List<'_>>> {
        let index = segment.inverted_index(self.field)?;
        let scoring = || -> tantivy::Result<Scoring<'_>> {
            let lengths = segment.get_fieldnorms_reader(self.field)?;
            Ok(Scoring { lengths, weight: &self.weight, most: self.most, grain })
        };
        match &self.kind {
            Kind::Term(lists) => {
                let Some(info) = &lists[ord] else { return Ok(None) };
                let postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
                Ok(Some(List::term(postings, scoring()?)))
            }
            Kind::Phrase(lists) => {
                let Some(words) = &lists[ord] else { return Ok(None) };
                let open = |(at, info): &(usize, TermInfo)| {
                    let places = IndexRecordOption::WithFreqsAndPositions;
                    Ok(PhraseWord { postings: index.read_postings_from_terminfo(info, places)?, at: *at })
                };
                let words = words.iter().map(open).collect::<tantivy::Result<Vec<PhraseWord>>>()?;
                Ok(Some(List::phrase(Phrase::new(words), scoring()?)))
            }
        }
    }
}

/// Clauses as they are made from a question's terms.
struct Gathered<'a> {
    searcher: &'a Searcher,
    clauses: Vec<Clause>,
    ideal: f32,
}

impl Gathered<'_> {
    fn add(&mut self, terms: &QueryTerms, f: &Fields) -> tantivy::Result<()> {
        let counted = || terms.words.iter().zip(&terms.counts);
        let mut text = Statistics::of(self.searcher, f.text)?;
        for (word, count) in counted() {
            self.ideal += *count as f32 * self.term(&mut text, word, *count as f32)?;
        }
        let places = [
            (f.title, TITLE_BOOST),
            (f.headings, HEADINGS_BOOST),
            (f.tags, TAGS_BOOST),
            (f.name, NAME_BOOST),
            (f.folder, FOLDER_BOOST),
            (f.unseen, UNSEEN_BOOST),
        ];
        for (field, boost) in places {
            let mut place = Statistics::of(self.searcher, field)?;
            for word in &terms.words {
                self.term(&mut place, word, boost)?;
            }
        }
        let mut cjk = Statistics::of(self.searcher, f.cjk)?;
        for characters in &terms.cjk {
            self.ideal += CJK_BOOST * self.term(&mut cjk, characters, CJK_BOOST)?;
        }
        for phrase in terms.phrases.iter().filter(|phrase| phrase.len() > 1) {
            self.phrase(f.text, phrase)?;
        }
        Ok(())
    }

    /// Returns the most that BM25 gives a passage for the term, without the boost, whether or not any holds it.
    fn term(&mut self, field: &mut Statistics, text: &str, boost: f32) -> tantivy::Result<f32> {
        let term = Term::from_field_text(field.field, text);
        let lists = self.find(field.field, &term)?;
        let found: u64 = lists.iter().flatten().map(|list| u64::from(list.doc_freq)).sum();
        if found > 0 && field.mean_length > 0.0 {
            let weight = Bm25Weight::for_one_term_without_explain(found, field.n_documents, field.mean_length);
            let weight = weight.boost_by(boost);
            let most = weight.max_score();
            self.clauses.push(Clause { field: field.field, weight, most, kind: Kind::Term(lists) });
        }
        // BM25's ceiling is idf times k1 + 1.
        let (n, found) = (self.searcher.num_docs() as f32, found as f32);
        Ok(2.2 * (1.0 + (n - found + 0.5).max(0.0) / (found + 0.5)).ln())
    }

    fn phrase(&mut self, field: Field, words: &[(usize, String)]) -> tantivy::Result<()> {
        let terms: Vec<Term> = words.iter().map(|(_, word)| Term::from_field_text(field, word)).collect();
        let weight = Bm25Weight::for_terms(self.searcher, &terms)?;
        let most = weight.max_score();
        let mut lists = vec![Some(Vec::with_capacity(words.len())); self.searcher.segment_readers().len()];
        for ((at, _), term) in words.iter().zip(&terms) {
            for (list, found) in lists.iter_mut().zip(self.find(field, term)?) {
                *list = list.take().zip(found).map(|(mut list, info)| {
                    list.push((*at, info));
                    list
                });
            }
        }
        self.clauses.push(Clause { field, weight, most, kind: Kind::Phrase(lists) });
        Ok(())
    }

    /// Where a term's list lies in each segment.
    fn find(&self, field: Field, term: &Term) -> tantivy::Result<Vec<Option<TermInfo>>> {
        let segments = self.searcher.segment_readers().iter();
        segments.map(|segment| Ok(segment.inverted_index(field)?.get_term_info(term)?)).collect()
    }
}

/// What BM25 wants to know of a field.
struct Statistics {
    field: Field,
    n_documents: u64,
    mean_length: f32,
}

impl Statistics {
    fn of(searcher: &Searcher, field: Field) -> tantivy::Result<Self> {
        let n_documents = searcher.total_num_docs()?;
        let mean_length = searcher.total_num_tokens(field)? as f32 / n_documents.max(1) as f32;
        Ok(Self { field, n_documents, mean_length })
    }
}
