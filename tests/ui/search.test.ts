import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEBOUNCE_MS, Search } from "$ui/state/search.svelte";
import { hits, ScriptedBackend } from "./scripted";

let backend: ScriptedBackend;
let search: Search;

beforeEach(() => {
  vi.useFakeTimers();
  backend = new ScriptedBackend();
  search = new Search(backend);
});

afterEach(() => {
  vi.useRealTimers();
});

function ask(query: string) {
  search.type(query);
  vi.advanceTimersByTime(DEBOUNCE_MS);
}

const names = () => search.cards.map((card) => card.hit.title).join("");
const pick = (name: string) => {
  const card = search.cards.find((card) => card.hit.title === name);
  if (!card) throw new Error(`no card ${name}`);
  search.pick(card);
};

test("typing asks once, after the last key", () => {
  for (const text of ["b", "br", "bre"]) {
    search.type(text);
    vi.advanceTimersByTime(DEBOUNCE_MS - 1);
  }
  expect(backend.searches).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(backend.searches.map(({ query }) => query)).toEqual(["bre"]);
});

test("white space around a question asks nothing new", () => {
  ask("bread");
  ask("  bread ");
  expect(backend.searches).toHaveLength(1);
  ask("   ");
  expect(backend.searches).toHaveLength(1);
});

test("each stage's list replaces the one before, and only the last is final", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  expect([names(), search.provisional, search.busy]).toEqual(["abc", true, true]);
  backend.last.land("hybrid", hits("bad"));
  expect([names(), search.provisional, search.busy]).toEqual(["bad", true, true]);
  backend.last.land("rerank", hits("dab"));
  expect([names(), search.provisional, search.busy]).toEqual(["dab", false, false]);
});

test("late events of an older question are ignored", () => {
  ask("bread");
  const older = backend.last;
  ask("butter");
  older.land("rerank", hits("xyz"));
  expect(names()).toBe("");
  backend.last.land("lexical", hits("abc"));
  older.land("rerank", hits("xyz"));
  older.fail("index", "broken");
  expect([names(), search.failure, search.busy]).toEqual(["abc", null, true]);
});

test("ids grow, so that the engine can cancel by them", () => {
  ask("a");
  ask("ab");
  ask("abc");
  const ids = backend.searches.map(({ id }) => id);
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  expect(new Set(ids).size).toBe(3);
});

test("an emptied box empties the list, and what was under way stays away", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  search.clear();
  expect([names(), search.busy, search.shownFor]).toEqual(["", false, ""]);
  backend.last.land("rerank", hits("abc"));
  expect(names()).toBe("");
  ask("bread");
  expect(backend.searches).toHaveLength(2);
});

test("a list without a hit by words does not wipe the old one before meaning was asked", () => {
  ask("bread");
  backend.last.land("rerank", hits("abc"));
  ask("why is it flat");
  backend.last.land("lexical", []);
  expect([names(), search.shownFor]).toEqual(["abc", "bread"]);
  backend.last.land("rerank", []);
  expect([names(), search.shownFor]).toEqual(["", "why is it flat"]);
});

test("nothing is asked while an input method composes", () => {
  search.compositionStarted();
  for (const text of ["s", "so", "sou", "搜"]) {
    search.type(text);
    vi.advanceTimersByTime(10 * DEBOUNCE_MS);
  }
  expect(backend.searches).toHaveLength(0);
  search.compositionEnded("搜索");
  vi.advanceTimersByTime(DEBOUNCE_MS);
  expect(backend.searches.map(({ query }) => query)).toEqual(["搜索"]);
});

test("a key stroke just before composing does not fire in its middle", () => {
  search.type("x");
  search.compositionStarted();
  vi.advanceTimersByTime(10 * DEBOUNCE_MS);
  expect(backend.searches).toHaveLength(0);
});

test("left alone, the selection is the best note, whichever it becomes", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  expect(search.selected?.hit.title).toBe("a");
  backend.last.land("rerank", hits("cab"));
  expect(search.selected?.hit.title).toBe("c");
});

test.each([
  ["it stays in its slot", "abcde", "c", "cabde", "abcde"],
  ["the others fill in by rank", "abcde", "b", "edbca", "ebdca"],
  ["newcomers too", "abcde", "d", "xyzdw", "xyzdw"],
  ["a note that fell out is held", "abcde", "b", "acdxy", "abcdxy"],
  ["a shorter list closes up", "abcde", "e", "ea", "ae"],
])("a card the user picked is not moved: %s", (_, before, picked, reranked, shown) => {
  ask("bread");
  backend.last.land("lexical", hits(before));
  pick(picked);
  backend.last.land("rerank", hits(reranked));
  expect(names()).toBe(shown);
  expect(search.selected?.hit.title).toBe(picked);
});

test("a held note that fell out says so and goes with the next question", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  pick("b");
  backend.last.land("rerank", hits("acd"));
  expect(search.cards.filter((card) => card.dropped).map((card) => card.hit.title)).toEqual(["b"]);
  ask("butter");
  backend.last.land("lexical", hits("acd"));
  expect(names()).toBe("acd");
  expect(search.selected?.hit.title).toBe("a");
});

test("the card under the pointer is not moved either", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  search.point(search.cards[1] ?? null);
  backend.last.land("hybrid", hits("bca"));
  expect(names()).toBe("cba");
  search.point(null);
  backend.last.land("rerank", hits("bca"));
  expect(names()).toBe("bca");
});

