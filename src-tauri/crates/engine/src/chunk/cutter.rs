//! Divides a document's blocks into passages.

use std::ops::Range;
use std::sync::Arc;

use super::sentence::{each_sentence, hard_cuts};
use super::{Chunk, ChunkRules, estimate_tokens};
use crate::extract::{Block, BlockKind, Document, Place};

/// The passages of a document; none if it is blank.
pub(super) fn cut(document: &Document, rules: &ChunkRules) -> Vec<Chunk> {
    let mut cutter = Cutter { document, rules, open: Passage::default(), done: Vec::new(), n_closed: 0 };
    let sizes: Vec<usize> = document.blocks.iter().map(|block| estimate_tokens(&block.text)).collect();
    let whole = rules.target_tokens + rules.target_tokens / 4;
    let parts = parts(document);
    let is_one_part = parts.first() == parts.last();
    if is_one_part && sizes.iter().sum::<usize>() <= whole.min(rules.max_tokens) {
        cutter.open.pieces = (0..sizes.len()).map(|at| Piece::whole(&document.blocks, at, sizes[at])).collect();
    } else {
        for (at, tokens) in sizes.into_iter().enumerate() {
            if at > 0 && parts[at] != parts[at - 1] {
                cutter.close();
                cutter.n_closed = cutter.done.len();
            }
            cutter.add_block(at, tokens);
        }
    }
    let last = std::mem::take(&mut cutter.open);
    cutter.finish(last);
    cutter.join_short_end();
    let passages = cutter.done.iter().enumerate();
    let mut chunks: Vec<Chunk> = passages.map(|(ordinal, passage)| cutter.chunk(ordinal, &passage.pieces)).collect();
    let places = document.places_at(chunks.iter().map(|chunk| chunk.span.start));
    chunks.iter_mut().zip(places).for_each(|(chunk, place)| chunk.place = place);
    chunks
}

/// For each block, the number of the page, slide, chapter or range of cells that it stands in. A passage must not reach
/// from one into the next, or a hit would open at the wrong one. Cells of notebooks and scenes of films do not count:
/// they are too small to be passages of their own.
fn parts(document: &Document) -> Vec<usize> {
    let is_part =
        |place: &Place| !matches!(place, Place::Line { .. } | Place::NotebookCell { .. } | Place::Time { .. });
    let starts: Vec<usize> =
        document.places.iter().filter(|(_, place)| is_part(place)).map(|(start, _)| *start).collect();
    document.blocks.iter().map(|block| starts.partition_point(|start| *start <= block.span.start)).collect()
}

/// A part of a block, or all of it.
#[derive(Clone, Debug)]
struct Piece {
    block: usize,
    /// Byte range of the block's text.
    range: Range<usize>,
    tokens: usize,
}

impl Piece {
    fn whole(blocks: &[Block], block: usize, tokens: usize) -> Self {
        Self { block, range: 0..blocks[block].text.len(), tokens }
    }
}

#[derive(Default)]
struct Passage {
    pieces: Vec<Piece>,
    tokens: usize,
    /// How many of the first pieces repeat the end of the passage before.
    n_repeated: usize,
}

impl Passage {
    fn push(&mut self, piece: Piece) {
        self.tokens += piece.tokens;
        self.pieces.push(piece);
    }

    fn has_news(&self) -> bool {
        self.pieces.len() > self.n_repeated
    }

    /// Joins successive pieces of a block, to save memory: a finished passage is not cut any more, and a file can have
    /// millions of sentences. Repeated pieces are not joined with new ones.
    fn join_pieces(&mut self) {
        let join = |pieces: &mut Vec<Piece>| {
            pieces.dedup_by(|next, last| {
                let follows = next.block == last.block && next.range.start == last.range.end;
                if follows {
                    last.range.end = next.range.end;
                    last.tokens += next.tokens;
                }
                follows
            });
        };
        let mut news = self.pieces.split_off(self.n_repeated);
        join(&mut self.pieces);
        join(&mut news);
        self.n_repeated = self.pieces.len();
        self.pieces.extend(news);
        self.pieces.shrink_to_fit();
    }
}

struct Cutter<'a> {
    document: &'a Document,
    rules: &'a ChunkRules,
    open: Passage,
    done: Vec<Passage>,
    /// How many of `done` belong to earlier pages, slides or the like. Nothing is added to them.
    n_closed: usize,
}

impl<'a> Cutter<'a> {
    fn add_block(&mut self, at: usize, tokens: usize) {
        let block = &self.document.blocks[at];
        let target = self.rules.target_tokens;
        if let BlockKind::Heading { .. } = block.kind {
            if self.open.tokens >= target * 2 / 5 && self.body().is_some() {
                self.close();
            }
        } else if self.open.tokens + tokens > target && self.open.tokens >= target / 2 && tokens <= target {
            self.close_and_repeat();
        }
        // Code and tables get more room, because they lose the most by being cut.
        let room = match block.kind {
            BlockKind::Code | BlockKind::Table => self.rules.max_tokens,
            _ => (target + target / 8).min(self.rules.max_tokens),
        };
        if tokens <= room && self.open.tokens + tokens > room {
            match self.body() {
                Some(_) => self.close(),
                // Repeated pieces are dropped to make room for the block.
                None if self.open.n_repeated > 0 => self.open = Passage::default(),
                // An outline, which has nothing but headings, is cut like any other text.
                None if self.open.tokens > room / 2 => {
                    let passage = std::mem::take(&mut self.open);
                    self.finish(passage);
                }
                None => {}
            }
        }
        if self.open.tokens + tokens <= room {
            self.open.push(Piece::whole(&self.document.blocks, at, tokens));
            return;
        }
        for piece in self.parts(at) {
            if self.open.tokens + piece.tokens > target && self.body().is_some() {
                self.close_and_repeat();
                if self.open.tokens + piece.tokens > self.rules.max_tokens {
                    self.open = Passage::default();
                }
            }
            self.open.push(piece);
        }
    }

