//! Ranking by words: BM25 (Robertson and Zaragoza 2009) over the fields of a passage.
//!
//! A question becomes *clauses*: a word in a field, a pair of Chinese characters, a quoted phrase. A passage's score is
//! the sum of its clauses' scores, and the best passages are found without adding up all of them: see [`best`].
//!
//! Scores are added in whole *grains*, so many to the question's highest possible score, so that a sum is the same in
//! whatever order it is taken, by whichever thread, and ties are ties.

mod best;
mod list;
#[cfg(test)]
mod tests;

use tantivy::postings::TermInfo;
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight, EnableScoring, PhraseQuery, Query, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, SegmentReader, Term};

use crate::index::{Fields, Snapshot};
use crate::text::{QueryTerms, query_terms};
use list::List;

/// What a word adds by standing in a special place, besides its BM25 score in the whole text. Larger title weights
/// (0.3) lost .01 nDCG@10 on CACM and CISI.
const TITLE_BOOST: f32 = 0.15;
const HEADINGS_BOOST: f32 = 0.1;
const TAGS_BOOST: f32 = 0.1;
const NAME_BOOST: f32 = 0.15;
const FOLDER_BOOST: f32 = 0.05;
const CJK_BOOST: f32 = 0.3;

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
    kind: Kind,
    /// No passage gets more, in score.
    most: f32,
}

enum Kind {
    /// A term, and where its list lies in each segment.
    Term {
        field: Field,
        weight: Bm25Weight,
        lists: Vec<Option<TermInfo>>,
    },
    Phrase {
        weight: Box<dyn Weight>,
    },
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
                let grains: f32 = lists.iter_mut().map(|list| list.grains_at(address.doc_id)).sum();
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
        let of = |clause: &Clause| match &clause.kind {
            Kind::Term { lists, .. } => lists.iter().flatten().map(|list| u64::from(list.doc_freq)).sum(),
            Kind::Phrase { .. } => 0,
        };
        self.clauses.iter().map(of).sum()
    }
}

impl Clause {
    fn open(&self, ord: usize, segment: &SegmentReader, grain: f32) -> tantivy::Result<Option<List<'_>>> {
        match &self.kind {
            Kind::Term { field, weight, lists } => {
                let Some(info) = &lists[ord] else { return Ok(None) };
                let index = segment.inverted_index(*field)?;
                let postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
                let lengths = segment.get_fieldnorms_reader(*field)?;
                Ok(Some(List::term(postings, lengths, weight, self.most, grain)))
            }
            Kind::Phrase { weight } => {
                let scorer = weight.scorer(segment, 1.0)?;
                Ok(Some(List::phrase(scorer, self.most, grain)))
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
        let mut lists = Vec::with_capacity(self.searcher.segment_readers().len());
        for segment in self.searcher.segment_readers() {
            lists.push(segment.inverted_index(field.field)?.get_term_info(&term)?);
        }
        let found: u64 = lists.iter().flatten().map(|list| u64::from(list.doc_freq)).sum();
        if found > 0 && field.mean_length > 0.0 {
            let weight = Bm25Weight::for_one_term_without_explain(found, field.n_documents, field.mean_length);
            let weight = weight.boost_by(boost);
            let most = weight.max_score();
            self.clauses.push(Clause { kind: Kind::Term { field: field.field, weight, lists }, most });
        }
        // BM25's ceiling is idf times k1 + 1.
        let (n, found) = (self.searcher.num_docs() as f32, found as f32);
        Ok(2.2 * (1.0 + (n - found + 0.5).max(0.0) / (found + 0.5)).ln())
    }

    fn phrase(&mut self, field: Field, words: &[(usize, String)]) -> tantivy::Result<()> {
        let terms: Vec<(usize, Term)> =
            words.iter().map(|(at, word)| (*at, Term::from_field_text(field, word))).collect();
        let plain: Vec<Term> = terms.iter().map(|(_, term)| term.clone()).collect();
        let most = Bm25Weight::for_terms(self.searcher, &plain)?.max_score();
        let weight = PhraseQuery::new_with_offset(terms).weight(EnableScoring::enabled_from_searcher(self.searcher))?;
        self.clauses.push(Clause { kind: Kind::Phrase { weight }, most });
        Ok(())
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