test("a picked note whose best passage changed stays picked", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"));
  pick("b");
  const moved = hits("bac").map((hit) =>
    hit.title === "b" ? { ...hit, span: [50, 90] as [number, number] } : hit,
  );
  backend.last.land("rerank", moved);
  expect(search.selected?.hit).toMatchObject({ title: "b", span: [50, 90] });
  expect(names()).toBe("abc");
});

test("the arrows stop at both ends", () => {
  ask("bread");
  backend.last.land("rerank", hits("abc"));
  const walk = [-1, 1, 1, 1, -1].map((by) => {
    search.move(by);
    return search.selected?.hit.title;
  });
  expect(walk).toEqual(["a", "b", "c", "c", "b"]);
});

test("Enter means nothing while the list answers an older question, and asks at once", () => {
  ask("bread");
  backend.last.land("rerank", hits("abc"));
  expect(search.chosen?.title).toBe("a");
  search.type("butter");
  expect(search.chosen).toBeNull();
  search.flush();
  search.flush();
  expect(backend.searches.map(({ query }) => query)).toEqual(["bread", "butter"]);
});

test("the threshold folds away without asking again, at the last stage only", () => {
  ask("bread");
  search.threshold = 0.5;
  backend.last.land("hybrid", hits("abcde", [0.1, 0.1, 0.1, 0.1, 0.1]));
  expect([names(), search.belowCount]).toEqual(["abcde", 0]);
  backend.last.land("rerank", hits("abcde", [0.9, 0.7, 0.4, 0.3, 0.1]));
  expect([names(), search.belowCount]).toEqual(["ab", 3]);
  search.showBelow = true;
  expect(names()).toBe("abcde");
  search.threshold = 0;
  expect([names(), search.belowCount]).toEqual(["abcde", 0]);
  expect(backend.searches).toHaveLength(1);
});

test("a 32-bit score passes the threshold that it equals on screen", () => {
  ask("bread");
  backend.last.land("rerank", hits("a", [Math.fround(0.29)]));
  search.threshold = 0.29;
  expect(names()).toBe("a");
  search.threshold = 0.3;
  expect(names()).toBe("");
});

test("a picked card that the threshold takes away leaves the selection to the one above", () => {
  ask("bread");
  backend.last.land("rerank", hits("abcd", [0.9, 0.7, 0.4, 0.3]));
  pick("d");
  search.threshold = 0.5;
  expect(search.selected?.hit.title).toBe("b");
  search.threshold = 0.95;
  expect(search.selected).toBeNull();
});

test("the cost of each number of candidates is the last one measured", () => {
  ask("bread");
  backend.last.land("rerank", hits("abc"), { rerankMs: 310 });
  search.setCandidates(20);
  expect(backend.last.candidates).toBe(20);
  backend.last.land("lexical", hits("xyz"));
  expect(names()).toBe("abc");
  backend.last.land("rerank", hits("bac"), { rerankMs: 70 });
  expect(names()).toBe("bac");
  ask("butter");
  backend.last.land("rerank", hits("abc"), { rerankMs: 64 });
  expect([...search.costs]).toEqual([
    [100, 310],
    [20, 64],
  ]);
});

test("the rest of the candidates is read when asked for, of this question only", () => {
  ask("bread");
  expect(backend.last.readAll).toBe(false);
  backend.last.land("rerank", hits("abc"), { done: false, read: 16 });
  expect([search.cutShort, names()]).toEqual([null, "abc"]);
  backend.last.land("rerank", hits("abc"), { read: 30 });
  expect(search.cutShort).toEqual({ read: 30, of: 100 });
  expect(search.costs.size).toBe(0);
  search.readAll();
  expect(backend.last).toMatchObject({ query: "bread", readAll: true });
  backend.last.land("rerank", hits("bac"));
  expect([search.cutShort, names(), search.costs.get(100)]).toEqual([null, "bac", 310]);
  search.refresh();
  expect(backend.last.readAll).toBe(true);
  ask("butter");
  expect(backend.last.readAll).toBe(false);
});

test("an answer that nothing reranked measures nothing", () => {
  ask("bread");
  backend.last.land("lexical", hits("abc"), {
    done: true,
    degraded: [{ kind: "no_embedder", reason: "gone" }],
  });
  expect([names(), search.pending, search.provisional, search.costs.size]).toEqual(["abc", false, true, 0]);
});

test("only the last list can say that nothing answers", () => {
  ask("bread");
  backend.last.land("hybrid", hits("abc"), { nothingAnswers: true });
  expect(search.nothingAnswers).toBe(false);
  backend.last.land("rerank", hits("abc"), { nothingAnswers: true });
  expect(search.nothingAnswers).toBe(true);
  ask("butter");
  backend.last.land("lexical", hits("abc"));
  expect(search.nothingAnswers).toBe(false);
});

test("a refresh keeps the list until its last stage, and a cancelled search is no failure", () => {
  ask("bread");
  backend.last.land("rerank", hits("abc"));
  pick("b");
  search.refresh();
  backend.last.land("lexical", hits("x"));
  expect(names()).toBe("abc");
  backend.last.fail("cancelled", "cancelled");
  expect(search.failure).toBeNull();
  search.refresh();
  backend.last.land("rerank", hits("bca"));
  expect([names(), search.selected?.hit.title]).toEqual(["cba", "b"]);
});

test("a failure is shown until the next answer", () => {
  ask("bread");
  backend.last.fail("index", "the index failed: delete that folder");
  expect(search.failure?.message).toContain("delete that folder");
  ask("butter");
  backend.last.land("lexical", hits("a"));
  expect(search.failure).toBeNull();
});
