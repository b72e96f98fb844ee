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
  /** In a control that the arrows work: a slider, a choice, a scrolled pane. */
  ownsArrows: boolean;
  /** In a control that Enter works: a button, a choice. */
  ownsEnter: boolean;
}

/** Null leaves the key to whatever has the focus. */
export function commandFor(
  event: KeyboardEvent,
  { inSearch, ownsArrows, ownsEnter }: KeyContext,
): Command | null {
  // While an input method composes, Enter, Escape and the arrows are its own; some engines only say 229.
  if (event.isComposing || event.keyCode === 229) return null;
  const primary = event.ctrlKey || event.metaKey;
  if (primary && event.key.toLowerCase() === "k") return { kind: "focus", select: true };
  if (event.key === "/" && !inSearch && !primary && !event.altKey) return { kind: "focus", select: false };
  if (event.key === "Escape") return { kind: "clear" };
  switch (event.key) {
    case "ArrowDown":
      return ownsArrows ? null : { kind: "move", by: 1 };
    case "ArrowUp":
      return ownsArrows ? null : { kind: "move", by: -1 };
    case "Enter":
      if (ownsEnter) return null;
      return primary ? { kind: "reveal" } : { kind: "open" };
    default:
      return null;
  }
}
