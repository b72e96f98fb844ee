/** A path as a card shows it: the folder may be shortened in the middle, the file name not. */
export interface ShownPath {
  /** From the watched folder's own name on, without a trailing separator; empty for a file of an unknown folder. */
  folder: string;
  file: string;
}

/** The file's name. Both kinds of separator count, because Windows takes both. */
export function fileName(path: string): string {
  return path.slice(lastSeparator(path) + 1);
}

/** `/home/me/Notes/trips/oslo.md` under the root `/home/me/Notes` is `Notes/trips` and `oslo.md`. */
export function shownPath(path: string, roots: readonly string[]): ShownPath {
  const cut = lastSeparator(path);
  const folder = path.slice(0, Math.max(cut, 0));
  const root = roots
    .map((root) => root.replace(/[\\/]+$/, ""))
    .filter((root) => folder === root || folder.startsWith(`${root}/`) || folder.startsWith(`${root}\\`))
    .sort((a, b) => b.length - a.length)[0];
  const shown = root === undefined ? folder : folder.slice(lastSeparator(root) + 1);
  return { folder: shown, file: path.slice(cut + 1) };
}

function lastSeparator(path: string): number {
  return Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
}
