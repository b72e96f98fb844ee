import {
  asAppError,
  type AppError,
  type Backend,
  type IndexingLimits,
  type IndexProgress,
  type ModelsState,
  type Settings,
  type Status,
  type Unlisten,
} from "../backend/backend";

/** The watched folders, the states of their files, the models, and the settings. */
export class Library {
  /** Null until known, so that the first-run screen never flashes. */
  folders = $state.raw<string[] | null>(null);
  status = $state.raw<Status | null>(null);
  progress = $state.raw<IndexProgress | null>(null);
  models = $state.raw<ModelsState | null>(null);
  settings = $state.raw<Settings | null>(null);
  /** The last action that failed, until dismissed. */
  failure = $state.raw<AppError | null>(null);
  /** A folder is being dragged over the window. */
  draggedOver = $state(false);

  /** Called when answers may have changed: the index has a new commit, or the models changed. */
  onchange: () => void = () => undefined;

  readonly #backend: Backend;
  #statusAsked = 0;
  #saved = Promise.resolve();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Loads everything and listens for changes. The function it resolves to removes the listeners. */
  async open(): Promise<Unlisten> {
    const offs = await Promise.all([
      this.#backend.onIndexProgress((progress) => this.#follow(progress)),
      this.#backend.onModelsChanged((models) => {
        this.models = models;
        this.onchange();
      }),
      this.#backend.onIndexingChanged(() => void this.reload()),
      this.#backend.onFolderDrag((drag) => {
        this.draggedOver = drag.kind === "over";
        if (drag.kind === "dropped") void this.addPaths(drag.paths);
      }),
    ]);
    await this.#attempt(async () => {
      this.models = await this.#backend.modelsState();
    });
    await this.reload();
    return () => offs.forEach((off) => off());
  }

  /** Loads the folders, their counts, and the reasons why files were left out. */
  async reload(): Promise<void> {
    const asked = ++this.#statusAsked;
    await this.#attempt(async () => {
      const folders = await this.#backend.folders();
      if (asked === this.#statusAsked) this.folders = folders;
      const status = await this.#backend.status(true);
      // Two requests may be under way: only the later one's answer is used.
      if (asked !== this.#statusAsked) return;
      const isNewer = this.status !== null && this.status.generation !== status.generation;
      this.status = status;
      if (isNewer) this.onchange();
    });
  }

  /** Adds a folder through the system's picker. */
  async add(): Promise<void> {
    await this.#attempt(() => this.#backend.addFolder());
    await this.reload();
  }

  async addPaths(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#attempt(() => this.#backend.addFolderPath(path));
    await this.reload();
  }

  async remove(path: string): Promise<void> {
    await this.#attempt(() => this.#backend.removeFolder(path));
    await this.reload();
  }

  /** Reads failed files again: those named, or all. */
  async retry(paths: readonly string[] = []): Promise<void> {
    await this.#attempt(() => this.#backend.retry([...paths]));
    await this.reload();
  }

  /** Gives up the notes of a folder that is away. */
  async forget(path: string): Promise<void> {
    await this.#attempt(() => this.#backend.forgetFolder(path));
    await this.reload();
  }

  async openFile(path: string): Promise<void> {
    await this.#attempt(() => this.#backend.openFile(path));
  }

  async revealFile(path: string): Promise<void> {
    await this.#attempt(() => this.#backend.revealFile(path));
  }

  /** Changes limits of indexing. Indexing that is under way follows them at once. */
  async setIndexing(change: Partial<IndexingLimits>): Promise<void> {
    await this.#save(async () => {
      const settings = this.settings ?? (await this.#backend.settings());
      this.settings = await this.#backend.setIndexing({ ...settings.indexing, ...change });
    });
    await this.reload();
  }

  /** Saves the number of candidates for the next start. */
  async rememberCandidates(candidates: number): Promise<void> {
    await this.#save(() => this.#backend.setCandidates(candidates));
  }

  #follow(progress: IndexProgress): void {
    const before = this.progress?.phase;
    this.progress = progress;
    // A phase that ended changed the counts, and the command line may have added folders. Within a phase, the progress
    // line says enough. A run may be so short that only its end is reported.
    if (progress.phase !== before || progress.phase === "done") void this.reload();
  }

  /**
   * Saves settings one after another. A change that did not wait for the one before would start from the old settings
   * and undo that one, and two changes under way could arrive in any order.
   */
  #save(action: () => Promise<unknown>): Promise<void> {
    this.#saved = this.#saved.then(() => this.#attempt(action));
    return this.#saved;
  }

  async #attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      this.failure = asAppError(thrown);
    }
  }
}
