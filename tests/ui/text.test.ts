import { describe, expect, test } from "vitest";
import type { Place, Range } from "$ui/backend/backend";
import {
  degradedText,
  duration,
  folderText,
  modelsText,
  notesText,
  placeText,
  progressText,
  score,
} from "$ui/text/format";
import { inlineMarks, markdownBlocks, plainBlocks } from "$ui/text/markdown";
import { shownPath } from "$ui/text/path";
import { codePoints, pieces } from "$ui/text/ranges";

/** The text with its marked ranges in brackets. */
function bracketed(text: string, ranges: Range[]): string {
  const points = codePoints(text);
  return pieces(points, [0, points.length], [{ layer: "mark", ranges }])
    .map((piece) => (piece.layers.has("mark") ? `[${piece.text}]` : piece.text))
    .join("");
}

describe("ranges count code points", () => {
  test.each<[string, string, Range[], string]>([
    ["plain", "dense bread", [[6, 11]], "dense [bread]"],
    ["after an emoji of two UTF-16 units", "🍞 bread 🍞", [[2, 7]], "🍞 [bread] 🍞"],
    ["an emoji itself", "a🍞b", [[1, 2]], "a[🍞]b"],
    ["Chinese", "搜索引擎重排", [[2, 4]], "搜索[引擎]重排"],
    ["rare Chinese outside the basic plane", "𠮷野家", [[1, 3]], "𠮷[野家]"],
    [
      "overlapping and touching ones become one",
      "为什么泡茶",
      [
        [0, 2],
        [1, 3],
        [3, 4],
      ],
      "[为什么泡]茶",
    ],
    [
      "out of order",
      "ab cd",
      [
        [3, 5],
        [0, 2],
      ],
      "[ab] [cd]",
    ],
    ["reaching outside", "ab", [[1, 9]], "a[b]"],
    ["none", "ab", [], "ab"],
    ["empty text", "", [[0, 1]], ""],
  ])("%s", (_, text, ranges, expected) => {
    expect(bracketed(text, ranges)).toBe(expected);
  });

  test("layers cross each other", () => {
    const found = pieces(
      codePoints("abcdef"),
      [1, 6],
      [
        { layer: "hit", ranges: [[0, 4]] },
        { layer: "mark", ranges: [[3, 5]] },
      ],
    );
    expect(found.map(({ text, layers }) => [text, [...layers]])).toEqual([
      ["bc", ["hit"]],
      ["d", ["hit", "mark"]],
      ["e", ["mark"]],
      ["f", []],
    ]);
  });
});

describe("Markdown", () => {
  const shown = (text: string) => {
    const points = codePoints(text);
    return markdownBlocks(points).map((block) => {
      const marks = inlineMarks(points, block);
      const visible = pieces(points, block.range, marks).filter(({ layers }) => !layers.has("syntax"));
      const words = visible.map(({ text, layers }) =>
        layers.size > 0 ? `<${[...layers].join()}:${text}>` : text,
      );
      return [block.kind, block.bullet ?? block.level, words.join("")];
    });
  };

  test.each([
    [
      "headings",
      "# One\n### Three",
      [
        ["heading", 1, "One"],
        ["heading", 3, "Three"],
      ],
    ],
    [
      "a paragraph goes on over a line break",
      "one\ntwo\n\nthree",
      [
        ["paragraph", 0, "one\ntwo"],
        ["paragraph", 0, "three"],
      ],
    ],
    [
      "items",
      "- a\n  - b\n3. c\n- [x] d\n- [ ] e",
      [
        ["item", "•", "a"],
        ["item", "•", "b"],
        ["item", "3.", "c"],
        ["item", "☑", "d"],
        ["item", "☐", "e"],
      ],
    ],
    [
      "code keeps what looks like markup",
      "```sh\n# no **heading**\n\nls\n```\nafter",
      [
        ["code", 0, "# no **heading**\n\nls"],
        ["paragraph", 0, "after"],
      ],
    ],
    ["code cut off by the preview", "```\nopen", [["code", 0, "open"]]],
    [
      "front matter",
      "---\ntags: [a]\n---\ntext",
      [
        ["meta", 0, "tags: [a]"],
        ["paragraph", 0, "text"],
      ],
    ],
    [
      "a rule further down",
      "a\n\n---\nb",
      [
        ["paragraph", 0, "a"],
        ["rule", 0, "---"],
        ["paragraph", 0, "b"],
      ],
    ],
    ["a quote over lines", "> one\n> two", [["quote", 0, "one\ntwo"]]],
    ["a table", "| a | b |\n|---|---|\n| 1 | 2 |", [["code", 0, "| a | b |\n|---|---|\n| 1 | 2 |"]]],
    [
      "inline",
      "🍞 **bold** `x` [text](http://a) [[Note]] *so*",
      [["paragraph", 0, "🍞 <strong:bold> <code:x> <link:text> <link:Note> <emphasis:so>"]],
    ],
    ["stars that are none", "2 * 3 * 4, snake_case_name", [["paragraph", 0, "2 * 3 * 4, snake_case_name"]]],
  ])("%s", (_, text, expected) => {
    expect(shown(text)).toEqual(expected);
  });

  test("every range is true to the note, with emoji and Chinese before it", () => {
    const points = codePoints("# 🍵 茶\n\n- 水温 **太高** 𠮷\n");
    const item = markdownBlocks(points).at(-1);
    expect(item && points.slice(...item.range).join("")).toBe("水温 **太高** 𠮷");
  });

  test("plain text keeps its lines", () => {
    const points = codePoints("# not a heading\nsecond\n\n\nthird");
    expect(plainBlocks(points).map(({ range }) => points.slice(...range).join(""))).toEqual([
      "# not a heading\nsecond",
      "third",
    ]);
  });
});

