import { cleanup, fireEvent, render, screen, within } from "@testing-library/svelte";
import { tick } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import App from "$ui/App.svelte";
import { FakeBackend, scenarioOf } from "$ui/backend/fake";
import { hits, NO_FILES, ScriptedBackend } from "./scripted";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

/** Lets timers and promises run for `ms` milliseconds. */
async function wait(ms: number) {
  await vi.advanceTimersByTimeAsync(ms);
  await tick();
}

async function open<B extends FakeBackend | ScriptedBackend>(backend: B): Promise<B> {
  render(App, { backend });
  await wait(0);
  return backend;
}

const box = () => screen.getByTestId<HTMLInputElement>("search-input");
const cards = () => screen.queryAllByTestId("hit-card");
const titles = () => cards().map((card) => card.dataset["path"]?.replace("/notes/", "").replace(".md", ""));
const selected = () => cards().filter((card) => card.getAttribute("aria-selected") === "true");

async function ask(query: string) {
  await fireEvent.input(box(), { target: { value: query } });
  await wait(100);
}

async function slide(to: number) {
  await fireEvent.input(screen.getByTestId("threshold-slider"), {
    target: { value: String(to) },
  });
}

test("the window says when probably nothing answers", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("zebra");
  backend.last.land("rerank", hits("ab"), { nothingAnswers: true });
  await tick();
  expect(screen.getByTestId("nothing-answers").textContent).toContain("Probably nothing here answers this");
  expect(titles()).toEqual(["a", "b"]);
  await ask("bread");
  backend.last.land("rerank", hits("ab"));
  await tick();
  expect(screen.queryByTestId("nothing-answers")).toBeNull();
});

test("the box has the focus, and gets it back by Ctrl+K, / and Escape", async () => {
  await open(new ScriptedBackend());
  expect(document.activeElement).toBe(box());
  const slider = screen.getByTestId("threshold-slider");
  for (const key of [
    { key: "k", ctrlKey: true },
    { key: "k", metaKey: true },
    { key: "/" },
    { key: "Escape" },
  ]) {
    slider.focus();
    await fireEvent.keyDown(slider, key);
    expect(document.activeElement).toBe(box());
  }
});

test("the first run asks for one thing: a folder", async () => {
  await open(new FakeBackend(scenarioOf("?scenario=first-run")));
  expect(screen.getByTestId("empty-state")).toBeTruthy();
  expect(screen.queryByTestId("threshold-slider")).toBeNull();
  await fireEvent.click(screen.getByTestId("add-folder"));
  await wait(0);
  expect(screen.queryByTestId("empty-state")).toBeNull();
  expect(screen.getByTestId("status-line").textContent).toContain("421 notes, 3 skipped");
});

test("a folder dropped onto the window is watched, a file is refused with what to do", async () => {
  const backend = await open(new FakeBackend(scenarioOf("?scenario=first-run")));
  backend.drag({ kind: "dropped", paths: ["/home/mei/a.md"] });
  await wait(0);
  expect(screen.getByRole("alert").textContent).toContain("give the folder it lies in");
  expect(screen.getByTestId("empty-state")).toBeTruthy();
  backend.drag({ kind: "dropped", paths: ["/home/mei/Diary"] });
  await wait(0);
  expect(await backend.folders()).toEqual(["/home/mei/Diary"]);
  expect(screen.queryByTestId("empty-state")).toBeNull();
});

test("five cards with rank, title, path, score and marked words", async () => {
  await open(new FakeBackend());
  await ask("why was the bread dense");
  await wait(1000);
  expect(cards()).toHaveLength(5);
  const first = cards()[0];
  expect(first?.dataset["path"]).toBe("/home/mei/Notes/home/sourdough.md");
  expect(first?.textContent).toContain("Sourdough, what finally worked");
  expect(first?.textContent).toContain("Notes/home/sourdough.md");
  expect(first?.querySelector("mark")?.textContent).toBe("dense");
  const scores = screen.getAllByTestId("hit-score").map((score) => Number(score.textContent));
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(scores[0]).toBeGreaterThan(0.5);
});

