/** What a key stroke asks for. */
export type Command =
  | { kind: "move"; by: number }
  | { kind: "open" }
  | { kind: "reveal" }
  | { kind: "clear" }
  | { kind: "focus"; select: boolean };

/** Where the stroke happened. */
export interface KeyContext {
  /** In the search box. */
  inSearch: boolean;
  /** In anything that keeps its own keys: a slider, a choice, a button, a scrolled pane, an open dialog. */
  inControl: boolean;
}

/** Null leaves the key to whatever has the focus. */
export function commandFor(event: KeyboardEvent, { inSearch, inControl }: KeyContext): Command | null {
  // While an input method composes, Enter, Escape and the arrows are its own; some engines only say 229.
  if (event.isComposing || event.keyCode === 229) return null;
  const primary = event.ctrlKey || event.metaKey;
  if (primary && event.key.toLowerCase() === "k") return { kind: "focus", select: true };
  if (event.key === "/" && !inSearch && !primary && !event.altKey) return { kind: "focus", select: false };
  if (event.key === "Escape") return { kind: "clear" };
  if (inControl) return null;
  switch (event.key) {
    case "ArrowDown":
      return { kind: "move", by: 1 };
    case "ArrowUp":
      return { kind: "move", by: -1 };
    case "Enter":
      return primary ? { kind: "reveal" } : { kind: "open" };
    default:
      return null;
  }
}
