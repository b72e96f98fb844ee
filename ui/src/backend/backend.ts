/**
 * What the window asks of the engine, whoever answers: the app ({@link "./tauri"}) or a play-thing in memory
 * ({@link "./fake"}). Shapes are the engine's own (snake_case, as it writes them).
 */

/** How far down the pipeline a list comes from. */
export type Stage = "lexical" | "vector" | "hybrid" | "rerank";

export interface Hit {
  /** 1 is the best. */
  rank: number;
  /** In 0..=1. Once reranked: the chance that a person calls the passage relevant. Null for a file that was not read. */
  score: number | null;
  raw_score: number;
  path: string;
  title: string;
  snippet: string;
  /** Where the question's words stand in `snippet`: Unicode code points, end exclusive. */
  highlights: Range[];
  /** The passage in the file's text, in bytes, end exclusive. */
  span: Range;
  /** Where in the file the passage begins; null for a file without parts. */
  place: Place | null;
  recall_rank: number;
  lexical_rank: number | null;
  vector_rank: number | null;
  /** The file has changed since it was read. */
  stale: boolean;
  /** Other files that are this note, the most wanted first. */
  copies: string[];
  /** Why the file could not be read, of one that is shown because it is called what was asked for. */
  unread: string | null;
}

/** Numbers count from 1; `cells` as spreadsheets write them (`B2:D9`); `seconds` from the start of the film. */
export type Place =
  | { kind: "line"; number: number }
  | { kind: "page"; number: number }
  | { kind: "slide"; number: number }
  | { kind: "cells"; sheet: string; cells: string }
  | { kind: "chapter"; title: string }
  | { kind: "notebook_cell"; number: number }
  | { kind: "time"; seconds: number };

/** Start and exclusive end. */
export type Range = [number, number];

/** Milliseconds spent in each stage; 0 for one that did not run. */
export interface TookMs {
  lexical: number;
  vector: number;
  fuse: number;
  rerank: number;
  total: number;
}

export interface Counts {
  asked: number;
  recalled: number;
  reranked: number;
}

/** A thing that an answer had to do without. */
export type Degraded =
  | { kind: "damaged"; file: string; reason: string }
  | { kind: "no_embedder"; reason: string }
  /** It was asked, and gave no vector of the question. */
  | { kind: "embedder_failed"; reason: string }
  | { kind: "no_reranker"; reason: string }
  | { kind: "vectors_pending"; embedded: number; chunks: number }
  /** What it had read by then is in its order, the rest follows. */
  | { kind: "reranker_failed"; reason: string }
  /** Nobody has fitted what the scores of these two models mean together. */
  | { kind: "not_calibrated"; embedder: string; reranker: string };

export interface SearchResults {
  query: string;
  /** The reranker that scored the hits; null where none took part. */
  model: string | null;
  took_ms: TookMs;
  candidates: Counts;
  /** All that was missing. */
  degraded: Degraded[];
  /** After reranking: even the best score is so low that probably no note answers. */
  nothing_answers: boolean;
  hits: Hit[];
}

/** `message` says what is wrong and what to do about it: it is shown as it is. */
export interface AppError {
  kind: string;
  message: string;
}

export type SearchEvent =
  | { kind: "results"; query_id: number; stage: Stage; results: SearchResults; done: boolean }
  | { kind: "failed"; query_id: number; error: AppError };

export type FileState = "indexed" | "waiting" | "skipped" | "failed" | "offline";

export interface FileRow {
  path: string;
  state: FileState;
  reason: string | null;
  /** Seconds since 1970. */
  at: number;
}

export interface RootStatus {
  path: string;
  /** The sum of the others. */
  files: number;
  indexed: number;
  /** Not read yet, or found by words while their vectors are still to come. */
  waiting: number;
  skipped: number;
  failed: number;
  /** Out of reach; their notes are kept. */
  offline: number;
  /** Why the folder itself is not there now. */
  away: string | null;
}

/** How many files are in a state other than indexed for one and the same reason. */
export interface ReasonCount {
  state: FileState;
  reason: string;
  files: number;
}

export interface Status {
  roots: RootStatus[];
  /** Grows with every commit. */
  generation: number;
  n_chunks: number;
  n_vectors: number;
  size_bytes: number;
  /** Complete, most files first. */
  reasons: ReasonCount[];
  /** Those that are not indexed, the worst first, up to a limit; empty unless asked for. */
  files: FileRow[];
  /** What keeps folders from being followed as they should be, and what is damaged: a sentence or two each. */
  problems: string[];
  /** Whether the folders are being followed, and why not. */
  indexing: { state: "loading" | "ready" | "missing"; reason: string | null };
  /** Why vectors are not made now although some are wanted; text goes on. */
  paused: Pause | null;
}

