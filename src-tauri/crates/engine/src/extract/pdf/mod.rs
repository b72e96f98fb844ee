//! Reads PDF, page after page. A PDF holds glyphs and their places, but no words, paragraphs or headings, so these are
//! put together again.

mod beside;
mod columns;
mod line;
mod page;
mod properties;

use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page};
use hayro_syntax::{DecryptionError, LoadPdfError};
use kurbo::{Affine, Rect};

use super::archive::{ENCRYPTED, broken};
use super::block::Rendition;
use super::office::{Properties, check_room};
use super::{BlockKind, Extractor, Place, Reading, Unreadable};
use beside::Beside;
use page::{Page, Paragraph, Shape};
use properties::properties;

pub(super) struct Pdf;

/// Most pages. No document has more, and each page costs time even when it is empty.
const MAX_PAGES: usize = 20_000;

/// How much larger than most of the text a heading is set, at least.
const HEADING_SCALE: f64 = 1.12;

/// Most characters of a heading; longer text is large print.
const MAX_HEADING_CHARS: usize = 200;

impl Extractor for Pdf {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        if bytes.is_empty() {
            return Err(broken("it is empty"));
        }
        let pdf = hayro_syntax::Pdf::new(bytes.to_vec()).map_err(|error| match error {
            LoadPdfError::Decryption(DecryptionError::PasswordProtected) => broken(ENCRYPTED),
            LoadPdfError::Decryption(_) => broken("it is encrypted in a way that is not understood"),
            LoadPdfError::Invalid => broken("it is damaged or no PDF"),
        })?;
        if pdf.pages().len() > MAX_PAGES {
            return Err(broken("it has more than 20,000 pages"));
        }
        if pdf.pages().is_empty() {
            return Err(broken("it is damaged: it has no pages"));
        }
        let cache = InterpreterCache::new();
        let mut pages = Vec::new();
        let (mut n_pictures, mut n_unreadable, mut n_bytes) = (0, 0, 0);
        for page in pdf.pages().iter() {
            let transform = Affine::new(page.initial_transform(true).as_coeffs());
            let (width, height) = page.render_dimensions();
            let bounds = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
            let mut context = Context::new(transform, bounds, &cache, pdf.xref(), InterpreterSettings::default());
            let mut shown = Page::default();
            interpret_page(page, &mut context, &mut shown);
            n_pictures += shown.n_pictures;
            n_unreadable += shown.n_unreadable;
            let paragraphs = shown.paragraphs();
            let text: String = paragraphs.iter().flat_map(|paragraph| [paragraph.text.as_str(), "\n"]).collect();
            let beside = Beside::of(page, &text);
            n_bytes += text.len() - paragraphs.len() + beside.texts.iter().map(String::len).sum::<usize>();
            if n_bytes > super::office::MAX_TEXT_BYTES {
                return Err(broken("it holds more than 20 MB of text"));
            }
            pages.push((paragraphs, beside));
        }
        if n_bytes == 0 && n_unreadable > 0 {
            return Err(broken("its fonts do not say which characters they draw"));
        }
        if n_bytes == 0 && n_pictures > 0 {
            return Err(broken(
                "it holds no text, only pictures: it would have to go through text recognition (OCR) first",
            ));
        }
        lay(&pages, properties(&pdf))
    }
}

fn lay(pages: &[(Vec<Paragraph>, Beside)], properties: Properties) -> Result<Reading, Unreadable> {
    let sizes = heading_sizes(pages.iter().flat_map(|(page, _)| page));
    let mut rendition = Rendition::default();
    for ((page, beside), number) in pages.iter().zip(1..) {
        rendition.place(Place::Page { number });
        for paragraph in page {
            let level = sizes.iter().position(|size| *size == paragraph.half_points());
            let kind = match (level, paragraph.shape) {
                (Some(level), Shape::Plain) if paragraph.could_be_heading() => {
                    BlockKind::Heading { level: u8::try_from(level + 1).unwrap_or(6).min(6) }
                }
                (_, Shape::List) => BlockKind::List,
                _ => BlockKind::Paragraph,
            };
            rendition.push(kind, &paragraph.text);
        }
        beside.texts.iter().for_each(|text| rendition.push(BlockKind::Paragraph, text));
        beside.links.iter().for_each(|leads_to| rendition.unseen(leads_to));
        check_room(&rendition)?;
    }
    Ok(properties.complete(rendition))
}

impl Paragraph {
    /// The font size in half points. Finer differences come from the program that printed the file and mean nothing.
    fn half_points(&self) -> u32 {
        (self.size * 2.0).round().clamp(0.0, 4000.0) as u32
    }

    fn could_be_heading(&self) -> bool {
        self.n_lines <= 3
            && self.text.chars().count() <= MAX_HEADING_CHARS
            && self.text.chars().any(char::is_alphabetic)
    }
}

/// The font sizes of headings, in half points, largest first: those well above the size of most of the text.
fn heading_sizes<'p>(paragraphs: impl Iterator<Item = &'p Paragraph>) -> Vec<u32> {
    let mut chars: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
    for paragraph in paragraphs {
        *chars.entry(paragraph.half_points()).or_default() += paragraph.text.chars().count();
    }
    let Some(body) = chars.iter().max_by_key(|(_, n_chars)| **n_chars).map(|(size, _)| *size) else {
        return Vec::new();
    };
    let is_heading = |size: &u32| f64::from(*size) >= f64::from(body) * HEADING_SCALE;
    chars.into_keys().rev().filter(is_heading).collect()
}

/// Decodes a text string outside pages: UTF-16 or UTF-8 with a byte order mark, else nearly Latin-1 (ISO 32000-2,
/// 7.9.2.2).
fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xFE, 0xFF, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        [0xFF, 0xFE, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0.into_owned(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}
