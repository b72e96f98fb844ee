//! Maps radicals to the characters they stand for. Text copied out of PDF files and printed pages contains radicals in
//! place of characters.
//!
//! Unicode's compatibility decomposition maps the Kangxi radicals (U+2F00 to U+2FD5), but only two of the CJK Radicals
//! Supplement. The others are in `EquivalentUnifiedIdeograph.txt` of the Unicode Character Database (14.0.0,
//! <https://www.unicode.org/Public/14.0.0/ucd/EquivalentUnifiedIdeograph.txt>).

use unicode_normalization::char::decompose_compatible;

/// The characters for U+2E80 to U+2EF3, in this order. A radical without a character stands for itself.
const SUPPLEMENT: &str = "\
    ⺀厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑彐忄心扌攵⺚旡日\
    月歺母民氵氺灬爫爫丬牛犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂\
    肀聿肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑钅長镸长门𨸏阝\
    雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟";

/// The character that a radical from U+2E80 to U+2FDF stands for.
pub(super) fn character(radical: char) -> char {
    match u32::from(radical) {
        code @ 0x2E80..=0x2EF3 => SUPPLEMENT.chars().nth((code - 0x2E80) as usize).unwrap_or(radical),
        _ => {
            let mut character = radical;
            decompose_compatible(radical, |part| character = part);
            character
        }
    }
}
