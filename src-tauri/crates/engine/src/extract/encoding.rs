//! Decodes bytes to text, whatever the encoding.

use std::sync::LazyLock;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::text::script::is_kana;

pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: &'static str,
    /// Whether `text` is the file byte for byte.
    pub(super) is_file_text: bool,
}

/// Most bytes that the detector reads, from the first byte that is not ASCII. It is sure of its guess long before.
const DETECT_BYTES: usize = 256 * 1024;

/// Share of undecodable characters above which a file is taken for something other than text: a stray byte in an old
/// log is forgiven, a picture is not.
const MAX_BROKEN: f64 = 0.03;

/// Share of control characters (other than white space, form feed, escape and backspace) above which a file is
/// binary.
const MAX_CONTROL: f64 = 0.02;

const BINARY: &str = "it holds binary data";
const UNKNOWN: &str = "its encoding cannot be told";

/// Decodes a file. UTF-8 stays as it is, a byte order mark included, except for lone carriage returns. The error says
/// why the file is not text.
pub(super) fn decode(bytes: &[u8], is_html: bool) -> Result<Decoded, &'static str> {
    let mut decoded = decode_as_written(bytes, is_html)?;
    let text = std::mem::take(&mut decoded.text);
    (decoded.text, decoded.is_file_text) = match with_line_feeds(text) {
        Ok(changed) => (changed, false),
        Err(text) => (text, decoded.is_file_text),
    };
    Ok(decoded)
}

/// Makes lone carriage returns line feeds. Old Macs end lines with them, and programs that show their progress write
/// them. The length stays the same, so that no place moves. `Err`: the text has none.
fn with_line_feeds(text: String) -> Result<String, String> {
    let lone = text.match_indices('\r').filter(|(at, _)| !text[*at..].starts_with("\r\n"));
    let lone: Vec<usize> = lone.map(|(at, _)| at).collect();
    if lone.is_empty() {
        return Err(text);
    }
    let mut changed = text.clone().into_bytes();
    for at in lone {
        // A faulty copy may end a line with CR CR LF: that is one line end.
        changed[at] = if text[at..].starts_with("\r\r\n") { b' ' } else { b'\n' };
    }
    String::from_utf8(changed).map_err(|_| text)
}

fn decode_as_written(bytes: &[u8], is_html: bool) -> Result<Decoded, &'static str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if !text.contains('\0') {
            return not_control(Decoded { text: text.to_owned(), encoding: UTF_8.name(), is_file_text: true });
        }
    } else if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return decode_as(encoding, bytes);
    }
    if let Some(encoding) = utf16_without_bom(bytes) {
        return decode_as(encoding, bytes);
    }
    if bytes.contains(&0) {
        return Err(BINARY);
    }
    if let Some(decoded) = line_by_line(bytes).or_else(|| nearly_utf8(bytes)) {
        return not_control(decoded);
    }
    if is_html
        && let Some(encoding) = declared(bytes)
        && let Ok(decoded) = decode_as(encoding, bytes)
    {
        return Ok(decoded);
    }
    decode_as(detect(bytes), bytes)
}

fn decode_as(encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, &'static str> {
    let (text, encoding, _) = encoding.decode(bytes);
    let (broken, n_chars) = count(&text, |c| c == '\u{FFFD}');
    if broken as f64 > n_chars as f64 * MAX_BROKEN {
        return Err(UNKNOWN);
    }
    if text.contains('\0') {
        return Err(BINARY);
    }
    not_control(Decoded { text: text.into_owned(), encoding: encoding.name(), is_file_text: false })
}

fn not_control(decoded: Decoded) -> Result<Decoded, &'static str> {
    let odd = |c: char| c.is_control() && !c.is_whitespace() && !matches!(c, '\u{8}' | '\u{c}' | '\u{1b}');
    let (n_odd, n_chars) = count(&decoded.text, odd);
    if n_odd as f64 > n_chars as f64 * MAX_CONTROL { Err(BINARY) } else { Ok(decoded) }
}

fn count(text: &str, what: impl Fn(char) -> bool) -> (usize, usize) {
    text.chars().fold((0, 0), |(hits, all), c| (hits + usize::from(what(c)), all + 1))
}