test("a Chinese question finds, marks and previews by code points", async () => {
  await open(new FakeBackend());
  await ask("红叶");
  await wait(1000);
  expect(cards()[0]?.dataset["path"]).toContain("京都三日");
  expect(cards()[0]?.querySelector("mark")?.textContent).toBe("红叶");
  expect(screen.getByTestId("preview-hit").textContent).toContain("东福寺看红叶");
  expect(screen.getByTestId("preview").querySelector("mark")?.textContent).toBe("红叶");
});

test("copies are one card that lists the others on demand and opens them", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  const copies = ["/notes/old/a.md", "/notes/backup/a.md"];
  backend.last.land(
    "rerank",
    hits("ab").map((hit) => (hit.rank === 1 ? { ...hit, copies } : hit)),
  );
  await wait(0);
  expect(screen.getAllByTestId("copies").map((control) => control.textContent)).toEqual(["and 2 copies"]);
  expect(screen.queryByTestId("copy-list")).toBeNull();
  await fireEvent.click(screen.getByTestId("copies"));
  const listed = within(screen.getByTestId("copy-list")).getAllByRole("button");
  expect(listed.map((copy) => copy.title)).toEqual(copies);
  for (const copy of listed) await fireEvent.click(copy);
  expect(backend.opened).toEqual(copies);
  await fireEvent.click(screen.getByTestId("copies"));
  expect(screen.queryByTestId("copy-list")).toBeNull();
});

test("a file that was not read stands first with its reason, has no score, and opens", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("a");
  const unread = { score: null, unread: "it holds no text: a scan" };
  backend.last.land(
    "rerank",
    hits("ab", [0, 0.2]).map((hit) => (hit.rank === 1 ? { ...hit, ...unread } : hit)),
  );
  await wait(0);
  expect(screen.getByTestId("unread").textContent).toBe("Not read: it holds no text: a scan");
  expect(screen.getAllByTestId("hit-score")).toHaveLength(1);
  expect(screen.getByTestId("preview").textContent).toContain("it holds no text: a scan");
  await slide(50);
  expect(titles()).toEqual(["a"]);
  await fireEvent.keyDown(box(), { key: "Enter" });
  expect(backend.opened).toEqual(["/notes/a.md"]);
});

test("a card keeps its element while the stages replace the list", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("lexical", hits("abc"));
  await wait(0);
  const before = cards().find((card) => card.dataset["path"] === "/notes/b.md");
  backend.last.land("rerank", hits("bca"));
  await wait(0);
  expect(titles()).toEqual(["b", "c", "a"]);
  expect(cards()[0]).toBe(before);
});

test("the keyboard chooses, opens and reveals", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("rerank", hits("abc"));
  await wait(0);
  expect(box().getAttribute("aria-activedescendant")).toBe(selected()[0]?.id);
  await fireEvent.keyDown(box(), { key: "ArrowDown" });
  expect(box().getAttribute("aria-activedescendant")).toBe(cards()[1]?.id);
  await fireEvent.keyDown(box(), { key: "Enter" });
  await fireEvent.keyDown(box(), { key: "ArrowDown" });
  await fireEvent.keyDown(box(), { key: "Enter", metaKey: true });
  await fireEvent.keyDown(box(), { key: "Enter", ctrlKey: true });
  expect(backend.opened).toEqual(["/notes/b.md"]);
  expect(backend.revealed).toEqual(["/notes/c.md", "/notes/c.md"]);
  await fireEvent.keyDown(box(), { key: "Escape" });
  expect([box().value, cards().length]).toEqual(["", 0]);
});

test("keys that an input method uses are left to it", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("rerank", hits("abc"));
  await wait(0);
  await fireEvent.compositionStart(box());
  await fireEvent.input(box(), { target: { value: "bread sou" } });
  await fireEvent.keyDown(box(), { key: "ArrowDown", isComposing: true });
  await fireEvent.keyDown(box(), { key: "Enter", isComposing: true });
  await fireEvent.keyDown(box(), { key: "Enter", keyCode: 229 });
  await fireEvent.keyDown(box(), { key: "Escape", isComposing: true });
  await wait(1000);
  expect(backend.searches).toHaveLength(1);
  expect(backend.opened).toEqual([]);
  expect(selected()[0]).toBe(cards()[0]);
  await fireEvent.input(box(), { target: { value: "bread 搜索" } });
  await fireEvent.compositionEnd(box());
  await wait(100);
  expect(backend.last.query).toBe("bread 搜索");
});

