import type { Range } from "../backend/backend";

/**
 * The engine counts Unicode code points, JavaScript UTF-16 units: an emoji counts as one for the engine, as two in
 * JavaScript. Code that cuts text at the engine's offsets therefore uses an array of code points.
 */
export function codePoints(text: string): string[] {
  return Array.from(text);
}

/** A stretch of text that no layer's boundary cuts, with the names of the layers that cover it. */
export interface Piece<Layer extends string> {
  text: string;
  layers: ReadonlySet<Layer>;
}

/** Ranges of one kind, e.g. the words of the question. They may overlap, touch, or reach outside. */
export interface LayerRanges<Layer extends string> {
  layer: Layer;
  ranges: readonly Range[];
}

/** Overlapping and touching ranges become one, in order: two neighbouring words of Chinese are one mark. */
function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

/** Cuts `points[from..to]` wherever a range begins or ends. Empty where `from >= to`. */
export function pieces<Layer extends string>(
  points: readonly string[],
  [from, to]: Range,
  layers: readonly LayerRanges<Layer>[],
): Piece<Layer>[] {
  const end = Math.min(to, points.length);
  const merged = layers.map(({ layer, ranges }) => ({ layer, ranges: merge(ranges) }));
  const cuts = new Set([from, end]);
  for (const { ranges } of merged) {
    for (const range of ranges) {
      for (const cut of range) {
        if (cut > from && cut < end) cuts.add(cut);
      }
    }
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  const result: Piece<Layer>[] = [];
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [start, stop] = [sorted[i] ?? 0, sorted[i + 1] ?? 0];
    const covering = merged.filter(({ ranges }) => ranges.some(([a, b]) => a <= start && stop <= b));
    result.push({
      text: points.slice(start, stop).join(""),
      layers: new Set(covering.map(({ layer }) => layer)),
    });
  }
  return result;
}
