import type { Backend } from "./backend";

/**
 * The app's engine; in a plain browser (`npm run dev`) or a `--mode fake` build, notes made up in memory. An
 * ordinary build holds no fake at all.
 */
export async function chooseBackend(): Promise<Backend> {
  const inBrowser = import.meta.env.DEV && !("__TAURI_INTERNALS__" in window);
  if (import.meta.env.MODE === "fake" || inBrowser) {
    const { FakeBackend, scenarioOf } = await import("./fake");
    return new FakeBackend(scenarioOf(location.search));
  }
  return (await import("./tauri")).tauriBackend;
}
