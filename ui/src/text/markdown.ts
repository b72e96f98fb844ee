/**
 * Just enough Markdown to read a note comfortably. Nothing is rewritten, so every block and every mark is a range of
 * the note's own code points and the engine's offsets stay true; syntax is hidden by leaving a range out.
 */
import type { Range } from "../backend/backend";

export type BlockKind = "paragraph" | "heading" | "item" | "quote" | "code" | "meta" | "rule";

export interface Block {
  kind: BlockKind;
  /** Of a heading: 1 to 6. Of a list item: its nesting, from 0. Otherwise 0. */
  level: number;
  /** What is shown, in code points; list bullets, `#` and fences are left out. */
  range: Range;
  /** A list item's own sign: `•`, `3.`, `☐` or `☑`. */
  bullet: string | null;
}

interface Line {
  text: string;
  range: Range;
}

function linesOf(points: readonly string[]): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let i = 0; i <= points.length; i++) {
    if (i === points.length || points[i] === "\n") {
      lines.push({ text: points.slice(start, i).join(""), range: [start, i] });
      start = i + 1;
    }
  }
  return lines;
}

/** Plain text: every stretch between blank lines is a paragraph that keeps its line breaks. */
export function plainBlocks(points: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let open: Block | null = null;
  for (const { text, range } of linesOf(points)) {
    if (text.trim() === "") open = null;
    else if (open) open.range[1] = range[1];
    else blocks.push((open = { kind: "paragraph", level: 0, range, bullet: null }));
  }
  return blocks;
}

export function markdownBlocks(points: readonly string[]): Block[] {
  const blocks: Block[] = [];
  /** The paragraph, quote or item that the next line may continue. */
  let open: Block | null = null;
  let fence: { sign: string; block: Block | null; kind: BlockKind } | null = null;

  const add = (kind: BlockKind, range: Range, level = 0, bullet: string | null = null): Block => {
    const block = { kind, level, range, bullet };
    blocks.push(block);
    return block;
  };

  for (const [at, { text, range }] of linesOf(points).entries()) {
    const [start, end] = range;
    if (fence) {
      if (text.trim().startsWith(fence.sign)) fence = null;
      else if (fence.block) fence.block.range[1] = end;
      else fence.block = add(fence.kind, [start, end]);
      continue;
    }
    // Code points, not UTF-16 units; the syntax itself is ASCII, so its length is the same in both.
    const skip = (syntax: string): Range => [start + syntax.length, end];
    let match: RegExpExecArray | null;
    if (text.trim() === "") {
      open = null;
    } else if (at === 0 && text.trim() === "---") {
      fence = { sign: "---", block: null, kind: "meta" };
    } else if ((match = /^\s*(```|~~~)/.exec(text))) {
      fence = { sign: match[1] ?? "```", block: null, kind: "code" };
      open = null;
    } else if ((match = /^(#{1,6})\s+/.exec(text))) {
      add("heading", skip(match[0]), match[1]?.length ?? 1);
      open = null;
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(text)) {
      add("rule", range);
      open = null;
    } else if ((match = /^(\s*)([-*+]|\d{1,4}[.)])\s+(\[[ xX]\]\s+)?/.exec(text))) {
      const [syntax, indent = "", sign = "", box] = match;
      const bullet = box ? (/x/i.test(box) ? "☑" : "☐") : /\d/.test(sign) ? sign : "•";
      open = add(
        "item",
        skip(syntax),
        Math.min(Math.floor(indent.replace(/\t/g, "  ").length / 2), 4),
        bullet,
      );
    } else if ((match = /^\s*>\s?/.exec(text))) {
      if (open?.kind === "quote") open.range[1] = end;
      else open = add("quote", skip(match[0]));
    } else if (/^\s*\|.*\|\s*$/.test(text)) {
      // A table is shown as code: its columns line up only in a font of fixed width.
      const last = blocks.at(-1);
      if (last?.kind === "code" && last.range[1] === start - 1) last.range[1] = end;
      else add("code", range);
      open = null;
    } else if (open) {
      open.range[1] = end;
    } else {
      open = add("paragraph", range);
    }
  }
  return blocks;
}

export type InlineStyle = "strong" | "emphasis" | "code" | "link" | "syntax";

/** Marks inside a block. Ranges in the layer `syntax` are hidden: asterisks, backquotes, a link's address. */
export function inlineMarks(
  points: readonly string[],
  block: Block,
): { layer: InlineStyle; ranges: Range[] }[] {
  const found: Record<InlineStyle, Range[]> = { strong: [], emphasis: [], code: [], link: [], syntax: [] };
  if (block.kind !== "code" && block.kind !== "meta" && block.kind !== "rule") {
    const text = points.slice(...block.range).join("");
    // Offsets of a match are UTF-16 units: this turns them into code points of the whole note.
    const at = (unit: number) => block.range[0] + codePointsBefore(text, unit);
    const mark = (style: InlineStyle, from: number, to: number) => found[style].push([at(from), at(to)]);
    // First the `>` that a quote repeats on each line, then the marks within a line.
    const grammar =
      /(?<quote>\n\s*>\s?)|(?<code>`[^`\n]+`)|(?<strong>\*\*[^*\n]+\*\*|__[^_\n]+__)|(?<emphasis>\*[^\s*][^*\n]*\*)|(?<wiki>\[\[[^\]\n]+\]\])|(?<link>!?\[[^\]\n]*\]\([^)\n]*\))/g;
    for (const match of text.matchAll(grammar)) {
      const [whole] = match;
      const from = match.index;
      const to = from + whole.length;
      const wrapped = (style: InlineStyle, width: number) => {
        mark("syntax", from, from + width);
        mark(style, from + width, to - width);
        mark("syntax", to - width, to);
      };
      if (match.groups?.quote) mark("syntax", from + 1, to);
      else if (match.groups?.code) wrapped("code", 1);
      else if (match.groups?.strong) wrapped("strong", 2);
      else if (match.groups?.emphasis) wrapped("emphasis", 1);
      else if (match.groups?.wiki) wrapped("link", 2);
      else {
        const label = from + whole.indexOf("[") + 1;
        const close = from + whole.indexOf("](");
        mark("syntax", from, label);
        mark("link", label, close);
        mark("syntax", close, to);
      }
    }
  }
  return Object.entries(found).map(([layer, ranges]) => ({ layer: layer as InlineStyle, ranges }));
}

function codePointsBefore(text: string, unit: number): number {
  let points = 0;
  for (let i = 0; i < unit; points++) i += (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1;
  return points;
}
