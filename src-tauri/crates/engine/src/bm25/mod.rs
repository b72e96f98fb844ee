//! Ranking by words: BM25 (Robertson and Zaragoza 2009) over the fields of a passage.
//!
//! A question becomes *clauses*: a word in a field, a pair of Chinese characters, a quoted phrase. A passage's score is
//! the sum of its clauses' scores. The best passages are found without computing every passage's sum: see [`best`].
//!
//! Scores are added in whole *grains*, a fixed fraction of the question's highest possible score. A sum of whole
//! numbers does not depend on the order of addition, so every thread gets the same sum, and ties are exact.

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

/// Weights of a word's BM25 scores in special fields, which are added to its score in the whole text (weight 1). Larger
/// title weights (0.3) lost .01 nDCG@10 on CACM and CISI.
const TITLE_BOOST: f32 = 0.15;
const HEADINGS_BOOST: f32 = 0.1;
const TAGS_BOOST: f32 = 0.1;
const NAME_BOOST: f32 = 0.15;
const FOLDER_BOOST: f32 = 0.05;
const CJK_BOOST: f32 = 0.3;
/// The weight of unseen text, such as a link's target. It is not in the whole text, so a word there scores nothing else
/// and counts less than a word that can be read.
const UNSEEN_BOOST: f32 = 0.5;

/// The weight of "open ai" if the question says `openai` and other notes contain that.
const PAIR_BESIDE_WORD: f32 = 0.5;

/// How many grains the highest possible score of a question has. An f32 adds whole numbers up to twice that exactly.
const GRAINS: f32 = 8_388_608.0;

/// A question, analysed for one snapshot.
pub(crate) struct LexicalQuery {
    searcher: Searcher,
    clauses: Vec<Clause>,
    /// The question's terms. Its words include those that may be meant by others.
    terms: QueryTerms,
    /// Which passages may answer; `None` if all may.
    narrow: Option<Narrow>,
    /// The score of one grain.
    grain: f32,
    /// An upper bound on the BM25 score of a passage that contains every word: see [`LexicalQuery::share`].
    ideal: f32,
}

/// One part of a question that adds to a passage's score.
struct Clause {
    field: Field,
    weight: Bm25Weight,
    /// The highest score that the clause gives any passage.
    most: f32,
    kind: Kind,
}

/// Where the clause's posting lists lie, for each segment.
enum Kind {
    Term(Vec<Option<TermInfo>>),
    /// For each word, its place in the phrase and its list; `None` for a segment that lacks a word.
    Phrase(Vec<Option<Vec<(usize, TermInfo)>>>),
}

impl LexicalQuery {
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

    /// The terms that were looked up, including words that unknown ones may mean.
    pub(crate) fn terms(&self) -> &QueryTerms {
        &self.terms
    }

    /// Whether a passage may answer: its note contains every quoted phrase and nothing that the question excludes.
    pub(crate) fn allows(&self, address: DocAddress) -> bool {
        self.narrow.as_ref().is_none_or(|narrow| narrow.allows(address))
    }

    /// A passage's BM25 score as a share of `ideal`, in `0..=1`, so that it is comparable between questions.
    pub(crate) fn share(&self, bm25: f32) -> f32 {
        if self.ideal > 0.0 { (bm25 / self.ideal).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The best `n` passages that are not deleted, best first. Equal scores are in the order of addresses.
    pub(crate) fn best(&self, n: usize) -> tantivy::Result<Vec<(f32, DocAddress)>> {
        best::best(self, n, &best::USUAL)
    }

    /// The scores of the given passages, found by seeking in the lists. Passages without a matching word and passages
    /// that may not answer are left out.
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

    /// The lists of the clauses that match anything in a segment, each at its first entry.
    fn lists(&self, segment_ord: u32) -> tantivy::Result<Vec<List<'_>>> {
        let segment = self.searcher.segment_reader(segment_ord);
        let mut lists = Vec::with_capacity(self.clauses.len());
        for clause in &self.clauses {
            lists.extend(clause.open(segment_ord as usize, segment, self.grain)?);
        }
        Ok(lists)
    }

    /// How many entries the lists of all terms have: an estimate of the work of going through all lists.
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

/// A word to look up.
struct Asked<'a> {
    word: &'a str,
    weight: f32,
    /// Whether the word counts in [`LexicalQuery::ideal`].
    is_needed: bool,
}

/// The clauses made so far from a question's terms.
struct Gathered<'a> {
    searcher: &'a Searcher,
    clauses: Vec<Clause>,
    ideal: f32,
}

impl Gathered<'_> {
    /// Adds all clauses of the question. Returns the words looked up besides those of the question.
    fn add(&mut self, terms: &QueryTerms, f: &Fields) -> tantivy::Result<Vec<String>> {
        let fields = [f.text, f.name, f.folder, f.unseen];
        let known = Known { searcher: self.searcher, fields: &fields };
        let meant = known.meant(&terms.typed, &terms.words)?;
        let mut asked: Vec<Asked> = Vec::with_capacity(terms.words.len());
        for (at, (word, count)) in terms.words.iter().zip(&terms.counts).enumerate() {
            let instead = meant.iter().any(|(typed, meant)| typed.word == at && meant.is_instead());
            // If a note contains the whole word, its parts together weigh as much as it; otherwise each part does.
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

    /// Adds the clause of a term. Returns the highest BM25 score that a passage can get for the term, without the
    /// boost, even if no passage contains it.
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
        // BM25's upper bound is idf times (k1 + 1), and k1 is 1.2.
        let (n, found) = (self.searcher.num_docs() as f32, found as f32);
        Ok(2.2 * (1.0 + (n - found + 0.5).max(0.0) / (found + 0.5)).ln())
    }

    /// Adds the clause of a phrase. Returns the highest score that a passage can get for the phrase.
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

/// The statistics of a field that BM25 needs.
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
