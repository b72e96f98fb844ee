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
    score: Number(card.querySelector('[data-testid="hit-score"]').textContent),
    selected: card.getAttribute("aria-selected") === "true",
  }));`;

/** What a screen reader hears once the last stage has landed: "5 notes found". */
const SPOKEN = `return document.querySelector('[aria-label="Results"] [role="status"]').textContent`;

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
  if (notes) await rm(notes, { recursive: true, force: true });
});

/** Whether all animations have ended, except those that never end. */
const AT_REST = `
  return document.getAnimations().every((animation) => animation.effect.getComputedTiming().endTime === Infinity);`;

async function keep(name) {
  await app.until("the cards to come to rest", async () => app.script(AT_REST));
  await writeFile(join(OUT, `${name}.png`), await app.screenshot());
}

/** Types a question in place of the last one and returns the cards of its last stage. */
async function ask(question) {
  const input = await app.one("search-input");
  await input.sendKeys(Key.chord(Key.CONTROL, "a"), Key.BACK_SPACE);
  await app.until("the list to empty", async () => (await app.all("hit-card")).length === 0);
  await input.sendKeys(question);
  await app.until(`an answer to ${question}`, async () => (await app.script(SPOKEN)) === "5 notes found");
  return app.script(CARDS);
}

function ranked(cards) {
  const scores = cards.map((card) => card.score);
  for (const score of scores) assert.ok(score >= 0 && score <= 1, `score ${score}`);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
}

/** Splits the list at the widest gap between scores: how many cards stay, and at what threshold, in hundredths. */
function split(cards) {
  const gaps = cards.slice(1).map((card, at) => cards[at].score - card.score);
  const widest = gaps.indexOf(Math.max(...gaps));
  return { stay: widest + 1, hundredths: Math.round(cards[widest].score * 100) };
}

describe("Nuthatch's window", () => {
  test("opens with the cursor in the search box and says how to begin", async () => {
    await app.one("empty-state");
    await app.one("add-folder");
    const focused = "return document.activeElement?.dataset.testid";
    await app.until("focus in the search box", async () => (await app.script(focused)) === "search-input");
    await keep("1-empty");
  });

  test("reads a folder that is added, and says how far it is", async () => {
    const files = (await readdir(notes, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    await app.invoke("add_folder_path", { path: notes });
    await app.until("the notes in the status line", async () =>
      (await app.text("status-line")).includes(`${files.length} notes`),
    );
    await app.until("the models", async () => {
      const models = await app.invoke("models_state");
      return models.embedder.state !== "loading" && models.reranker.state !== "loading";
    });
    const models = await app.invoke("models_state");
    assert.equal(models.embedder.state, "ready", models.embedder.reason);
    assert.equal(models.reranker.state, "ready", models.reranker.reason);
    await app.until("every passage's vector", async () => {
      const status = await app.invoke("status", { withFiles: true });
      return status.n_chunks > 0 && status.n_vectors === status.n_chunks && status.files.length === 0;
    });
  });

  test("answers an English question with five ranked notes", async () => {
    const cards = await ask("how do I restore a database from its copy");
    ranked(cards);
    assert.ok(cards[0].path.endsWith("sqlite-backup.md"), cards[0].path);
    await keep("2-english");
  });

  test("shows the note around the selected hit, and the arrow keys go through the list", async () => {
    const input = await app.one("search-input");
    await app.until("the passage in the preview", async () => (await app.text("preview-hit")).length > 0);
    const path = `return document.querySelector('[data-testid="preview"] .path')?.title`;
    const [first, second] = await app.script(CARDS);
    assert.ok(first.selected);
    await app.until("the first note", async () => (await app.script(path)) === first.path);
    await input.sendKeys(Key.ARROW_DOWN);
    await app.until("the second note", async () => (await app.script(path)) === second.path);
    assert.deepEqual(
      (await app.script(CARDS)).map((card) => card.selected),
      [false, true, false, false, false],
    );
    await input.sendKeys(Key.ARROW_UP);
    await app.until("the first note again", async () => (await app.script(path)) === first.path);
  });

  test("answers a Chinese question with five ranked notes", async () => {
    const cards = await ask("怎么读取 JSON 文件里的中文");
    ranked(cards);
    assert.ok(cards[0].path.endsWith("json-loading.md"), cards[0].path);
    await keep("3-chinese");
  });

  test("folds away what the threshold excludes, and brings it back", async () => {
    const { stay, hundredths } = split(await app.script(CARDS));
    const slider = await app.one("threshold-slider");
    await slider.sendKeys(Key.HOME + Key.ARROW_RIGHT.repeat(hundredths));
    await app.until(`${stay} cards`, async () => (await app.all("hit-card")).length === stay);
    assert.match(await app.text("below-threshold"), new RegExp(`^\\s*${5 - stay} below your threshold`));
    await keep("4-threshold");
    await slider.sendKeys(Key.HOME);
    await app.until("all five cards", async () => (await app.all("hit-card")).length === 5);
    assert.equal(await app.text("below-threshold"), "");
  });

  test("follows a note through the search, and counts what is indexed", async () => {
    const close = async () => {
      await app.script("document.querySelector('dialog [aria-label=Close]').click()");
      await app.until("no sheet", async () => await app.script("return document.querySelector('dialog') === null"));
    };
    await app.script("document.querySelector('[data-testid=preview] [title^=Follow]').click()");
    await app.until("the last step", async () => (await app.text("why-steps")).includes("shown"));
    await keep("5-why");
    await close();
    await app.script("document.querySelector('[data-testid=status-line] button').click()");
    const said = "return document.querySelector('dialog')?.textContent ?? ''";
    await app.until("the counts", async () => /(\d+) of \1 indexed/.test(await app.script(said)));
    await keep("6-library");
    await close();
  });

  test("keeps what the user says that indexing may use", async () => {
    await app.script("document.querySelector('[data-testid=status-line] button').click()");
    const memory = await app.one("memory-input");
    const refused = "return document.querySelector('dialog [role=alert]')?.textContent ?? ''";
    await memory.clear();
    await memory.sendKeys("50", Key.TAB);
    await app.until("the range", async () => (await app.script(refused)).includes("from 100 to 100,000 MB"));
    await memory.clear();
    await memory.sendKeys("300", Key.TAB);
    const battery = await app.one("battery-checkbox");
    await battery.sendKeys(Key.SPACE);
    await app.until("the settings", async () => {
      const { indexing } = await app.invoke("settings");
      return indexing.memory_mb === 300 && !indexing.pause_on_battery && indexing.threads === null;
    });
    assert.equal(await app.script(refused), "");
    await app.script("document.querySelector('[data-testid=indexing-settings]').scrollIntoView({ block: 'end' })");
    await keep("7-indexing");
    await app.script("document.querySelector('dialog [aria-label=Close]').click()");
    await app.until("no sheet", async () => await app.script("return document.querySelector('dialog') === null"));
  });

  test("forgets a folder that is taken off the list", async () => {
    const [folder] = await app.invoke("folders");
    await app.invoke("remove_folder", { path: folder });
    assert.deepEqual(await app.invoke("folders"), []);
    await app.until("an empty index", async () => {
      const status = await app.invoke("status", { withFiles: false });
      return status.n_chunks === 0;
    });
    await app.one("empty-state");
  });
});
