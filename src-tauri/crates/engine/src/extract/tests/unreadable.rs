use super::*;

/// A picture of 3,000 bytes in base64.
fn picture() -> String {
    let mut state = 7_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize])
    };
    (0..4000).map(next).collect()
}

/// In every format, the readable text around an encoded picture is read and keeps its place. The picture is not read.
#[test]
fn encoded_pictures_are_left_out_in_every_format() {
    let picture = picture();
    let lines: String =
        picture.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    for (name, source) in [
        ("a.md", format!("Kettle\n\n```\nfirst\n{lines}last\n```\n\nspout\n")),
        ("a.md", format!("Kettle ![alt {picture}](a.png) spout\n")),
        ("a.md", format!("Kettle ![](data:image/png;base64,{picture}) spout\n")),
        ("a.md", format!("# Kettle {picture}\n\nspout")),
        ("a.txt", format!("Kettle\n{lines}spout\n")),
        ("a.txt", format!("Kettle\n\n{picture}\n\nspout\n")),
        ("a.html", format!("<p>Kettle <img alt=\"{picture}\"> spout<p>data:image/png;base64,{picture}")),
        ("a.org", format!("Kettle\n#+begin_example\n{lines}#+end_example\nspout\n")),
        ("a.csv", format!("name,picture\nKettle,{picture}\nspout,x\n")),
        ("a.eml", format!("Subject: Kettle\n\n{lines}\nspout\n")),
        ("a.py", format!("Kettle = \"{picture}\"\n\nspout = 1\n\n{}", "x = 1\n".repeat(1000))),
    ] {
        let document = read(name, &source);
        let text: String = document.blocks.iter().map(|block| format!("{}\n", block.text)).collect();
        assert!(text.contains("Kettle") && text.contains("spout"), "{name}: {text}");
        let is_part = |at: usize| text.contains(&picture[at..at + 12]);
        assert!(!(0..picture.len() - 76).step_by(76).any(is_part), "{name}: {text}");
        assert!(document.title.len() < 60 && document.blocks.iter().all(|b| b.heading_path.concat().len() < 60));
        for block in &document.blocks {
            if let (Some(at), true) = (block.text.find("spout"), document.format.is_text()) {
                assert!(document.text[block.source_offset(&document, at)..].starts_with("spout"), "{name}");
            }
        }
        check_invariants(&document).expect("sound");
    }
    assert!(read("a.txt", &lines).blocks.is_empty());
}