    /// The sentences or lines of a block, none longer than the target.
    fn parts(&self, at: usize) -> impl Iterator<Item = Piece> + use<'a> {
        let (document, target) = (self.document, self.rules.target_tokens);
        let block = &document.blocks[at];
        let text = block.text.as_str();
        each_sentence(text, by_line(block.kind))
            .flat_map(move |range| hard_cuts(text, range, target))
            .map(move |range| Piece { block: at, tokens: estimate_tokens(&text[range.clone()]), range })
    }

    fn kind(&self, piece: &Piece) -> BlockKind {
        self.document.blocks[piece.block].kind
    }

    /// The last new piece that is not a heading.
    fn body(&self) -> Option<usize> {
        let is_body = |piece: &Piece| !matches!(self.kind(piece), BlockKind::Heading { .. });
        self.open.pieces.iter().rposition(is_body).filter(|at| *at >= self.open.n_repeated)
    }

    /// Ends the passage. Headings at its end are moved to the next one.
    fn close(&mut self) {
        let mut passage = std::mem::take(&mut self.open);
        let is_heading = |piece: &Piece| matches!(self.kind(piece), BlockKind::Heading { .. });
        let n_kept = passage.pieces.iter().rposition(|piece| !is_heading(piece)).map_or(0, |last| last + 1);
        if n_kept > passage.n_repeated {
            for heading in passage.pieces.split_off(n_kept) {
                self.open.push(heading);
            }
        }
        self.finish(passage);
    }

    fn finish(&mut self, mut passage: Passage) {
        if passage.has_news() {
            passage.join_pieces();
            self.done.push(passage);
        }
    }

    /// Joins a last passage of only a few words to the one before.
    fn join_short_end(&mut self) {
        let Some([before, last]) = self.done[self.n_closed..].last_chunk_mut() else { return };
        let news = last.pieces.split_off(last.n_repeated);
        let tokens: usize = news.iter().map(|piece| piece.tokens).sum();
        if tokens < self.rules.target_tokens / 4 && before.tokens + tokens <= self.rules.max_tokens {
            news.into_iter().for_each(|piece| before.push(piece));
            self.done.pop();
        } else {
            last.pieces.extend(news);
        }
    }

    /// Ends the passage inside a section. The next one begins by repeating the end of this one.
    fn close_and_repeat(&mut self) {
        let Some(last) = self.open.pieces.last().cloned() else { return };
        let is_whole = last.range == (0..self.document.blocks[last.block].text.len());
        let mut ends = match is_whole {
            true => self.parts(last.block).collect::<Vec<_>>(),
            false => self.open.pieces.iter().filter(|piece| piece.block == last.block).cloned().collect(),
        };
        self.close();
        if !self.open.pieces.is_empty() {
            return;
        }
        let mut first = ends.len();
        let mut room = self.rules.overlap_tokens;
        while let Some(piece) = first.checked_sub(1).map(|at| &ends[at])
            && piece.tokens <= room
        {
            room -= piece.tokens;
            first -= 1;
        }
        ends.drain(first..).for_each(|piece| self.open.push(piece));
        self.open.n_repeated = self.open.pieces.len();
    }

    fn chunk(&self, ordinal: usize, pieces: &[Piece]) -> Chunk {
        let mut text = String::new();
        let mut path: Option<&Arc<[String]>> = None;
        let mut n_common = 0;
        let mut before: Option<&Piece> = None;
        for piece in pieces {
            let block = &self.document.blocks[piece.block];
            if before.is_some_and(|before| before.block != piece.block) {
                text.truncate(text.trim_end().len());
                text.push_str("\n\n");
            }
            text.push_str(&block.text[piece.range.clone()]);
            n_common = match path {
                None => block.heading_path.len(),
                Some(path) => n_common.min(n_common_of(path, &block.heading_path)),
            };
            path.get_or_insert(&block.heading_path);
            before = Some(piece);
        }
        text.truncate(text.trim_end().len());
        let source = |piece: &Piece, at: usize| {
            let block = &self.document.blocks[piece.block];
            match at {
                0 => block.span.start,
                at if at == block.text.len() => block.span.end,
                at => block.source_offset(self.document, at),
            }
        };
        let span = match (pieces.first(), pieces.last()) {
            (Some(first), Some(last)) => source(first, first.range.start)..source(last, last.range.end),
            _ => 0..0,
        };
        let heading_path = match path {
            Some(path) if path.len() == n_common => path.clone(),
            path => path.map_or(&[][..], |path| &path[..n_common]).into(),
        };
        Chunk { ordinal, span, heading_path, place: None, text, unseen: String::new() }
    }
}

fn by_line(kind: BlockKind) -> bool {
    matches!(kind, BlockKind::Code | BlockKind::List | BlockKind::Table)
}

/// How many headings two paths have in common, from the outermost on.
fn n_common_of(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