test("the threshold of the settings is where the slider begins, and what a missed note is asked about", async () => {
  const backend = new ScriptedBackend();
  backend.threshold = 0.5;
  backend.picked = "/notes/e.md";
  await open(backend);
  await ask("bread");
  backend.last.land("rerank", hits("abcde", [0.9, 0.7, 0.4, 0.3, 0.1]));
  await wait(0);
  expect(titles()).toEqual(["a", "b"]);
  await fireEvent.click(screen.getByTestId("miss"));
  await wait(0);
  expect(backend.asked.at(-1)?.[0].threshold).toBe(0.5);
});

test("the slider shrinks the list, says by how much, and shows the rest by wish", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("rerank", hits("abcde", [0.9, 0.7, 0.4, 0.3, 0.1]));
  await wait(0);
  expect(screen.queryByTestId("below-threshold")).toBeNull();
  await slide(0.5);
  expect(titles()).toEqual(["a", "b"]);
  const text = screen.getByTestId("below-threshold");
  expect(text.textContent?.replace(/\s+/g, " ")).toContain("3 below your threshold");
  await fireEvent.click(screen.getByRole("button", { name: "Show" }));
  expect(titles()).toEqual(["a", "b", "c", "d", "e"]);
  await fireEvent.click(screen.getByRole("button", { name: "Hide" }));
  await slide(0.95);
  expect(cards()).toHaveLength(0);
  expect(screen.getByText("Nothing reaches your threshold")).toBeTruthy();
  await fireEvent.click(screen.getByRole("button", { name: "Show them" }));
  expect(cards()).toHaveLength(5);
  expect(backend.searches).toHaveLength(1);
});

test("what fails in the panel is said in the panel, which covers the window", async () => {
  const backend = new ScriptedBackend();
  backend.addFolder = () => Promise.reject({ kind: "is_data_dir", message: "choose another folder" });
  await open(backend);
  await fireEvent.click(screen.getByTitle("Folders, and what is not indexed"));
  await fireEvent.click(screen.getByTestId("panel-add-folder"));
  await wait(0);
  expect(screen.getByRole("dialog").contains(screen.getByRole("alert"))).toBe(true);
  expect(screen.getByRole("alert").textContent).toContain("choose another folder");
  await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByRole("alert")).toBeNull();
});

test("no answer says so, and what to try", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("zebra");
  backend.last.land("lexical", []);
  await wait(0);
  expect(screen.queryByText(/No note answers/)).toBeNull();
  backend.last.land("rerank", []);
  await wait(0);
  expect(screen.getByText("No note answers “zebra”")).toBeTruthy();
  expect(screen.getByText(/fewer words/)).toBeTruthy();
});

test("an engine's failure is shown as it is", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.fail("index", "the index in /x failed: delete that folder to build it anew");
  await wait(0);
  expect(screen.getByRole("alert").textContent).toContain("delete that folder to build it anew");
});

test("without models the window says what is missing and still finds by words", async () => {
  await open(new FakeBackend(scenarioOf("?scenario=words-only")));
  await ask("tomatoes");
  await wait(1000);
  expect(cards()[0]?.dataset["path"]).toContain("tomatoes");
  expect(screen.getByText(/^Found by words only: /)).toBeTruthy();
  expect(screen.getByText(/^Not reranked: /)).toBeTruthy();
  expect(screen.getByTestId("status-line").textContent).toContain("No meaning model");
});

test("the status line follows indexing", async () => {
  const fake = await open(new FakeBackend());
  const status = () => screen.getByTestId("status-line").textContent;
  fake.report({ phase: "text", done: 120, total: 421, current: null });
  await wait(0);
  expect(status()).toContain("Reading notes: 120 of 421");
  fake.report({ phase: "done", done: 421, total: 421, current: null });
  await wait(0);
  expect(status()).not.toContain("Reading notes");
  expect(status()).toContain("421 notes");
});