/** `on_battery`: the machine runs on its battery, and {@link IndexingLimits} says to save it. */
export type Pause = "on_battery";

/** The search that is asked about. */
export interface WhyQuestion {
  query: string;
  candidates: number;
  /** In 0..=1. */
  threshold: number | null;
}

/** A file followed through the pipeline, in plain words. */
export interface WhyReport {
  path: string;
  shown: boolean;
  steps: string[];
  /** What to change; empty where nothing needs to be. */
  advice: string[];
}

export type Phase = "scanning" | "text" | "vectors" | "done";

export interface IndexProgress {
  phase: Phase;
  /** Files (text phase) or passages (vector phase). */
  done: number;
  total: number;
  current: string | null;
}

/** Text of a note around a passage. Offsets count Unicode code points of `text`. */
export interface Preview {
  path: string;
  title: string;
  /** What the file is read as, e.g. `markdown`, `text`, `html` (tags already taken off) or `pdf` (written out as text). */
  format: string;
  text: string;
  hit: Range;
  highlights: Range[];
  cut_before: boolean;
  cut_after: boolean;
}

export interface Settings {
  folders: string[];
  embedder: string | null;
  reranker: string | null;
  candidates: number;
  threshold: number | null;
  indexing: IndexingLimits;
  /** What `indexing.memory_mb` may be: the least and the most. */
  memory_mb_range: Range;
  /** Threads that this machine runs at once; more are not used. */
  n_threads: number;
}

/** What indexing may take of the machine. */
export interface IndexingLimits {
  /** Models not counted. */
  memory_mb: number;
  /** Null is all. */
  threads: number | null;
  /** Whether vectors wait for the power. */
  pause_on_battery: boolean;
}

export interface ModelState {
  state: "loading" | "ready" | "missing";
  name: string | null;
  /** Why it is missing, and what to do. */
  reason: string | null;
  /** Device, arithmetic, and why no GPU where there is none; of a model that is ready. */
  runs_on: string | null;
}

export interface ModelsState {
  embedder: ModelState;
  reranker: ModelState;
}

/** Something dragged over the window from the file manager. */
export type FolderDrag = { kind: "over" } | { kind: "left" } | { kind: "dropped"; paths: string[] };

/** Takes a listener off again. */
export type Unlisten = () => void;

/** Every promise rejects with an {@link AppError}. */
export interface Backend {
  /**
   * Asks for the best five notes, reading `candidates` of them. `onEvent` gets one list per stage as it lands, the
   * last with `done`, or a failure. A newer search cancels an older one.
   */
  search(
    queryId: number,
    query: string,
    candidates: number,
    /** Whether all of them are to be read, however long it takes. */
    readAll: boolean,
    onEvent: (event: SearchEvent) => void,
  ): Promise<void>;

  folders(): Promise<string[]>;
  /** Opens the system's picker; null when the user changed their mind. */
  addFolder(): Promise<string | null>;
  addFolderPath(path: string): Promise<string>;
  removeFolder(path: string): Promise<void>;

  /** `withFiles` adds a row a file. */
  status(withFiles: boolean): Promise<Status>;
  /** Reads failed files again: those at `paths` and below, all for none. Resolves to how many there are. */
  retry(paths: string[]): Promise<number>;
  /** Gives up the notes of a watched folder that is away; it stays watched. */
  forgetFolder(path: string): Promise<void>;
  why(question: WhyQuestion, path: string): Promise<WhyReport>;
  /** Opens the system's file picker; null when the user changed their mind. */
  pickFile(): Promise<string | null>;
  preview(path: string, span: Range, query: string): Promise<Preview>;
  /** In the system's default app. */
  openFile(path: string): Promise<void>;
  /** In the system's file manager. */
  revealFile(path: string): Promise<void>;

  settings(): Promise<Settings>;
  setCandidates(candidates: number): Promise<void>;
  /** Refuses what is out of its range; what is being indexed keeps to the rest at once. */
  setIndexing(limits: IndexingLimits): Promise<Settings>;
  modelsState(): Promise<ModelsState>;

  onIndexProgress(listener: (progress: IndexProgress) => void): Promise<Unlisten>;
  onModelsChanged(listener: (models: ModelsState) => void): Promise<Unlisten>;
  /** The folders are followed now, or cannot be: the status says which. */
  onIndexingChanged(listener: () => void): Promise<Unlisten>;
  onFolderDrag(listener: (drag: FolderDrag) => void): Promise<Unlisten>;
}

/** Whatever was thrown, as something to show. */
export function asAppError(thrown: unknown): AppError {
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const kind = "kind" in thrown && typeof thrown.kind === "string" ? thrown.kind : "unexpected";
    return { kind, message: String(thrown.message) };
  }
  return { kind: "unexpected", message: String(thrown) };
}
