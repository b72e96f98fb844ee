//! `nuthatch rerank`: scores for passages from standard input.

use std::io::{BufRead, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nuthatch_engine::Cancel;
use serde::{Deserialize, Serialize};

use crate::args::RerankArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::style::{Style, printable};

/// How soon Ctrl-C takes effect while nobody types.
const INTERRUPT_POLL: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize, PartialEq)]
struct Passage {
    id: Option<serde_json::Value>,
    text: String,
}

#[derive(Debug, Serialize)]
struct Scored {
    /// Position in the input, from 0, blank lines not counted.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<serde_json::Value>,
    /// In `0..=1`.
    score: f32,
    raw_score: f32,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    query: &'a str,
    model: &'a str,
    took_ms: f64,
    results: Vec<Scored>,
}

pub(crate) fn run(args: &RerankArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let query = args.query.trim();
    if query.is_empty() {
        return Err(Failure::Usage { kind: "empty_query", message: "the question is empty: type a few words".into() });
    }
    if session.io.in_terminal {
        session.note("type one passage a line, then Ctrl-D")?;
    }
    let Some(input) = session.io.input.take() else {
        return Err(Failure::failed("input", "standard input was read already"));
    };
    let passages = parse(&read_all(input, &session.cancel())?)?;
    if passages.is_empty() {
        return Err(Failure::usage("standard input holds no passage: give one a line"));
    }

    let reranker = session.reranker(&session.engine()?, args.reranker.reranker.as_deref())?;
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
    let begun = Instant::now();
    let raw = reranker.score(query, &texts, &session.cancel())?;
    let took_ms = begun.elapsed().as_secs_f64() * 1e3;

    let calibration = reranker.calibration();
    let mut results: Vec<Scored> = (0..)
        .zip(&passages)
        .zip(raw)
        .map(|((index, passage), raw_score)| Scored {
            index,
            id: passage.id.clone(),
            score: calibration.probability(raw_score),
            raw_score,
        })
        .collect();
    // Stable: equal passages keep the order they came in.
    results.sort_by(|a, b| b.score.total_cmp(&a.score));
    let answer = Answer { query, model: reranker.id(), took_ms, results };
    session.answer(&answer, |out, style| write_answer(out, &answer, &passages, style))
}

fn write_answer(out: &mut dyn Write, answer: &Answer<'_>, passages: &[Passage], style: Style) -> std::io::Result<()> {
    writeln!(out, "{}", style.dim("index  score      raw  passage"))?;
    for scored in &answer.results {
        let text = printable(&passages[scored.index].text);
        writeln!(out, "{:>5}  {:.3}  {:>7.3}  {text}", scored.index, scored.score, scored.raw_score)?;
    }
    let n = answer.results.len();
    writeln!(out, "{}", style.dim(&format!("{n} passages in {:.0} ms by {}", answer.took_ms, answer.model)))
}

/// Reads to the end in a thread of its own: a read from a terminal does not return on Ctrl-C.
fn read_all(mut input: Box<dyn BufRead + Send>, cancel: &Cancel) -> Result<Vec<u8>, Failure> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = input.read_to_end(&mut bytes).map(|_| bytes);
        // Fails after Ctrl-C, when the receiver is gone.
        let _ = sender.send(outcome);
    });
    loop {
        match receiver.recv_timeout(INTERRUPT_POLL) {
            Ok(outcome) => {
                return outcome
                    .map_err(|error| Failure::failed("input", format!("cannot read standard input: {error}")));
            }
            Err(RecvTimeoutError::Timeout) if !cancel.is_cancelled() => {}
            Err(_) => return Err(Failure::Interrupted),
        }
    }
}

/// Reads one passage per line and skips blank lines. If the first passage is a JSON string or an object with `text`,
/// all must be; otherwise every line is taken as plain text.
fn parse(bytes: &[u8]) -> Result<Vec<Passage>, Failure> {
    let mut passages = Vec::new();
    let mut json = None;
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = std::str::from_utf8(line)
            .map_err(|_| Failure::usage(format!("line {number} of standard input is not UTF-8: convert it first")))?
            .trim();
        if line.is_empty() {
            continue;
        }
        let parsed = parse_json(line);
        if *json.get_or_insert(parsed.is_some()) {
            let wrong = || {
                format!("line {number} of standard input is no JSON string or object with \"text\", as the first was")
            };
            passages.push(parsed.ok_or_else(|| Failure::usage(wrong()))?);
        } else {
            passages.push(Passage { id: None, text: line.to_owned() });
        }
    }
    Ok(passages)
}

fn parse_json(line: &str) -> Option<Passage> {
    match line.as_bytes().first() {
        Some(b'"') => serde_json::from_str(line).ok().map(|text| Passage { id: None, text }),
        Some(b'{') => serde_json::from_str(line).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &str) -> Vec<String> {
        parse(input.as_bytes()).unwrap().into_iter().map(|passage| passage.text).collect()
    }

    #[test]
    fn the_first_line_decides_how_passages_are_read() {
        assert_eq!(texts("one\n\n  two \r\n"), ["one", "two"]);
        assert_eq!(texts("plain\n{\"text\": \"kept as it is\"}"), ["plain", "{\"text\": \"kept as it is\"}"]);
        assert_eq!(texts("\"a \\u4f7f\"\n\"b\""), ["a 使", "b"]);
        assert_eq!(texts("{ not json }\n[1]"), ["{ not json }", "[1]"]);
        assert_eq!(texts(""), Vec::<String>::new());
        let with_id = parse(b"{\"id\": \"x1\", \"text\": \"a\"}\n{\"text\": \"b\"}").unwrap();
        assert_eq!(with_id[0], Passage { id: Some("x1".into()), text: "a".into() });
        assert_eq!(with_id[1], Passage { id: None, text: "b".into() });
    }

    #[test]
    fn a_bad_line_is_named() {
        for (input, line) in
            [(&b"\"a\"\nb"[..], "line 2"), (b"ok\n\xff\xfe", "line 2"), (b"{\"text\":\"a\"}\n\n{}", "line 3")]
        {
            let message = parse(input).unwrap_err().to_string();
            assert!(message.starts_with(line), "{message}");
        }
    }
}
