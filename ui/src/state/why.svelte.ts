import {
  asAppError,
  type AppError,
  type Backend,
  type WhyQuestion,
  type WhyReport,
} from "../backend/backend";

/** Follows one file through a search: why it is shown for a question, or why not. */
export class Why {
  /** The file in question; null while nothing is asked. */
  path = $state.raw<string | null>(null);
  question = $state.raw<WhyQuestion | null>(null);
  report = $state.raw<WhyReport | null>(null);
  failure = $state.raw<AppError | null>(null);

  readonly #backend: Backend;
  #asked = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async ask(question: WhyQuestion, path: string): Promise<void> {
    const asked = ++this.#asked;
    this.path = path;
    this.question = question;
    this.report = null;
    this.failure = null;
    try {
      const report = await this.#backend.why(question, path);
      if (asked === this.#asked) this.report = report;
    } catch (thrown) {
      if (asked === this.#asked) this.failure = asAppError(thrown);
    }
  }

  /** Lets the user choose the file that they miss, and asks about it. */
  async askForFile(question: WhyQuestion): Promise<void> {
    try {
      const path = await this.#backend.pickFile();
      if (path !== null) await this.ask(question, path);
    } catch (thrown) {
      this.path = "";
      this.question = question;
      this.report = null;
      this.failure = asAppError(thrown);
    }
  }

  close(): void {
    this.#asked++;
    this.path = null;
  }
}
