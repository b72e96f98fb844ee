/** The fake backend's toy ranking: the share of the question's words that are in the note or in its `about`. */
import { codePoints } from "../text/ranges";
import type { Hit, Range, Stage } from "./backend";
import type { FakeNote } from "./fake_notes";

interface Scored {
  note: FakeNote;
  start: number;
  text: string;
  lexical: number;
  meaning: number;
}

/** The best five, as the engine would return them at that stage. */
export function bestHits(notes: readonly FakeNote[], query: string, stage: Stage): Hit[] {
  const raw = ({ lexical, meaning }: Scored) => {
    if (stage === "lexical") return lexical;
    return stage === "hybrid" ? lexical + 2 * meaning : 2.2 * meaning + 1.3 * lexical - 2.6;
  };
  return (
    notes
      .map((note) => bestPassage(note, query))
      // A search by vectors always returns the nearest notes, however far they are.
      .filter(({ lexical }) => lexical > 0 || stage !== "lexical")
      .sort((a, b) => raw(b) - raw(a) || a.note.path.localeCompare(b.note.path))
      .slice(0, 5)
      .map((scored, i) => {
        const { note, text, lexical, meaning } = scored;
        const snippet = text
          .replace(/\s+/g, " ")
          .replace(/[#*`>]/g, "")
          .trim()
          .slice(0, 220);
        const start = encode(note.text.slice(0, scored.start)).length;
        return {
          rank: i + 1,
          score: stage === "rerank" ? 1 / (1 + Math.exp(-raw(scored))) : 1 - 1 / (1 + raw(scored)),
          raw_score: raw(scored),
          path: note.path,
          title: titleOf(note),
          snippet,
          highlights: highlights(snippet, query),
          span: [start, start + encode(text).length],
          recall_rank: i + 1,
          place: null,
          lexical_rank: lexical > 0 ? i + 1 : null,
          vector_rank: meaning > 0 ? i + 1 : null,
          stale: false,
          copies: [],
          unread: null,
        };
      })
  );
}

const encode = (text: string) => new TextEncoder().encode(text);

/** How many code points the first `bytes` bytes of a text hold. */
export function pointsBefore(text: string, bytes: number): number {
  return codePoints(new TextDecoder().decode(encode(text).slice(0, bytes))).length;
}

export function titleOf(note: FakeNote): string {
  return /^# (.+)$/m.exec(note.text)?.[1] ?? note.path.slice(note.path.lastIndexOf("/") + 1);
}

const SMALL_WORDS = new Set("the and why how what when does did for was with".split(" "));

/** English words that carry meaning, and every pair of neighbouring Chinese characters. */
function terms(text: string): string[] {
  const words = (text.toLowerCase().match(/[a-z]{3,}/g) ?? []).filter((word) => !SMALL_WORDS.has(word));
  const pairs = (text.match(/\p{Script=Han}+/gu) ?? []).flatMap((run) =>
    run.length < 2 ? [run] : Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2)),
  );
  return [...words, ...pairs];
}

/** Letters match at the start of a word, Chinese anywhere. */
function wordStart(term: string): RegExp {
  return new RegExp(/^[a-z]/.test(term) ? `\\b${term}` : term);
}

export function highlights(text: string, query: string): Range[] {
  const wanted = terms(query);
  const found: Range[] = [];
  if (wanted.length === 0) return found;
  for (const match of text
    .toLowerCase()
    .matchAll(new RegExp(wanted.map((term) => wordStart(term).source).join("|"), "g"))) {
    const start = codePoints(text.slice(0, match.index)).length;
    found.push([start, start + codePoints(match[0]).length]);
  }
  return found;
}

/** The paragraph, with its heading, that has most of the question's words. */
function bestPassage(note: FakeNote, query: string): Scored {
  const wanted = terms(query);
  const share = (text: string) => {
    const lower = text.toLowerCase();
    return wanted.filter((term) => wordStart(term).test(lower)).length / Math.max(wanted.length, 1);
  };
  let best: Scored = { note, start: 0, text: "", lexical: -1, meaning: 0 };
  for (const match of note.text.matchAll(/(?:#+ [^\n]+\n\n)*(?:[^\n]+\n?)+/g)) {
    const lexical = share(match[0]);
    const [text] = match;
    if (lexical > best.lexical && !text.startsWith("---"))
      best = { note, start: match.index, text, lexical, meaning: 0 };
  }
  return { ...best, lexical: 2 * best.lexical, meaning: 2 * share(`${note.about} ${note.text}`) };
}
