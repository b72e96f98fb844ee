/**
 * An engine in memory, for tests and for `npm run dev` in a plain browser. Its ranking is a toy; its stages, offsets
 * and states are those of the real one.
 */
import type {
  Backend,
  Degraded,
  FileRow,
  FileState,
  FolderDrag,
  IndexingLimits,
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
  WhyQuestion,
  WhyReport,
} from "./backend";
import { bestHits, highlights, pointsBefore, titleOf } from "./fake_ranking";
import { FAKE_NOTES, FAKE_ROOT, type FakeNote } from "./fake_notes";

export interface Scenario {
  folders: string[];
  notes: FakeNote[];
  /** Whether there is a bi-encoder, and whether there is a cross-encoder. */
  models: { embedder: boolean; reranker: boolean };
  progress: IndexProgress | null;
  onBattery: boolean;
  /** How many milliseconds each stage takes; reranking, for 100 candidates. */
  delays: { lexical: number; hybrid: number; rerank: number };
}

const READY: Scenario = {
  folders: [FAKE_ROOT],
  notes: FAKE_NOTES,
  models: { embedder: true, reranker: true },
  progress: null,
  onBattery: false,
  delays: { lexical: 4, hybrid: 30, rerank: 310 },
};

/**
 * `?scenario=first-run`, `words-only`, `no-reranker`, `indexing`, `on-battery` or `slow`. With anything else, notes and
 * models are ready.
 */
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
    case "on-battery":
      return { ...READY, onBattery: true };
    case "slow":
      return { ...READY, delays: { lexical: 4, hybrid: 600, rerank: 60_000 } };
    default:
      return READY;
  }
}

export class FakeBackend implements Backend {
  /** The files that the window opened and revealed, for tests. */
  readonly opened: string[] = [];
  readonly revealed: string[] = [];

