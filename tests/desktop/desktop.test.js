/** The main job in the real app: add a folder, ask in two languages, judge five notes, read one. */

import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Key } from "selenium-webdriver";
import { App, ROOT } from "./app.js";

const OUT = join(import.meta.dirname, "out");

/** The cards on screen, top to bottom, read in one go so that no stage can land in between. */
const CARDS = `
  return [...document.querySelectorAll('[data-testid="hit-card"]')].map((card) => ({
    path: card.dataset.path,
    score: Number(card.querySelector('[data-testid="hit-score"]').textContent.match(/[\\d.]+/)?.[0] ?? NaN),
    selected: card.getAttribute("aria-selected") === "true",
  }));`;

const BUSY = `return document.querySelector('[role="listbox"], #hits')?.getAttribute("aria-busy") !== "false"`;

let app;
let notes;

before(async () => {
  await mkdir(OUT, { recursive: true });
  notes = await mkdtemp(join(tmpdir(), "nuthatch-notes-"));
  await cp(join(ROOT, "tests/fixtures/notes"), notes, { recursive: true });
  app = await App.start();
});

after(async () => {
  await app?.stop();
  await rm(notes, { recursive: true, force: true });
});

async function keep(name) {
  await writeFile(join(OUT, `${name}.png`), await app.screenshot());
}

/** Types a question over the last one and waits for the last stage's five cards. */
async function ask(question) {
  const input = await app.one("search-input");
  await input.sendKeys(Key.chord(Key.CONTROL, "a"), Key.BACK_SPACE);
  await app.until("an empty list", async () => (await app.all("hit-card")).length === 0);
  await input.sendKeys(question);
  return app.until(`five cards for ${question}`, async () => {
    if (await app.script(BUSY)) return null;
    const cards = await app.script(CARDS);
    return cards.length === 5 ? cards : null;
  });
}

describe("Nuthatch's window", () => {
  test("opens with the cursor in the search box and says how to begin", async () => {
    await app.one("empty-state");
    const input = await app.one("search-input");
    await app.until("focus in the search box", async () =>
      app.script("return document.activeElement === arguments[0]", input),
    );
    await keep("1-empty");
  });
});