test.each([
  ["/home/me/Notes/trips/oslo.md", ["/home/me/Notes"], "Notes/trips", "oslo.md"],
  ["/home/me/Notes/a.md", ["/home/me/Notes/"], "Notes", "a.md"],
  ["/home/me/Notes2/a.md", ["/home/me/Notes"], "/home/me/Notes2", "a.md"],
  ["/n/work/x/a.md", ["/n", "/n/work"], "work/x", "a.md"],
  ["C:\\Users\\Me\\Notes\\茶\\a.md", ["C:\\Users\\Me\\Notes"], "Notes\\茶", "a.md"],
  ["a.md", [], "", "a.md"],
])("the path %s is shown from its folder on", (path, roots, folder, file) => {
  expect(shownPath(path, roots)).toEqual({ folder, file });
});

test.each([
  [0, "0.00"],
  [0.29, "0.29"],
  [Math.fround(0.83), "0.83"],
  [0.996, "0.99"],
  [1, "1.00"],
  [1.2, "1.00"],
])("the score %d reads %s, never rounded up", (value, text) => {
  expect(score(value)).toBe(text);
});

test.each([
  [0, "0 ms"],
  [0.4, "<1 ms"],
  [309.6, "310 ms"],
  [999.6, "1.0 s"],
  [1340, "1.3 s"],
])("%d milliseconds read %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("the notes are counted with what was left out", () => {
  const root = {
    path: "/n",
    files: 425,
    indexed: 400,
    waiting: 21,
    skipped: 3,
    failed: 0,
    offline: 1,
    away: null,
  };
  expect(notesText([root])).toBe("422 notes, 3 skipped");
  expect(notesText([root, { ...root, indexed: 1200, failed: 2 }])).toBe(
    "1,644 notes, 6 skipped, 2 unreadable",
  );
  expect(notesText([{ ...root, indexed: 1, waiting: 0, skipped: 0, offline: 0 }])).toBe("1 note");
  expect(folderText(root)).toBe("400 of 425 indexed, 21 waiting, 1 out of reach, 3 skipped");
  expect(folderText({ ...root, files: 2, indexed: 1, waiting: 0, skipped: 0, offline: 0, failed: 1 })).toBe(
    "1 of 2 indexed, 1 unreadable",
  );
  expect(notesText([])).toBe("No folder yet");
});

test.each([
  ["scanning" as const, "Looking through your folders"],
  ["text" as const, "Reading notes: 1,200 of 4,000"],
  ["vectors" as const, "Learning what they mean: 1,200 of 4,000 passages"],
  ["done" as const, null],
])("the phase %s reads %s", (phase, text) => {
  expect(progressText({ phase, done: 1200, total: 4000, current: null })).toBe(text);
});

test("what an answer had to do without is said", () => {
  expect(degradedText({ kind: "no_embedder", reason: "still loading" })).toBe(
    "Found by words only: still loading",
  );
  expect(degradedText({ kind: "no_reranker", reason: "no such file" })).toBe("Not reranked: no such file");
  expect(degradedText({ kind: "embedder_failed", reason: "it scored NaN" })).toBe(
    "Found by words only: it scored NaN",
  );
  expect(degradedText({ kind: "reranker_failed", reason: "it scored NaN" })).toBe(
    "Not all reranked: it scored NaN",
  );
  expect(degradedText({ kind: "vectors_pending", embedded: 3, chunks: 8012 })).toContain(
    "3 of 8,012 passages",
  );
  expect(degradedText({ kind: "not_calibrated", embedder: "e", reranker: "r" })).toContain(
    "Scores of r with e are rough",
  );
});

test("the models' state is said while one is not ready", () => {
  const ready = { state: "ready" as const, name: "m", reason: null, runs_on: null };
  const loading = { ...ready, state: "loading" as const };
  const missing = { state: "missing" as const, name: null, reason: "gone", runs_on: null };
  expect(modelsText({ embedder: ready, reranker: ready })).toBeNull();
  expect(modelsText({ embedder: loading, reranker: ready })).toContain("loading");
  expect(modelsText({ embedder: missing, reranker: missing })).toContain("words only");
  expect(modelsText({ embedder: loading, reranker: missing })).toContain("No reranking");
});

test.each<[Place | null, string | null]>([
  [null, null],
  [{ kind: "line", number: 12 }, null],
  [{ kind: "page", number: 3 }, "p. 3"],
  [{ kind: "slide", number: 4 }, "slide 4"],
  [{ kind: "cells", sheet: "预算", cells: "B2:D9" }, "预算!B2:D9"],
  [{ kind: "chapter", title: "Chapter One" }, "Chapter One"],
  [{ kind: "notebook_cell", number: 7 }, "cell 7"],
  [{ kind: "time", seconds: 3723 }, "1:02:03"],
])("place %j", (place, expected) => {
  expect(placeText(place)).toBe(expected);
});
