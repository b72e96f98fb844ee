/**
 * An engine in memory, for tests and for `npm run dev` in a plain browser. Its ranking is a toy; its stages, offsets
 * and states are those of the real one.
 */
import { codePoints } from "../text/ranges";
import type {
  Backend,
  Degraded,
  FolderDrag,
  Hit,
  IndexProgress,
  ModelState,
  ModelsState,
  Preview,
  Range,
  SearchEvent,
  Settings,
  Stage,
  Status,
  Unlisten,
} from "./backend";
import { FAKE_NOTES, FAKE_ROOT, type FakeNote } from "./fake_notes";

export interface Scenario {
  folders: string[];
  notes: FakeNote[];
  /** Is there a bi-encoder, is there a cross-encoder? */
  models: { embedder: boolean; reranker: boolean };
  progress: IndexProgress | null;
  /** Milliseconds before each stage lands, the last one for 100 candidates. */
  delays: { lexical: number; hybrid: number; rerank: number };
}

const READY: Scenario = {
  folders: [FAKE_ROOT],
  notes: FAKE_NOTES,
  models: { embedder: true, reranker: true },
  progress: null,
  delays: { lexical: 4, hybrid: 30, rerank: 310 },
};

/** `?scenario=first-run`, `words-only`, `no-reranker`, `indexing` or `slow`; anything else is an ordinary day. */
export function scenarioOf(query: string): Scenario {
  switch (new URLSearchParams(query).get("scenario")) {
    case "first-run":
      return { ...READY, folders: [] };
    case "words-only":
      return { ...READY, models: { embedder: false, reranker: false } };
    case "no-reranker":
      return { ...READY, models: { embedder: true, reranker: false } };
    case "indexing":
      return { ...READY, progress: { phase: "vectors", done: 3120, total: 8012, current: null } };
    case "slow":
      return { ...READY, delays: { lexical: 4, hybrid: 600, rerank: 60_000 } };
    default:
      return READY;
  }
}

interface Scored {
  note: FakeNote;
  start: number;
  text: string;
  lexical: number;
  meaning: number;
}

export class FakeBackend implements Backend {
  /** What the window did, for tests to look at. */
  readonly opened: string[] = [];
  readonly revealed: string[] = [];

  readonly #scenario: Scenario;
  #folders: string[];
  #candidates = 100;
  #newest = 0;
  #progress = new Set<(progress: IndexProgress) => void>();
  #drags = new Set<(drag: FolderDrag) => void>();

  constructor(scenario: Scenario = READY) {
    this.#scenario = scenario;
    this.#folders = [...scenario.folders];
  }

