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
  /** In a control that handles the arrow keys itself: a slider, a choice, a scrolled pane. */
  ownsArrows: boolean;
  /** In a control that handles Enter itself: a button, a choice. */
  ownsEnter: boolean;
}

/** The command that a key stroke gives; null leaves the key to whatever has the focus. */
export function commandFor(
  event: KeyboardEvent,
  { inSearch, ownsArrows, ownsEnter }: KeyContext,
): Command | null {
  // While an input method composes, Enter, Escape and the arrows belong to it. Some engines report it as key 229 only.
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
