import {
  asAppError,
  type AppError,
  type Backend,
  type Hit,
  type SearchEvent,
  type SearchResults,
} from "../backend/backend";
import { arrange, keyOf, type Card } from "./arrange";

/** How long typing must pause before a search: a fast typist asks once a word, and it still feels immediate. */
export const DEBOUNCE_MS = 80;

/** How many candidates the cross-encoder may read. */
export const CANDIDATE_CHOICES = [20, 50, 100, 200] as const;

/** Scores are 32-bit floats: 0.29 arrives as 0.28999999, and a threshold of 0.29 must still let it through. */
const SCORE_EPSILON = 1e-6;

type Reason = "asked" | "refresh";

/** The question in the box and the list that answers it. */
export class Search {
  /** What stands in the box. */
  text = $state("");
  /** Hits with a lower score are folded away. 0 turns this off. The settings give the first value. */
  threshold = $state(0);
  /** Whether hits below the threshold are shown all the same. */
  showBelow = $state(false);
  candidates = $state<number>(100);
  /** Whether a search is under way. */
  busy = $state(false);
  failure = $state.raw<AppError | null>(null);
  /** The newest list's figures; `done` once no later list will replace it. */
  answer = $state.raw<{ results: SearchResults; done: boolean } | null>(null);
  /** How many milliseconds reranking took last, by number of candidates. */
  costs = $state.raw<ReadonlyMap<number, number>>(new Map());
  /** The question that the cards on screen answer. */
  shownFor = $state("");

  #cards = $state.raw<Card[]>([]);
  /** The key of the card that the user chose; null if none, and the first card is selected. */
  #picked = $state<string | null>(null);
  /** The key of the card that the pointer is on. */
  #pointed: string | null = null;

  /** Whether an input method is putting a word together. */
  #composing = false;
  /** The id of the newest search; events of any other are late and ignored. */
  #queryId = 0;
  #reason: Reason = "asked";
  /** Whether all candidates are read for the current question, however long it takes. */
  #readAll = false;
  /** The question last sent. */
  #asked = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Whether a card's score is under the threshold. False before the last list: earlier scores are provisional. */
  isBelow(card: Card): boolean {
    const { score } = card.hit;
    return (
      this.answer?.done === true && !card.dropped && score !== null && score < this.threshold - SCORE_EPSILON
    );
  }

  /** Whether a better list for this question is still to come. */
  get pending(): boolean {
    return this.answer !== null && !this.answer.done;
  }

  /** Whether the scores may still change, or are the first stage's, which are hard to compare between questions. */
  get provisional(): boolean {
    return this.pending || this.answer?.results.candidates.reranked === 0;
  }

  /** How many of the candidates were read before time ran out; null if all or none were read. */
  get cutShort(): { read: number; of: number } | null {
    if (!this.answer?.done) return null;
    const { asked, recalled, reranked } = this.answer.results.candidates;
    const of = Math.min(asked, recalled);
    return reranked > 0 && reranked < of ? { read: reranked, of } : null;
  }

  /** Whether even the best score of the last list is so low that probably no note answers. */
  get nothingAnswers(): boolean {
    return this.answer?.done === true && this.answer.results.nothing_answers;
  }