test("a folder that the command line added ends the first run", async () => {
  const backend = new ScriptedBackend();
  backend.watched = [];
  await open(backend);
  expect(screen.getByTestId("empty-state")).toBeTruthy();
  backend.watched = ["/notes"];
  for (let run = 0; run < 2; run++) backend.report("done", 1, 1);
  await wait(0);
  expect(screen.queryByTestId("empty-state")).toBeNull();
});

test("folders that cannot be followed are said in the status line", async () => {
  const backend = new ScriptedBackend();
  const status = await backend.status();
  backend.status = async () => ({
    ...status,
    indexing: { state: "missing", reason: "held by another Nuthatch" },
  });
  await open(backend);
  expect(screen.getByTestId("status-line").textContent).toContain("held by another Nuthatch");
});

test("notes that changed are asked again without touching the list until the last stage", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("rerank", hits("abc"));
  await wait(0);
  backend.report("scanning", 0, 0);
  backend.report("done", 3, 3);
  await wait(0);
  expect(backend.searches).toHaveLength(1);
  backend.generation += 1;
  backend.report("scanning", 0, 0);
  await wait(0);
  expect(backend.searches).toHaveLength(2);
  backend.last.land("lexical", hits("xyz"));
  await wait(0);
  expect(titles()).toEqual(["a", "b", "c"]);
  backend.last.land("rerank", hits("dab"));
  await wait(0);
  expect(titles()).toEqual(["d", "a", "b"]);
});

test("the candidates choice shows what each number cost", async () => {
  const backend = await open(new ScriptedBackend());
  const select = screen.getByTestId<HTMLSelectElement>("candidates-select");
  const labels = () => [...select.options].map((option) => option.text.trim());
  expect([select.value, ...labels()]).toEqual(["100", "20", "50", "100", "200"]);
  await ask("bread");
  backend.last.land("rerank", hits("abc"), { rerankMs: 310 });
  await wait(0);
  expect(labels()).toEqual(["20", "50", "100 · 310 ms", "200"]);
  await fireEvent.change(select, { target: { value: "20" } });
  expect(backend.last.candidates).toBe(20);
  backend.last.land("rerank", hits("abc"), { rerankMs: 71 });
  await wait(0);
  expect(labels()).toEqual(["20 · 71 ms", "50", "100 · 310 ms", "200"]);
});

test("the preview follows the selection, reads a note once, and skips those run past", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("lexical", hits("abcde"));
  await wait(200);
  backend.last.land("rerank", hits("abcde"));
  await wait(200);
  expect(backend.previewed).toEqual(["/notes/a.md"]);
  for (let i = 0; i < 3; i++) await fireEvent.keyDown(box(), { key: "ArrowDown" });
  await wait(200);
  expect(backend.previewed).toEqual(["/notes/a.md", "/notes/d.md"]);
  expect(screen.getByTestId("preview-hit").textContent).toBe("The text of /notes/d.md");
});

test("a provisional score looks and reads so until reranked", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("bread");
  backend.last.land("lexical", hits("a"));
  await wait(0);
  expect(cards()[0]?.textContent).toContain("provisional score");
  backend.last.land("rerank", hits("a", [0.83]));
  await wait(0);
  expect(cards()[0]?.textContent).not.toContain("provisional");
  expect(screen.getByTestId("hit-score").textContent).toBe("0.83");
});

test("what scores and candidates are, and are not, is said beside them", async () => {
  await open(new FakeBackend());
  const tips = screen.getAllByRole("tooltip").map((tip) => tip.textContent?.replace(/\s+/g, " "));
  expect(tips.join()).toContain("Scores are a model's estimate, not proof");
  expect(tips.join()).toContain(
    "Reranking orders what recall found; more candidates cost time and are not always better",
  );
});

