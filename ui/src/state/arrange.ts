import type { Hit } from "../backend/backend";

/** A hit on screen. Cards of two lists are the same card when their keys are equal. */
export interface Card {
  key: string;
  hit: Hit;
  /** Held on screen because the user is on it, though the newest list no longer has it. */
  dropped: boolean;
}

export function keyOf(hit: Hit): string {
  return `${hit.span[0]}-${hit.span[1]}:${hit.path}`;
}

/**
 * The next stage's hits, laid out so that a card the user is on (selected, or under the pointer) stays where it is:
 * nobody opens the wrong note because a list changed under their hand. The others fill the slots in rank order. A
 * held file whose best passage changed shows the new one; one that fell out of the list stays until let go.
 */
export function arrange(shown: readonly Card[], hits: readonly Hit[], held: ReadonlySet<string>): Card[] {
  const fresh = hits.map((hit) => ({ key: keyOf(hit), hit, dropped: false }));
  const slots: (Card | undefined)[] = [];
  const placed = new Set<Card>();
  for (const [slot, card] of shown.entries()) {
    if (!held.has(card.key)) continue;
    const same =
      fresh.find(({ key }) => key === card.key) ?? fresh.find(({ hit }) => hit.path === card.hit.path);
    slots[slot] = same ?? { ...card, dropped: true };
    if (same) placed.add(same);
  }
  const rest = fresh.filter((card) => !placed.has(card));
  const result: Card[] = [];
  for (let slot = 0; slot < slots.length || rest.length > 0; slot++) {
    const card = slots[slot] ?? rest.shift();
    if (card) result.push(card);
  }
  return result;
}

/** The element id of a card: keys hold paths, whose spaces `aria-activedescendant` would take for separators. */
export function optionId(card: Card): string {
  return `hit-${encodeURIComponent(card.key)}`;
}