  /** The scores that the threshold's slider shows as ticks. */
  scores = $derived(
    this.answer?.done
      ? this.answer.results.hits.map((hit) => hit.score).filter((score) => score !== null)
      : [],
  );
  belowCount = $derived(this.#cards.filter((card) => this.isBelow(card)).length);
  cards = $derived(this.showBelow ? this.#cards : this.#cards.filter((card) => !this.isBelow(card)));
  selected = $derived.by(() => {
    const at = this.#cards.findIndex((card) => card.key === this.#picked);
    const until = this.#cards.slice(0, at + 1);
    // If the threshold folded the picked card away, the card above it is selected.
    return this.cards.findLast((card) => until.includes(card)) ?? this.cards[0] ?? null;
  });

  type(text: string): void {
    this.text = text;
    if (!this.#composing) this.#schedule();
  }

  compositionStarted(): void {
    this.#composing = true;
    clearTimeout(this.#timer);
  }

  compositionEnded(text: string): void {
    this.#composing = false;
    this.type(text);
  }

  clear(): void {
    this.#composing = false;
    this.type("");
  }

  /** Asks the typed question at once, without waiting for a pause in typing. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.text.trim() !== "" && this.text.trim() !== this.#asked) this.#ask("asked");
  }

  /** Asks the same question again after the notes or models changed. Only the last list replaces the one shown. */
  refresh(): void {
    if (this.#asked !== "" && this.#asked === this.text.trim() && !this.busy) this.#ask("refresh");
  }

  /** Asks again with that many candidates. The list of the same question changes only with the last list. */
  setCandidates(candidates: number): void {
    if (candidates === this.candidates) return;
    this.candidates = candidates;
    const query = this.text.trim();
    if (query !== "") this.#ask(query === this.shownFor ? "refresh" : "asked");
  }

  /** Asks again and has the remaining candidates read too. Those already read are not read again. */
  readAll(): void {
    if (this.cutShort === null || this.shownFor !== this.text.trim()) return;
    this.#readAll = true;
    this.#ask("refresh");
  }

  pick(card: Card): void {
    this.#picked = card.key;
  }

  /** Moves the selection by `by` cards; stops at both ends. */
  move(by: number): void {
    const cards = this.cards;
    const at = cards.findIndex((card) => card.key === this.selected?.key);
    const next = cards[Math.min(Math.max(at + by, 0), cards.length - 1)];
    if (next) this.pick(next);
  }

  /** The pointer moved onto a card, or (null) off the list. */
  point(card: Card | null): void {
    this.#pointed = card?.key ?? null;
  }

  /** The hit that Enter opens; null while the list still answers an older question. */
  get chosen(): Hit | null {
    return this.shownFor === this.text.trim() ? (this.selected?.hit ?? null) : null;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const query = this.text.trim();
    if (query === "") this.#reset();
    else if (query !== this.#asked) this.#timer = setTimeout(() => this.#ask("asked"), DEBOUNCE_MS);
  }

  #reset(): void {
    this.#queryId += 1;
    this.#asked = "";
    this.shownFor = "";
    this.busy = false;
    this.failure = null;
    this.answer = null;
    this.#show([]);
  }

  #ask(reason: Reason): void {
    clearTimeout(this.#timer);
    const id = ++this.#queryId;
    this.#reason = reason;
    if (reason === "asked") this.#readAll = false;
    this.#asked = this.text.trim();
    this.busy = true;
    this.#backend
      .search(id, this.#asked, this.candidates, this.#readAll, (event) => this.#receive(event))
      .catch((error: unknown) => this.#receive({ kind: "failed", query_id: id, error: asAppError(error) }));
  }

  #receive(event: SearchEvent): void {
    if (event.query_id !== this.#queryId) return;
    if (event.kind === "failed") {
      this.busy = false;
      if (event.error.kind !== "cancelled") this.failure = event.error;
      return;
    }
    const { results, done } = event;
    this.busy = !done;
    if (!done && this.#reason === "refresh") return;
    const isNew = this.#asked !== this.shownFor;
    // No word matched, but later stages may still find notes: an empty list would only flash.
    if (!done && isNew && results.hits.length === 0) return;

    this.failure = null;
    this.answer = { results, done };
    if (isNew) {
      this.shownFor = this.#asked;
      this.#show(results.hits.map((hit) => ({ key: keyOf(hit), hit, dropped: false })));
    } else {
      this.#replace(results.hits);
    }
    if (done && results.candidates.reranked > 0 && this.cutShort === null) {
      this.costs = new Map(this.costs).set(results.candidates.asked, results.took_ms.rerank);
    }
  }

  /** Shows the list of another question: no card is held in its place. */
  #show(cards: Card[]): void {
    this.#picked = null;
    this.#pointed = null;
    this.showBelow = false;
    this.#cards = cards;
  }

  /** Shows a better list for the same question: the cards that the user is on stay in their places. */
  #replace(hits: readonly Hit[]): void {
    const picked = this.#cards.find((card) => card.key === this.#picked);
    const held = [picked?.key, this.#pointed].filter((key) => typeof key === "string");
    this.#cards = arrange(this.#cards, hits, new Set(held));
    if (picked) {
      const same = this.#cards.find((card) => card.hit.path === picked.hit.path);
      this.#picked = same?.key ?? null;
    }
  }
}