test("the panel lists folders, what was left out and why, and lets a folder go after asking", async () => {
  const backend = await open(new FakeBackend());
  await fireEvent.click(screen.getByTitle("Folders, and what is not indexed"));
  await wait(0);
  const dialog = screen.getByRole("dialog");
  expect(dialog.textContent).toContain("/home/mei/Notes");
  expect(dialog.textContent).toContain("Unreadable: the file is damaged: no page table");
  expect(dialog.textContent).toContain("Notes/inbox/scan-0031.png");
  await fireEvent.click(screen.getByRole("button", { name: "Remove /home/mei/Notes" }));
  expect(await backend.folders()).toHaveLength(1);
  await fireEvent.click(screen.getByRole("button", { name: "Stop watching" }));
  await wait(0);
  expect(await backend.folders()).toHaveLength(0);
  expect(screen.getByTestId("empty-state")).toBeTruthy();
});

/** Opens the library panel and returns it. */
async function openPanel(): Promise<HTMLElement> {
  await fireEvent.click(screen.getByTitle("Folders, and what is not indexed"));
  await wait(0);
  return screen.getByRole("dialog");
}

test("the panel counts what is not indexed by reason, and reads the unreadable again", async () => {
  const backend = new ScriptedBackend();
  backend.found = {
    roots: [{ ...NO_FILES, path: "/notes", files: 501, indexed: 423, failed: 8, skipped: 70 }],
    reasons: [
      { state: "skipped", reason: "left out by .gitignore: *.log", files: 70 },
      { state: "failed", reason: "it is encrypted", files: 8 },
    ],
    files: [{ path: "/notes/a.pdf", state: "failed", reason: "it is encrypted", at: 0 }],
  };
  await open(backend);
  const panel = await openPanel();
  expect(panel.textContent).toContain("423 of 501 indexed, 70 skipped, 8 unreadable");
  const reasons = [...panel.querySelectorAll("summary")].map((row) => row.textContent?.trim());
  expect(reasons).toEqual(["Unreadable: it is encrypted 8", "Skipped: left out by .gitignore: *.log 70"]);
  expect(panel.textContent).toContain("a.pdf");
  expect(panel.textContent).toContain("and 7 more");
  await fireEvent.click(screen.getByText("Read the unreadable again"));
  await wait(0);
  expect(backend.retried).toEqual([[]]);
});

test("a folder that is away keeps its notes until the user says otherwise", async () => {
  const backend = new ScriptedBackend();
  backend.found = {
    roots: [{ ...NO_FILES, path: "/notes", files: 12, offline: 12, away: "the drive is not connected" }],
  };
  await open(backend);
  const panel = await openPanel();
  expect(panel.textContent).toContain("the drive is not connected: its notes are kept, and found");
  await fireEvent.click(screen.getByText("Forget them"));
  await wait(0);
  expect(backend.forgotten).toEqual(["/notes"]);
});

test("what keeps a folder from being followed is said, with what to do", async () => {
  const backend = new ScriptedBackend();
  const said = "The system watches no more folders. Raise fs.inotify.max_user_watches.";
  backend.found = { problems: [said] };
  await open(backend);
  expect(screen.getByTestId("status-line").textContent).toContain(said);
  expect((await openPanel()).textContent).toContain(said);
});

test("what indexing may use is set in the panel, with its ranges", async () => {
  const backend = await open(new ScriptedBackend());
  await openPanel();
  const memory = screen.getByTestId<HTMLInputElement>("memory-input");
  const threads = screen.getByTestId<HTMLSelectElement>("threads-select");
  const battery = screen.getByTestId<HTMLInputElement>("battery-checkbox");
  expect([memory.value, memory.min, memory.max]).toEqual(["600", "100", "100000"]);
  const choices = [...threads.options].map((option) => option.text);
  expect([threads.value, ...choices]).toEqual(["12", "all 4", "1", "2", "3", "4", "12"]);
  expect(battery.checked).toBe(true);

  for (const typed of ["99", "100001", "250.5", ""]) {
    await fireEvent.change(memory, { target: { value: typed } });
    expect(screen.getByRole("alert").textContent).toContain(
      "Memory: give a whole number from 100 to 100,000 MB",
    );
  }
  expect(backend.limits).toEqual([]);
  await fireEvent.change(memory, { target: { value: "250" } });
  await wait(0);
  expect(screen.queryByRole("alert")).toBeNull();
  await fireEvent.change(threads, { target: { value: "2" } });
  await wait(0);
  await fireEvent.change(threads, { target: { value: "0" } });
  await wait(0);
  await fireEvent.click(battery);
  await wait(0);
  expect(backend.limits).toEqual([
    { memory_mb: 250, threads: 12, pause_on_battery: true },
    { memory_mb: 250, threads: 2, pause_on_battery: true },
    { memory_mb: 250, threads: null, pause_on_battery: true },
    { memory_mb: 250, threads: null, pause_on_battery: false },
  ]);
});