/// Recognizes UTF-16 without a byte order mark. Read as UTF-16 it has common characters, while any other bytes make
/// rare ones; or the zero bytes of its ASCII characters are all on one side.
fn utf16_without_bom(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let (little, big) = (common_share_utf16(head, false), common_share_utf16(head, true));
    if little.max(big) >= MIN_COMMON && little.min(big) * 2.0 <= little.max(big) {
        return Some(if little > big { UTF_16LE } else { UTF_16BE });
    }
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let many = (head.len() / 8).max(1);
    match (even, odd) {
        (0, odd) if odd >= many => Some(UTF_16LE),
        (even, 0) if even >= many => Some(UTF_16BE),
        _ => None,
    }
}

/// Share of common characters from which on a decoding is believed. Running text has .6 to .9, titles of a few
/// characters .4 and more, wrongly decoded text .1 at most.
const MIN_COMMON: f64 = 0.4;

/// Share of common characters in bytes read as UTF-16; 0 if some bytes are no character or one that no text contains.
fn common_share_utf16(bytes: &[u8], is_big: bool) -> f64 {
    let unit = |pair: &[u8]| if is_big { [pair[0], pair[1]] } else { [pair[1], pair[0]] };
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes(unit(pair)));
    let (mut n_common, mut n_chars) = (0usize, 0usize);
    for c in char::decode_utf16(units) {
        let Ok(c) = c else { return 0.0 };
        let is_odd = c.is_control() && !c.is_whitespace() || ('\u{E000}'..='\u{F8FF}').contains(&c) || c >= '\u{FFF0}';
        if is_odd {
            return 0.0;
        }
        n_chars += 1;
        n_common += usize::from((' '..='~').contains(&c) || is_common(c) || is_kana(c));
    }
    n_common as f64 / n_chars.max(1) as f64
}

/// The most frequent characters of Chinese text, in both traditional and simplified spelling, and of Japanese text, and
/// the most frequent syllables of Korean.
const COMMON: &str = concat!(
    "的一是不了在人有我他这这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法",
    "学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业",
    "外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声",
    "提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金",
    "指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格",
    "望觉术领共确传师观清今切院让识候带导争运笔般备份复恢丢失讨议纪录存储器服务启步骤登页错误修复牛奶包买第章绪介绍总体午下三撤销提",
    "這個們來為國時會對於過發後裡種經麼學現當沒動還進樣開從實軍無與長機關點業將兩間問並應戰頭體見產話給門員論處義幾認條氣題爾別變總電數",
    "報結場計許統區隊決馬書則聽達強難權設記類據邊張該規萬覺術領確傳師觀讓識帶導爭運筆備復討議錄儲務啟驟頁錯誤買緒紹檔程式資料庫伺服",
    "本日会議手順方法読込動開閉時間午後明再起表示検索記録確認設定変更場合必要使用可能情報処理作成東京書語出入力画面問題",
    "이다의는에가을로하고지기사리도시어자인해나대서그아스수정라있니보으를일여만원한전제과부것장들면주구게방말러오무상소마은모내습합회우터세안",
    "었였했까와거저데트성동경공신조유비운용실생국물문화학년월백업복파일베이크프램서버절차재작록빵",
);

fn is_common(c: char) -> bool {
    static SORTED: LazyLock<Vec<char>> = LazyLock::new(|| {
        let mut chars: Vec<char> = COMMON.chars().collect();
        chars.sort_unstable();
        chars.dedup();
        chars
    });
    matches!(c, '\u{3000}'..='\u{301F}' | '\u{FF01}'..='\u{FF1F}' | '“' | '”' | '…' | '—')
        || SORTED.binary_search(&c).is_ok()
}

