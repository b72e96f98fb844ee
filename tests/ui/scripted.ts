/** A backend that says nothing by itself: each test plays the engine, event by event. */
import type {
  Backend,
  Degraded,
  Hit,
  IndexingLimits,
  IndexProgress,
  Phase,
  Preview,
  SearchEvent,
  Settings,
  Stage,
  Status,
  WhyQuestion,
  WhyReport,
} from "$ui/backend/backend";

export interface Asked {
  id: number;
  query: string;
  candidates: number;
  readAll: boolean;
  /** Sends the list of a stage. */
  land(
    stage: Stage,
    hits: Hit[],
    options?: {
      done?: boolean;
      degraded?: Degraded[];
      rerankMs?: number;
      nothingAnswers?: boolean;
      /** How many candidates were read; all of them if not given. */
      read?: number;
    },
  ): void;
  fail(kind: string, message: string): void;
}

/** The status of a folder without files. */
export const NO_FILES = {
  path: "",
  files: 0,
  indexed: 0,
  waiting: 0,
  skipped: 0,
  failed: 0,
  offline: 0,
  away: null,
};

export class ScriptedBackend implements Backend {
  readonly searches: Asked[] = [];
  readonly opened: string[] = [];
  readonly revealed: string[] = [];
  readonly previewed: string[] = [];

  /** The status reports this; the engine's grows with every commit. */
  generation = 1;
  #progress: (progress: IndexProgress) => void = () => undefined;

  report(phase: Phase, done: number, total: number): void {
    this.#progress({ phase, done, total, current: null });
  }

  /** The newest search. */
  get last(): Asked {
    const last = this.searches.at(-1);
    if (!last) throw new Error("nothing was asked");
    return last;
  }

  async search(
    id: number,
    query: string,
    candidates: number,
    readAll: boolean,
    onEvent: (event: SearchEvent) => void,
  ): Promise<void> {
    this.searches.push({
      id,
      query,
      candidates,
      readAll,
      land: (
        stage,
        hits,
        { done = stage === "rerank", degraded = [], rerankMs = 310, nothingAnswers = false, read } = {},
      ) => {
        const rerank = stage === "rerank" ? rerankMs : 0;
        const results = {
          query,
          model: stage === "rerank" ? "scripted" : null,
          took_ms: {
            lexical: 3,
            vector: 0,
            fuse: 0,
            rerank,
            total: 3 + rerank,
          },
          candidates: {
            asked: candidates,
            recalled: candidates,
            reranked: stage === "rerank" ? (read ?? candidates) : 0,
          },
          degraded,
          nothing_answers: nothingAnswers,
          hits,
        };
        onEvent({ kind: "results", query_id: id, stage, results, done });
      },
      fail: (kind, message) => onEvent({ kind: "failed", query_id: id, error: { kind, message } }),
    });
  }

  watched = ["/notes"];
  folders = async () => this.watched;
  addFolder = async () => null;
  addFolderPath = async (path: string) => path;
  removeFolder = async () => undefined;
  status = async (): Promise<Status> => ({
    roots: [],
    generation: this.generation,
    n_chunks: 0,
    n_vectors: 0,
    size_bytes: 0,
    reasons: [],
    files: [],
    problems: [],
    indexing: { state: "ready", reason: null },
    paused: null,
    ...this.found,
  });
  /** Fields of the status that replace those above. */
  found: Partial<Status> = {};
  readonly retried: string[][] = [];
  readonly forgotten: string[] = [];
  /** The questions and files that `why` was asked about, newest last. `answer` is what it returns. */
  readonly asked: [WhyQuestion, string][] = [];
  answer: Omit<WhyReport, "path"> = { shown: true, steps: ["It is shown."], advice: [] };
  picked: string | null = null;

  async retry(paths: string[]): Promise<number> {
    this.retried.push(paths);
    return 1;
  }

  async forgetFolder(path: string): Promise<void> {
    this.forgotten.push(path);
  }

  async why(question: WhyQuestion, path: string): Promise<WhyReport> {
    this.asked.push([question, path]);
    return { path, ...this.answer };
  }

  pickFile = async () => this.picked;

  async preview(path: string): Promise<Preview> {
    this.previewed.push(path);
    const text = `The text of ${path}`;
    return {
      path,
      title: path,
      format: "text",
      text,
      hit: [0, text.length],
      highlights: [],
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

  /** The limits that the window set for indexing, newest last. */
  readonly limits: IndexingLimits[] = [];
  /** The threshold in the settings. */
  threshold: number | null = null;
  settings = async (): Promise<Settings> => ({
    folders: ["/notes"],
    embedder: null,
    reranker: null,
    candidates: 100,
    threshold: this.threshold,
    indexing: this.limits.at(-1) ?? { memory_mb: 600, threads: 12, pause_on_battery: true },
    memory_mb_range: [100, 100_000],
    n_threads: 4,
  });
  setCandidates = async () => undefined;

  async setIndexing(limits: IndexingLimits): Promise<Settings> {
    this.limits.push(limits);
    return this.settings();
  }

  modelsState = async () => ({
    embedder: { state: "ready" as const, name: "e", reason: null, runs_on: null },
    reranker: { state: "ready" as const, name: "r", reason: null, runs_on: null },
  });
  onIndexProgress = async (listener: (progress: IndexProgress) => void) => {
    this.#progress = listener;
    return () => undefined;
  };
  onModelsChanged = async () => () => undefined;
  onIndexingChanged = async () => () => undefined;
  onFolderDrag = async () => () => undefined;
}

/** Hits named by one letter each, best first: `hits("abc")` are /notes/a.md, /notes/b.md, /notes/c.md. */
export function hits(names: string, scores: number[] = []): Hit[] {
  return Array.from(names).map((name, i) => ({
    rank: i + 1,
    score: scores[i] ?? 0.9 - i / 10,
    raw_score: 0,
    path: `/notes/${name}.md`,
    title: name,
    snippet: `About ${name}`,
    highlights: [],
    span: [0, 10],
    recall_rank: i + 1,
    place: null,
    lexical_rank: i + 1,
    vector_rank: null,
    stale: false,
    copies: [],
    unread: null,
  }));
}
