import type { Range } from "../backend/backend";

/**
 * The engine counts Unicode code points, JavaScript UTF-16 units: an emoji is one there and two here. Everything
 * that cuts text at the engine's offsets therefore goes through an array of code points.
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

/** Cuts `points[from..to]` wherever a range begins or ends. Empty where `from >= to`. */
export function pieces<Layer extends string>(
  points: readonly string[],
  [from, to]: Range,
  layers: readonly LayerRanges<Layer>[],
): Piece<Layer>[] {
  const end = Math.min(to, points.length);
  const cuts = new Set([from, end]);
  for (const { ranges } of layers) {
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
    const covering = layers.filter(({ ranges }) => ranges.some(([a, b]) => a <= start && stop <= b));
    result.push({
      text: points.slice(start, stop).join(""),
      layers: new Set(covering.map(({ layer }) => layer)),
    });
  }
  return result;
}