/// Decodes a file to which several programs wrote, such as a log: some lines are in UTF-8, others in another encoding.
/// `None` if it is not such a file.
fn line_by_line(bytes: &[u8]) -> Option<Decoded> {
    let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
    let (mut utf8, mut wide, mut n_utf8) = (0usize, 0usize, 0usize);
    let mut others = Vec::new();
    for line in lines().filter(|line| !line.is_ascii()) {
        match std::str::from_utf8(line) {
            Ok(text) => {
                n_utf8 += line.len();
                let chars = text.chars().filter(|c| !c.is_ascii());
                chars.for_each(|c| (utf8, wide) = (utf8 + 1, wide + usize::from(c >= '\u{800}')));
            }
            Err(_) if is_damaged_utf8(line) => n_utf8 += line.len(),
            Err(_) if others.len() < DETECT_BYTES => others.extend_from_slice(line),
            Err(_) => {}
        }
    }
    if utf8 == 0 || others.is_empty() {
        return None;
    }
    let encoding = detect(&others);
    // A few lines of GBK are UTF-8 by chance. They then have characters of two bytes, hardly ever of three.
    if !encoding.is_single_byte() && wide * 2 < utf8 && n_utf8 < others.len() {
        return None;
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
    for line in lines() {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) if is_damaged_utf8(line) => text.push_str(&String::from_utf8_lossy(line)),
            Err(_) => text.push_str(&encoding.decode_without_bom_handling(line).0),
        }
    }
    let (broken, n_chars) = count(&text, |c| c == '\u{FFFD}');
    let is_text = broken as f64 <= n_chars as f64 * MAX_BROKEN;
    is_text.then_some(Decoded { text, encoding: UTF_8.name(), is_file_text: false })
}

/// Whether a line is UTF-8 except for a few bytes.
fn is_damaged_utf8(line: &[u8]) -> bool {
    let (mut broken, mut sound) = (0, 0);
    for chunk in line.utf8_chunks() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    sound > broken
}

/// Decodes UTF-8 with a few broken bytes (a cut-off log, a wrong paste). It reads better with gaps than as Latin-1.
fn nearly_utf8(bytes: &[u8]) -> Option<Decoded> {
    let (mut broken, mut sound) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    (sound >= 10 * broken).then(|| Decoded {
        text: String::from_utf8_lossy(bytes).into_owned(),
        encoding: UTF_8.name(),
        is_file_text: false,
    })
}

/// The encoding that an HTML file names in its first kilobyte.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let label = head.split("charset=").nth(1)?.trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end])
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let first = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0);
    let end = bytes.len().min(first + DETECT_BYTES);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[first..end], end == bytes.len());
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess.is_single_byte() {
        // Signs such as degrees and quotes are the same in most European encodings. If a text has no letters beside
        // them, the detector takes the first of these encodings.
        let is_letter = |b: &u8| !b.is_ascii() && WINDOWS_1252.decode(&[*b]).0.chars().any(char::is_alphabetic);
        return if bytes[first..end].iter().any(is_letter) { guess } else { WINDOWS_1252 };
    }
    // If there are few characters, the detector mistakes one East Asian encoding for another.
    let head = &bytes[first..bytes.len().min(first + SHORT_BYTES)];
    let share = |encoding: &'static Encoding| common_share(encoding, head);
    let best = [GBK, BIG5, SHIFT_JIS, EUC_JP, EUC_KR].into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    best.filter(|best| share(best) >= MIN_COMMON.max(share(guess) + 0.3)).unwrap_or(guess)
}

/// Bytes that are examined to check the detector's guess.
const SHORT_BYTES: usize = 1024;

/// Share of common characters among those that are not ASCII, in bytes read in an East Asian encoding.
fn common_share(encoding: &'static Encoding, bytes: &[u8]) -> f64 {
    let text = encoding.decode_without_bom_handling(bytes).0;
    let is_japanese = encoding == SHIFT_JIS || encoding == EUC_JP;
    let (mut n_common, mut n_chars) = (0usize, 0usize);
    // The last character may be cut off.
    for c in text.trim_end_matches('\u{FFFD}').chars().filter(|c| !c.is_ascii()) {
        if c == '\u{FFFD}' {
            return 0.0;
        }
        n_chars += 1;
        // The other encodings can write kana as well, but hardly any text in them does.
        n_common += usize::from(is_common(c) || is_japanese && is_kana(c) && c < '\u{FF00}');
    }
    n_common as f64 / n_chars.max(1) as f64
}