test("settings changed faster than they are saved do not take one another back", async () => {
  const backend = new ScriptedBackend();
  const save = backend.setIndexing.bind(backend);
  const delays = [20, 5, 0];
  backend.setIndexing = async (limits) => {
    await wait(delays.shift() ?? 0);
    return save(limits);
  };
  await open(backend);
  await openPanel();
  await fireEvent.change(screen.getByTestId("memory-input"), { target: { value: "300" } });
  await fireEvent.click(screen.getByTestId("battery-checkbox"));
  await fireEvent.change(screen.getByTestId("threads-select"), { target: { value: "2" } });
  await vi.waitFor(() => expect(backend.limits.length).toBe(3));
  expect(backend.limits.at(-1)).toEqual({ memory_mb: 300, threads: 2, pause_on_battery: false });
});

test("a setting that the engine refuses is named in the panel", async () => {
  const backend = new ScriptedBackend();
  backend.setIndexing = () => Promise.reject({ kind: "settings", message: "memory_mb = 300: give less" });
  await open(backend);
  await openPanel();
  await fireEvent.change(screen.getByTestId("memory-input"), { target: { value: "300" } });
  await wait(0);
  expect(screen.getByRole("alert").textContent).toContain("memory_mb = 300");
});

test("vectors that wait for the power are said, with the way to the setting that ends it", async () => {
  await open(new FakeBackend(scenarioOf("?scenario=on-battery")));
  await fireEvent.click(screen.getByText(/^On battery: learning what notes mean waits for the power/));
  await wait(0);
  await fireEvent.click(screen.getByTestId("battery-checkbox"));
  await wait(0);
  expect(screen.queryByText(/^On battery/)).toBeNull();
});

test("a note that is missed is followed through the search, as the window asks it", async () => {
  const backend = new ScriptedBackend();
  backend.picked = "/notes/missed.md";
  backend.answer = {
    shown: false,
    steps: ["It is indexed.", "Its rank is 130."],
    advice: ["Raise the candidates."],
  };
  await open(backend);
  await ask("tea");
  backend.last.land("rerank", hits("ab"));
  await tick();
  await slide(0.4);
  await fireEvent.click(screen.getByTestId("miss"));
  await wait(0);
  expect(backend.asked).toEqual([[{ query: "tea", candidates: 100, threshold: 0.4 }, "/notes/missed.md"]]);
  const sheet = screen.getByRole("dialog");
  expect(sheet.textContent).toContain("Why it is not shown");
  expect(screen.getByTestId("why-steps").textContent).toBe("It is indexed.Its rank is 130.");
  expect(screen.getByTestId("why-advice").textContent).toBe("Raise the candidates.");
  await fireEvent.click(screen.getByLabelText("Close"));
  await wait(0);
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("a card says at which page its passage stands, and when its file has changed since", async () => {
  const backend = await open(new ScriptedBackend());
  await ask("tea");
  const [first, second] = hits("ab");
  if (!first || !second) throw new Error("two hits");
  backend.last.land("rerank", [
    { ...first, place: { kind: "page", number: 3 } },
    { ...second, stale: true },
  ]);
  await tick();
  expect(
    cards().map((card) => card.querySelector(".path")?.textContent?.replace(/\s+/g, " ").trim()),
  ).toEqual(["notes/a.mdp. 3", "notes/b.md changed since it was read"]);
});
