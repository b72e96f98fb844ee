use super::*;

/// Blocks as `path: first line`.
fn units(name: &str, source: &str) -> Vec<String> {
    let document = read(name, source);
    let unit = |block: &Block| {
        assert_eq!(block.text.trim_start(), &document.text[block.span.clone()], "as written");
        format!("{}: {}", block.heading_path.join(" > "), block.text.trim_start().lines().next().expect("a line"))
    };
    document.blocks.iter().map(unit).collect()
}

#[test]
fn short_files_are_cut_at_definitions() {
    assert_eq!(
        units(
            "a.rs",
            "//! Doc.\nuse a::b;\nuse c::d;\n\n/// Adds.\n#[inline]\npub fn add() {\n    1\n}\nfn sub() {\n\n    2\n}\n\nstruct A {\n    b: u8,\n}\n"
        ),
        [": //! Doc.", ": /// Adds.", ": fn sub() {", ": struct A {"]
    );
    assert_eq!(
        units(
            "a.py",
            "import a\n\n# 说明\n@wraps\ndef one():\n    pass\n\ndef two():\n    if x:\n        pass\n\n    else:\n        pass\n"
        ),
        [": import a", ": # 说明", ": def two():"]
    );
    assert_eq!(
        units("a.toml", "x = 1\n\n[package]\nname = \"a\"\n\n[deps]\nb = 1\n"),
        [": x = 1", ": [package]", ": [deps]"]
    );
    assert_eq!(units("Makefile", "all: a\n\techo\n\nb:\n\techo\n"), [": all: a", ": b:"]);
}

#[test]
fn long_definitions_are_cut_inside_and_know_what_they_are_in() {
    let body = "        total = total + values[index] * weights[index]  # 累加权重\n".repeat(12);
    let source = format!(
        "class Mixer(Base):\n    \"\"\"Mixes.\"\"\"\n\n    def first(self):\n{body}\n    def second(self):\n{body}\n\ndef last():\n    pass\n"
    );
    assert_eq!(
        units("a.py", &source),
        [
            ": class Mixer(Base):",
            "Mixer: \"\"\"Mixes.\"\"\"",
            "Mixer: def first(self):",
            "Mixer: def second(self):",
            ": def last():"
        ]
    );
    let body = "        self.total += values.iter().map(|value| value * weight).sum::<u64>();\n".repeat(9);
    let source = format!(
        "impl<T> Mix for A<T> {{\n    fn first(&self) {{\n{body}    }}\n\n    pub fn second(&self) {{\n{body}    }}\n}}\n"
    );
    assert_eq!(
        units("a.rs", &source),
        [": impl<T> Mix for A<T> {", "Mix for A<T>: fn first(&self) {", "Mix for A<T>: pub fn second(&self) {"]
    );
}

#[test]
fn what_a_program_wrote_is_left_out() {
    let error = extract(Path::new("a.min.js"), "var a=1;".repeat(2000).as_bytes()).expect_err("minified");
    assert_eq!(error, ExtractError::Generated { name: "a.min.js".to_owned() });
    let data = format!("const LOGO = \"{}\";\n{}", "QUJD".repeat(1000), "function a() {\n  b();\n}\n\n".repeat(300));
    assert!(extract(Path::new("a.js"), data.as_bytes()).is_ok());
}

#[test]
fn a_source_file_is_called_by_its_name() {
    assert_eq!(read("parse_it.rs", "fn a() {}").title, "parse_it.rs");
    assert_eq!(read("Dockerfile", "FROM a").title, "Dockerfile");
}
