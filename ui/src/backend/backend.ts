/**
 * The engine's interface to the window. Two backends implement it: the app ({@link "./tauri"}) and a fake in memory
 * ({@link "./fake"}). Field names are the engine's own, in snake_case.
 */

/** The stage of the pipeline that a list comes from. */
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
  /** Other files that are copies of this note, the preferred one first. */
  copies: string[];
  /** Why the file could not be read, if it is shown for its name alone; null for a file that was read. */
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
  /** The embedder gave no vector of the question. */
  | { kind: "embedder_failed"; reason: string }
  | { kind: "no_reranker"; reason: string }
  | { kind: "vectors_pending"; embedded: number; chunks: number }
  /** The hits that the reranker had read by then are in its order; the others follow in the first stage's. */
  | { kind: "reranker_failed"; reason: string }
  /** The scores of this pair of models have not been calibrated. */
  | { kind: "not_calibrated"; embedder: string; reranker: string };

export interface SearchResults {
  query: string;
  /** The reranker that scored the hits; null where none took part. */
  model: string | null;
  took_ms: TookMs;
  candidates: Counts;
  /** Everything that the answer had to do without. */
  degraded: Degraded[];
  /** Whether, after reranking, even the best score is so low that probably no note answers. */
  nothing_answers: boolean;
  hits: Hit[];
}

/** `message` says what is wrong and what to do about it. The window shows it unchanged. */
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
  /** The sum of the five counts below. */
  files: number;
  indexed: number;
  /** Files not read yet, or found by words only because their vectors are not made yet. */
  waiting: number;
  skipped: number;
  failed: number;
  /** Files out of reach; their notes are kept. */
  offline: number;
  /** Why the folder itself is not there now; null if it is. */
  away: string | null;
}

/** How many files are not indexed for the same reason. */
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
  /** All reasons, the one with the most files first. */
  reasons: ReasonCount[];
  /** Files that are not indexed, the worst first, up to a limit; empty unless asked for. */
  files: FileRow[];
  /** What keeps folders from being followed, and what is damaged: a sentence or two each. */
  problems: string[];
  /** Whether the folders are being followed and, if not, why. */
  indexing: { state: "loading" | "ready" | "missing"; reason: string | null };
  /** Why no vectors are made now although passages lack them; text is still indexed. Null if nothing is paused. */
  paused: Pause | null;
}

/** `on_battery`: the machine runs on its battery, and {@link IndexingLimits} says to save it. */
export type Pause = "on_battery";

/** The search in which a file is followed. */
export interface WhyQuestion {
  query: string;
  candidates: number;
  /** In 0..=1. */
  threshold: number | null;
}

/** How one file fared at each step of a search, in plain words. */
export interface WhyReport {
  path: string;
  shown: boolean;
  steps: string[];
  /** What the user can change; empty where nothing needs a change. */
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
  /** The file's format, e.g. `markdown`, `text`, `html` (`text` has no tags) or `pdf` (`text` is its plain text). */
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
  /** The least and the most that `indexing.memory_mb` may be. */
  memory_mb_range: Range;
  /** How many threads this machine runs at once; indexing uses no more. */
  n_threads: number;
}

/** How much of the machine indexing may use. */
export interface IndexingLimits {
  /** Memory besides that of the models. */
  memory_mb: number;
  /** Null means all threads. */
  threads: number | null;
  /** Whether no vectors are made while the machine is on battery. */
  pause_on_battery: boolean;
}

export interface ModelState {
  state: "loading" | "ready" | "missing";
  name: string | null;
  /** Why it is missing, and what to do. */
  reason: string | null;
  /** For a model that is ready: its device, its arithmetic and, where no GPU is used, why not. */
  runs_on: string | null;
}

export interface ModelsState {
  embedder: ModelState;
  reranker: ModelState;
}

/** Something dragged over the window from the file manager. */
export type FolderDrag = { kind: "over" } | { kind: "left" } | { kind: "dropped"; paths: string[] };

/** Removes a listener. */
export type Unlisten = () => void;

/** Every promise rejects with an {@link AppError}. */
export interface Backend {
  /**
   * Asks for the best five notes after reranking `candidates` passages. `onEvent` gets each list as it lands
   * (reranking can land several), the last one with `done`, or a failure. A newer search cancels an older one.
   */
  search(
    queryId: number,
    query: string,
    candidates: number,
    /** Whether the reranker reads all candidates, however long it takes. */
    readAll: boolean,
    onEvent: (event: SearchEvent) => void,
  ): Promise<void>;

  folders(): Promise<string[]>;
  /** Opens the system's picker; null when the user changed their mind. */
  addFolder(): Promise<string | null>;
  addFolderPath(path: string): Promise<string>;
  removeFolder(path: string): Promise<void>;

  /** `withFiles` adds a row for each file that is not indexed. */
  status(withFiles: boolean): Promise<Status>;
  /** Reads failed files again: those at `paths` and below, or all if `paths` is empty. Resolves to their number. */
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
  /** Rejects, and changes nothing, if a value is out of its range. Indexing under way follows new limits at once. */
  setIndexing(limits: IndexingLimits): Promise<Settings>;
  modelsState(): Promise<ModelsState>;

  onIndexProgress(listener: (progress: IndexProgress) => void): Promise<Unlisten>;
  onModelsChanged(listener: (models: ModelsState) => void): Promise<Unlisten>;
  /** `listener` is called when the folders are followed or cannot be; the status says which. */
  onIndexingChanged(listener: () => void): Promise<Unlisten>;
  onFolderDrag(listener: (drag: FolderDrag) => void): Promise<Unlisten>;
}

/** Turns whatever was thrown into an error that can be shown. */
export function asAppError(thrown: unknown): AppError {
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const kind = "kind" in thrown && typeof thrown.kind === "string" ? thrown.kind : "unexpected";
    return { kind, message: String(thrown.message) };
  }
  return { kind: "unexpected", message: String(thrown) };
}