  readonly #scenario: Scenario;
  #folders: string[];
  #candidates = 100;
  #indexing: IndexingLimits = { memory_mb: 600, threads: null, pause_on_battery: true };
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
    _readAll: boolean,
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
    const paused = this.#scenario.onBattery && this.#indexing.pause_on_battery ? "on_battery" : null;
    const waiting = this.#scenario.progress || paused ? 214 : 0;
    const away = (path: string) => (path.includes("Stick") ? "the drive is not connected" : null);
    const roots = this.#folders.map((path, i) => ({
      path,
      files: i === 0 ? 425 : 12,
      indexed: i === 0 ? 421 - waiting : away(path) ? 0 : 12,
      waiting: i === 0 ? waiting : 0,
      skipped: i === 0 ? 3 : 0,
      failed: i === 0 ? 1 : 0,
      offline: i > 0 && away(path) ? 12 : 0,
      away: away(path),
    }));
    const at = Date.UTC(2026, 10, 20) / 1000;
    const row = (name: string, state: FileState, reason: string): FileRow => ({
      path: `${FAKE_ROOT}/${name}`,
      state,
      reason,
      at,
    });
    const files = [
      row("money/tax 2024.pdf", "failed", "the file is damaged: no page table"),
      row("inbox/scan-0031.png", "skipped", "no reader for .png files"),
      row("inbox/scan-0032.png", "skipped", "no reader for .png files"),
      row("archive/mail.mbox", "skipped", "larger than 20 MB"),
    ];
    const isWatching = this.#folders.length > 0;
    const reasons = [...new Set(files.map((file) => file.reason ?? ""))].map((reason) => {
      const rows = files.filter((file) => file.reason === reason);
      return { state: rows[0]?.state ?? "failed", reason, files: rows.length };
    });
    return {
      roots,
      generation: 7,
      n_chunks: 8012,
      n_vectors: waiting > 0 ? 3120 : 8012,
      size_bytes: 24_300_000,
      reasons: isWatching ? reasons : [],
      files: withFiles && isWatching ? files : [],
      problems: [],
      indexing: { state: "ready", reason: null },
      paused,
    };
  }

  async retry(): Promise<number> {
    return 1;
  }

  async forgetFolder(path: string): Promise<void> {
    await this.removeFolder(path);
  }

  async why({ query, candidates }: WhyQuestion, path: string): Promise<WhyReport> {
    const shown = bestHits(this.#scenario.notes, query, "rerank").some((hit) => hit.path === path);
    const asked = `It lies in the watched folder ${FAKE_ROOT} and is indexed.`;
    return shown
      ? { path, shown, steps: [asked, "It is shown."], advice: [] }
      : {
          path,
          shown,
          steps: [asked, `It is not among the ${candidates} candidates.`],
          advice: ["Raise the number of candidates."],
        };
  }

  async pickFile(): Promise<string | null> {
    return this.#scenario.notes[0]?.path ?? null;
  }

  async preview(path: string, span: Range, query: string): Promise<Preview> {
    const note = this.#scenario.notes.find((note) => note.path === path);
    if (!note) throw { kind: "bad_input", message: `${path} is not there any more: it was moved or deleted` };
    return {
      path,
      title: titleOf(note),
      format: path.endsWith(".md") ? "markdown" : "text",
      text: note.text,
      hit: [pointsBefore(note.text, span[0]), pointsBefore(note.text, span[1])],
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
      indexing: this.#indexing,
      memory_mb_range: [100, 100_000],
      n_threads: 8,
    };
  }

  async setIndexing(limits: IndexingLimits): Promise<Settings> {
    const { memory_mb } = limits;
    if (!(memory_mb >= 100 && memory_mb <= 100_000)) {
      throw { kind: "settings", message: `memory_mb = ${memory_mb}: give a number from 100 to 100000` };
    }
    this.#indexing = limits;
    return this.settings();
  }

  async setCandidates(candidates: number): Promise<void> {
    this.#candidates = candidates;
  }

  async modelsState(): Promise<ModelsState> {
    const state = (there: boolean, name: string, reason: string): ModelState =>
      there
        ? { state: "ready", name, reason: null, runs_on: "cpu, int8; no GPU: this build is for the CPU" }
        : { state: "missing", name: null, reason, runs_on: null };
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

  async onIndexingChanged(): Promise<Unlisten> {
    return () => undefined;
  }

  async onFolderDrag(listener: (drag: FolderDrag) => void): Promise<Unlisten> {
    this.#drags.add(listener);
    return () => this.#drags.delete(listener);
  }

  /** Reports the progress of indexing, as the engine would. */
  report(progress: IndexProgress): void {
    this.#progress.forEach((listener) => listener(progress));
  }

  /** Drags something over the window. */
  drag(drag: FolderDrag): void {
    this.#drags.forEach((listener) => listener(drag));
  }

  #answer(query: string, stage: Stage, asked: number) {
    const { models } = this.#scenario;
    const hits = bestHits(this.#scenario.notes, query, stage);
    const degraded: Degraded[] = [];
    if (!models.embedder) degraded.push({ kind: "no_embedder", reason: NO_EMBEDDER });
    else if (this.#scenario.progress)
      degraded.push({ kind: "vectors_pending", embedded: 3120, chunks: 8012 });
    if (!models.reranker) degraded.push({ kind: "no_reranker", reason: NO_RERANKER });
    const rerank = stage === "rerank" ? (this.#scenario.delays.rerank * asked) / 100 : 0;
    const vector = stage === "lexical" ? 0 : 21.4;
    const fuse = stage === "lexical" ? 0 : 0.3;
    return {
      query,
      model: stage === "rerank" ? "nuthatch-reranker" : null,
      took_ms: { lexical: 3.2, vector, fuse, rerank, total: 3.2 + vector + fuse + rerank },
      candidates: { asked, recalled: asked, reranked: stage === "rerank" ? asked : 0 },
      degraded,
      nothing_answers:
        stage === "rerank" && hits.every(({ score }) => score !== null && score < NOTHING_ANSWERS_BELOW),
      hits,
    };
  }
}

const NOTHING_ANSWERS_BELOW = 0.1;
const NO_EMBEDDER = "the meaning model is not in models/builtin; run `nuthatch models verify`";
const NO_RERANKER = "the reranking model is not in models/builtin; run `nuthatch models verify`";
