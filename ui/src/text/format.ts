import type { Degraded, IndexProgress, ModelsState, Pause, Place, RootStatus } from "../backend/backend";

const wholeNumber = new Intl.NumberFormat("en");

/** 8012 is `8,012`. */
export function count(n: number): string {
  return wholeNumber.format(n);
}

/** `1 note`, `2 notes`. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : plural}`;
}

/** Milliseconds as a person reads them: `4 ms`, `310 ms`, `1.3 s`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 1) return "<1 ms";
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Two digits, never rounded up to a certainty the model did not claim: 0.996 is `0.99`. */
export function score(value: number): string {
  const clamped = Math.min(Math.max(value, 0), 1);
  // The epsilon makes up for binary fractions: 0.29 * 100 is 28.999….
  return (Math.floor(clamped * 100 + 1e-4) / 100).toFixed(2);
}

export function size(bytes: number): string {
  const mb = bytes / 1e6;
  return mb < 1
    ? `${Math.ceil(bytes / 1e3)} kB`
    : mb < 1000
      ? `${mb.toFixed(1)} MB`
      : `${(mb / 1000).toFixed(1)} GB`;
}

/** `421 notes, 3 skipped, 1 unreadable`. */
export function notesText(roots: readonly RootStatus[]): string {
  if (roots.length === 0) return "No folder yet";
  const sum = (of: (root: RootStatus) => number) => roots.reduce((total, root) => total + of(root), 0);
  const found = sum((root) => root.indexed + root.waiting + root.offline);
  return [
    counted(found, "note"),
    ...restText(
      sum((root) => root.skipped),
      sum((root) => root.failed),
    ),
  ].join(", ");
}

/** `421 of 425 indexed, 3 skipped, 1 unreadable`. */
export function folderText({ files, indexed, waiting, skipped, failed, offline }: RootStatus): string {
  const parts = [`${count(indexed)} of ${count(files)} indexed`];
  if (waiting > 0) parts.push(`${count(waiting)} waiting`);
  if (offline > 0) parts.push(`${count(offline)} out of reach`);
  return [...parts, ...restText(skipped, failed)].join(", ");
}

function restText(skipped: number, failed: number): string[] {
  const parts = [];
  if (skipped > 0) parts.push(`${count(skipped)} skipped`);
  if (failed > 0) parts.push(`${count(failed)} unreadable`);
  return parts;
}

/** What indexing is doing now; null when it is done. */
export function progressText({ phase, done, total }: IndexProgress): string | null {
  switch (phase) {
    case "scanning":
      return "Looking through your folders";
    case "text":
      return `Reading notes: ${count(done)} of ${count(total)}`;
    case "vectors":
      return `Learning what they mean: ${count(done)} of ${counted(total, "passage")}`;
    case "done":
      return null;
  }
}

/** Why no vectors are made now. */
export function pauseText(pause: Pause): string {
  switch (pause) {
    case "on_battery":
      return "On battery: learning what notes mean waits for the power, words find them already";
  }
}

/** What an answer had to do without. */
export function degradedText(degraded: Degraded): string {
  switch (degraded.kind) {
    case "damaged":
      return `Part of the index is damaged and is being made anew: ${degraded.reason}`;
    case "no_embedder":
      return `Found by words only: ${degraded.reason}`;
    case "embedder_failed":
      return `Found by words only: ${degraded.reason}`;
    case "reranker_failed":
      return `Not all reranked: ${degraded.reason}`;
    case "no_reranker":
      return `Not reranked: ${degraded.reason}`;
    case "not_calibrated":
      return `Scores of ${degraded.reranker} with ${degraded.embedder} are rough: “nuthatch models calibrate” fits them, in minutes`;
    case "vectors_pending":
      return `${count(degraded.embedded)} of ${counted(degraded.chunks, "passage")} can be found by meaning so far, the rest by words only`;
  }
}

/** What the models cannot do now, in few words (every answer gives the reason); null when both are ready. */
export function modelsText({ embedder, reranker }: ModelsState): string | null {
  if (embedder.state === "missing") return "No meaning model: found by words only";
  if (reranker.state === "missing") return "No reranking model";
  if (embedder.state === "loading" || reranker.state === "loading")
    return "Models are loading; words work already";
  return null;
}

/** Where in a file a passage stands, as people say it; null for a line, which says little outside an editor. */
export function placeText(place: Place | null): string | null {
  switch (place?.kind) {
    case "page":
      return `p. ${place.number}`;
    case "slide":
      return `slide ${place.number}`;
    case "cells":
      return `${place.sheet}!${place.cells}`;
    case "chapter":
      return place.title;
    case "notebook_cell":
      return `cell ${place.number}`;
    case "time": {
      const two = (n: number) => String(n).padStart(2, "0");
      const minutes = Math.floor(place.seconds / 60);
      return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(place.seconds % 60)}`;
    }
    default:
      return null;
  }
}
