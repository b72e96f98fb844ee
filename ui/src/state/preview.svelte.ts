import { asAppError, type AppError, type Backend, type Hit, type Preview } from "../backend/backend";
import { keyOf } from "./arrange";

/** A note is read once it has been selected this long, so that a held arrow key does not have every note read. */
export const SETTLE_MS = 60;

/** The note around the selected hit. The last note stays on screen until the next is there, so that nothing flashes. */
export class PreviewState {
  note = $state.raw<Preview | null>(null);
  failure = $state.raw<AppError | null>(null);

  /** What was last asked for: the same hit under the same question is not read twice. */
  #wanted = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  show(hit: Hit | null, query: string): void {
    const wanted = hit ? `${keyOf(hit)}?${query}` : "";
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    if (!hit) {
      this.note = null;
      this.failure = null;
      return;
    }
    if (hit.unread !== null) {
      // Reading the file would fail again, which can take long if it is damaged.
      this.note = null;
      this.failure = { kind: "unread", message: `${hit.title} was not read: ${hit.unread}` };
      return;
    }
    const load = () => void this.#load(hit, query, wanted);
    // While the pane is empty, the note is read at once.
    if (this.note === null) load();
    else this.#timer = setTimeout(load, SETTLE_MS);
  }

  async #load(hit: Hit, query: string, wanted: string): Promise<void> {
    try {
      const note = await this.#backend.preview(hit.path, hit.span, query);
      if (wanted !== this.#wanted) return;
      this.note = note;
      this.failure = null;
    } catch (thrown) {
      const failure = asAppError(thrown);
      // The failure of a request that a newer one replaced is not shown: the newer one's answer is still to come.
      if (wanted !== this.#wanted || failure.kind === "cancelled") return;
      this.note = null;
      this.failure = failure;
    }
  }
}
