import type { Backend } from "./backend";

/**
 * Returns the app's engine or, in a plain browser (`npm run dev`) and in a `--mode fake` build, a fake one in memory.
 * An ordinary build does not contain the fake.
 */
export async function chooseBackend(): Promise<Backend> {
  const inBrowser = import.meta.env.DEV && !("__TAURI_INTERNALS__" in window);
  if (import.meta.env.MODE === "fake" || inBrowser) {
    const { FakeBackend, scenarioOf } = await import("./fake");
    return new FakeBackend(scenarioOf(location.search));
  }
  return (await import("./tauri")).tauriBackend;
}