  async search(
    id: number,
    query: string,
    candidates: number,
    onEvent: (event: SearchEvent) => void,
  ): Promise<void> {
    this.#newest = id;
    const { models, delays } = this.#scenario;
    const stages: [Stage, number][] = [["lexical", delays.lexical]];
    if (models.embedder) stages.push(["hybrid", delays.hybrid]);
    if (models.reranker) stages.push(["rerank", (delays.rerank * candidates) / 100]);
    for (const [at, [stage, wait]] of stages.entries()) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.#newest !== id) return;
      const results = this.#answer(query, stage, candidates);
      onEvent({ kind: "results", query_id: id, stage, results, done: at === stages.length - 1 });
    }
  }

  async folders(): Promise<string[]> {
    return [...this.#folders];
  }

  async addFolder(): Promise<string | null> {
    return this.addFolderPath(FAKE_ROOT);
  }

  async addFolderPath(path: string): Promise<string> {
    if (/\.\w+$/.test(path)) {
      throw { kind: "not_a_folder", message: `${path} is a file: give the folder it lies in` };
    }
    if (!this.#folders.includes(path)) this.#folders.push(path);
    return path;
  }

  async removeFolder(path: string): Promise<void> {
    this.#folders = this.#folders.filter((folder) => folder !== path);
  }

  async status(withFiles: boolean): Promise<Status> {
    const waiting = this.#scenario.progress ? 214 : 0;
    const roots = this.#folders.map((path, i) => ({
      path,
      files: i === 0 ? 425 : 12,
      indexed: i === 0 ? 421 - waiting : 12,
      waiting: i === 0 ? waiting : 0,
      skipped: i === 0 ? 3 : 0,
      failed: i === 0 ? 1 : 0,
      offline: path.includes("Stick"),
    }));
    const at = Date.UTC(2026, 10, 20) / 1000;
    const files = [
      {
        path: `${FAKE_ROOT}/money/tax 2024.pdf`,
        state: "failed" as const,
        reason: "the file is damaged: no page table",
        at,
      },
      {
        path: `${FAKE_ROOT}/inbox/scan-0031.png`,
        state: "skipped" as const,
        reason: "no reader for .png files",
        at,
      },
      {
        path: `${FAKE_ROOT}/inbox/scan-0032.png`,
        state: "skipped" as const,
        reason: "no reader for .png files",
        at,
      },
      { path: `${FAKE_ROOT}/archive/mail.mbox`, state: "skipped" as const, reason: "larger than 20 MB", at },
    ];
    return {
      roots,
      generation: 7,
      n_chunks: 8012,
      n_vectors: waiting > 0 ? 3120 : 8012,
      size_bytes: 24_300_000,
      ...(withFiles && this.#folders.length > 0 ? { files } : {}),
    };
  }

  async preview(path: string, span: Range, query: string): Promise<Preview> {
    const note = this.#scenario.notes.find((note) => note.path === path);
    if (!note) throw { kind: "bad_input", message: `${path} is not there any more: it was moved or deleted` };
    const points = (bytes: number) => codePoints(decode(encode(note.text).slice(0, bytes))).length;
    return {
      path,
      title: titleOf(note),
      format: path.endsWith(".md") ? "markdown" : "text",
      text: note.text,
      hit: [points(span[0]), points(span[1])],
      highlights: highlights(note.text, query),
      cut_before: false,
      cut_after: false,
    };
  }

  async openFile(path: string): Promise<void> {
    this.opened.push(path);
  }

  async revealFile(path: string): Promise<void> {
    this.revealed.push(path);
  }

  async settings(): Promise<Settings> {
    return {
      folders: [...this.#folders],
      embedder: null,
      reranker: null,
      candidates: this.#candidates,
      threshold: null,
    };
  }

  async setCandidates(candidates: number): Promise<void> {
    this.#candidates = candidates;
  }

  async modelsState(): Promise<ModelsState> {
    const state = (there: boolean, name: string, reason: string): ModelState =>
      there ? { state: "ready", name, reason: null } : { state: "missing", name: null, reason };
    const { embedder, reranker } = this.#scenario.models;
    return {
      embedder: state(embedder, "multilingual-e5-small-enzh", NO_EMBEDDER),
      reranker: state(reranker, "nuthatch-reranker", NO_RERANKER),
    };
  }

  async onIndexProgress(listener: (progress: IndexProgress) => void): Promise<Unlisten> {
    this.#progress.add(listener);
    if (this.#scenario.progress) listener(this.#scenario.progress);
    return () => this.#progress.delete(listener);
  }

  async onModelsChanged(): Promise<Unlisten> {
    return () => undefined;
  }

  async onFolderDrag(listener: (drag: FolderDrag) => void): Promise<Unlisten> {
    this.#drags.add(listener);
    return () => this.#drags.delete(listener);
  }

  /** Says how indexing goes, as the engine would. */
  report(progress: IndexProgress): void {
    this.#progress.forEach((listener) => listener(progress));
  }

  /** Drags something over the window. */
  drag(drag: FolderDrag): void {
    this.#drags.forEach((listener) => listener(drag));
  }

  #answer(query: string, stage: Stage, asked: number) {
    const { models } = this.#scenario;
    const recalled = this.#scenario.notes
      .map((note) => bestPassage(note, query))
      // Vectors are never silent: the nearest notes come back, however far they are.
      .filter(({ lexical }) => lexical > 0 || stage !== "lexical");
    const raw = ({ lexical, meaning }: Scored) =>
      stage === "lexical"
        ? lexical
        : stage === "hybrid"
          ? lexical + 2 * meaning
          : 2.2 * meaning + 1.3 * lexical - 2.6;
    const ranked = recalled.sort((a, b) => raw(b) - raw(a) || a.note.path.localeCompare(b.note.path));
    const hits = ranked.slice(0, 5).map((scored, i): Hit => {
      const snippet = scored.text
        .replace(/\s+/g, " ")
        .replace(/[#*`>]/g, "")
        .trim()
        .slice(0, 220);
      const score = stage === "rerank" ? 1 / (1 + Math.exp(-raw(scored))) : 1 - 1 / (1 + raw(scored));
      const start = encode(scored.note.text.slice(0, scored.start)).length;
      return {
        rank: i + 1,
        score,
        raw_score: raw(scored),
        path: scored.note.path,
        title: titleOf(scored.note),
        snippet,
        highlights: highlights(snippet, query),
        span: [start, start + encode(scored.text).length],
        recall_rank: i + 1,
        lexical_rank: scored.lexical > 0 ? i + 1 : null,
        vector_rank: scored.meaning > 0 ? i + 1 : null,
      };
    });
    const degraded: Degraded | null = !models.embedder
      ? { kind: "no_embedder", reason: NO_EMBEDDER }
      : !models.reranker
        ? { kind: "no_reranker", reason: NO_RERANKER }
        : this.#scenario.progress
          ? { kind: "vectors_pending", embedded: 3120, chunks: 8012 }
          : null;
    const rerank = stage === "rerank" ? (this.#scenario.delays.rerank * asked) / 100 : 0;
    const vector = stage === "lexical" ? 0 : 21.4;
    const fuse = stage === "lexical" ? 0 : 0.3;
    return {
      query,
      model: stage === "rerank" ? "nuthatch-reranker" : null,
      took_ms: { lexical: 3.2, vector, fuse, rerank, total: 3.2 + vector + fuse + rerank },
      candidates: { asked, recalled: asked, reranked: stage === "rerank" ? asked : 0 },
      degraded,
      hits,
    };
  }
}

const NO_EMBEDDER = "the meaning model is not in models/builtin; run `nuthatch models verify`";
const NO_RERANKER = "the reranking model is not in models/builtin; run `nuthatch models verify`";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function titleOf(note: FakeNote): string {
  return /^# (.+)$/m.exec(note.text)?.[1] ?? note.path.slice(note.path.lastIndexOf("/") + 1);
}

const SMALL_WORDS = new Set([
  "the",
  "and",
  "why",
  "how",
  "what",
  "when",
  "does",
  "did",
  "for",
  "was",
  "with",
]);

/** English words that carry something, and every pair of neighbouring Chinese characters. */
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

function highlights(text: string, query: string): Range[] {
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
