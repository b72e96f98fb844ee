//! Ranking by words: BM25 (Robertson and Zaragoza 2009) over the fields of a passage.
//!
//! A question becomes *clauses*: a word in a field, a pair of Chinese characters, a quoted phrase. A passage's score is
//! the sum of its clauses' scores, and the best passages are found without adding up all of them: see [`best`].
//!
//! Scores are added in whole *grains*, so many to the question's highest possible score, so that a sum is the same in
//! whatever order it is taken, by whichever thread, and ties are ties.

mod best;
mod list;
mod meant;
mod narrow;
mod phrase;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tantivy::postings::TermInfo;
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, SegmentReader, Term};

use crate::index::{Fields, Snapshot};
use crate::text::{QueryTerms, query_terms};
use list::{List, Scoring};
use meant::Known;
use narrow::Narrow;
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

/// What "open ai" counts where `openai` is asked for and other notes have that.
const PAIR_BESIDE_WORD: f32 = 0.5;

/// Grains of the highest score a question can give. An f32 adds whole numbers without rounding up to twice that.
const GRAINS: f32 = 8_388_608.0;

/// A question, analysed for one snapshot.
pub(crate) struct Words {
    searcher: Searcher,
    clauses: Vec<Clause>,
    /// What was asked, and what may be meant by it.
    terms: QueryTerms,
    /// Which passages may answer at all.
    narrow: Option<Narrow>,
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
        Self::of_terms(query_terms(question), snapshot)
    }

    pub(crate) fn of_terms(mut terms: QueryTerms, snapshot: &Snapshot) -> tantivy::Result<Self> {
        let (searcher, fields) = (snapshot.searcher().clone(), snapshot.fields());
        let narrow = Narrow::of(&terms, snapshot)?;
        let mut gathered = Gathered { searcher: &searcher, clauses: Vec::new(), ideal: 0.0 };
        let meant = gathered.add(&terms, fields)?;
        let Gathered { clauses, ideal, .. } = gathered;
        let most: f32 = clauses.iter().map(|clause| clause.most).sum();
        let news: Vec<String> = meant.into_iter().filter(|word| !terms.words.contains(word)).collect();
        terms.words.extend(news);
        Ok(Self { clauses, terms, narrow, grain: most / GRAINS, ideal, searcher })
    }

    /// The words that were looked for, those that may be meant by unknown ones among them.
    pub(crate) fn terms(&self) -> &QueryTerms {
        &self.terms
    }

    /// Whether a passage may answer: its note has every quoted phrase and nothing that is left out.
    pub(crate) fn allows(&self, address: DocAddress) -> bool {
        self.narrow.as_ref().is_none_or(|narrow| narrow.allows(address))
    }

    /// How much of the question's weight in words a passage carries, about `0..=1`, comparable between questions.
    pub(crate) fn share(&self, bm25: f32) -> f32 {
        if self.ideal > 0.0 { (bm25 / self.ideal).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The best `n` living passages, best first, those of equal score in the order of addresses.
    pub(crate) fn best(&self, n: usize) -> tantivy::Result<Vec<(f32, DocAddress)>> {
        best::best(self, n, &best::USUAL)
    }

    /// Scores of given passages, by seeking in the lists; those without a matching word, and those that may not
    /// answer, are left out.
    pub(crate) fn scores(&self, mut addresses: Vec<DocAddress>) -> tantivy::Result<Vec<(DocAddress, f32)>> {
        addresses.sort_unstable();
        let mut scored = Vec::with_capacity(addresses.len());
        for segment in addresses.chunk_by(|a, b| a.segment_ord == b.segment_ord) {
            let mut lists = self.lists(segment[0].segment_ord)?;
            for address in segment {
                let grains: f32 = lists.iter_mut().map(|list| list.grains_at(address.doc_id, 0.0)).sum();
                if grains > 0.0 && self.allows(*address) {
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

/// A word that is looked for.
struct Asked<'a> {
    word: &'a str,
    weight: f32,
    /// Whether a passage that holds everything holds it.
    is_needed: bool,
}

/// Clauses as they are made from a question's terms.
struct Gathered<'a> {
    searcher: &'a Searcher,
    clauses: Vec<Clause>,
    ideal: f32,
}

impl Gathered<'_> {
    /// Returns the words that may be meant besides those of the question.
    fn add(&mut self, terms: &QueryTerms, f: &Fields) -> tantivy::Result<Vec<String>> {
        let fields = [f.text, f.name, f.folder, f.unseen];
        let known = Known { searcher: self.searcher, fields: &fields };
        let meant = known.meant(&terms.typed, &terms.words)?;
        let mut asked: Vec<Asked> = Vec::with_capacity(terms.words.len());
        for (at, (word, count)) in terms.words.iter().zip(&terms.counts).enumerate() {
            let instead = meant.iter().any(|(typed, meant)| typed.word == at && meant.is_instead());
            // Parts and whole together say one thing: where no note has the whole, the parts say it alone.
            let weight = match terms.part_of[at] {
                Some((whole, n_parts)) if known.has(&terms.words[whole])? => *count as f32 / n_parts as f32,
                _ => *count as f32,
            };
            let has_parts = || terms.part_of.iter().flatten().any(|(whole, _)| *whole == at);
            let is_needed = !instead && (!has_parts() || known.has(word)?);
            asked.push(Asked { word, weight, is_needed });
        }
        let others = meant.iter().flat_map(|(typed, meant)| {
            let count = terms.counts[typed.word] as f32;
            meant.words.iter().map(move |(word, weight)| Asked { word, weight: weight * count, is_needed: false })
        });
        asked.extend(others);
        for word in &terms.joined {
            if known.has(word)? {
                asked.push(Asked { word, weight: 1.0, is_needed: false });
            }
        }

        let mut text = Statistics::of(self.searcher, f.text)?;
        let mut instead: HashMap<&str, f32> = HashMap::new();
        for Asked { word, weight, is_needed } in &asked {
            let most = weight * self.term(&mut text, word, *weight)?;
            instead.insert(word, most);
            if *is_needed {
                self.ideal += most;
            }
        }
        for (_, meant) in &meant {
            self.ideal += meant.words.iter().map(|(word, _)| instead[word.as_str()]).fold(0.0, f32::max);
            for (at, [first, second]) in meant.pairs.iter().enumerate() {
                let words = [(0, first.clone()), (1, second.clone())];
                let most = self.phrase(f.text, &words, if meant.is_known { PAIR_BESIDE_WORD } else { 1.0 })?;
                if at == 0 && !meant.is_known && meant.words.is_empty() {
                    self.ideal += most;
                }
            }
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
            for Asked { word, weight, .. } in &asked {
                self.term(&mut place, word, boost * weight.min(1.0))?;
            }
        }
        let mut cjk = Statistics::of(self.searcher, f.cjk)?;
        for characters in &terms.cjk {
            self.ideal += CJK_BOOST * self.term(&mut cjk, characters, CJK_BOOST)?;
        }
        for phrase in terms.phrases.iter().filter(|phrase| phrase.len() > 1) {
            self.phrase(f.text, phrase, 1.0)?;
        }
        let mut news: Vec<String> = asked.iter().skip(terms.words.len()).map(|asked| asked.word.to_owned()).collect();
        news.extend(meant.into_iter().flat_map(|(_, meant)| meant.pairs).flatten());
        Ok(news)
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

    /// Returns the most that a passage gets for the phrase.
    fn phrase(&mut self, field: Field, words: &[(usize, String)], boost: f32) -> tantivy::Result<f32> {
        let terms: Vec<Term> = words.iter().map(|(_, word)| Term::from_field_text(field, word)).collect();
        let weight = Bm25Weight::for_terms(self.searcher, &terms)?.boost_by(boost);
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
        Ok(most)
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
