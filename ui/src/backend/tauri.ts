/** The app behind the window. Apart from the generated {@link "./bindings"}, this is the only file that uses Tauri. */

import { Channel } from "@tauri-apps/api/core";
import { getCurrentWebview } from "@tauri-apps/api/webview";
import type { Backend, FolderDrag } from "./backend";
import { commands, events } from "./bindings";

export const tauriBackend: Backend = {
  async search(queryId, query, candidates, readAll, onEvent) {
    await commands.search(queryId, query, candidates, readAll, new Channel(onEvent));
  },

  folders: commands.folders,
  addFolder: commands.addFolder,
  addFolderPath: commands.addFolderPath,
  async removeFolder(path) {
    await commands.removeFolder(path);
  },

  status: commands.status,
  retry: commands.retry,
  async forgetFolder(path) {
    await commands.forgetFolder(path);
  },
  why: commands.why,
  pickFile: commands.pickFile,
  preview: commands.preview,
  async openFile(path) {
    await commands.openFile(path);
  },
  async revealFile(path) {
    await commands.revealFile(path);
  },

  settings: commands.settings,
  async setCandidates(n) {
    await commands.setCandidates(n);
  },
  setIndexing: commands.setIndexing,
  modelsState: commands.modelsState,

  onIndexProgress: (listener) => events.indexProgress.listen((event) => listener(event.payload)),
  onModelsChanged: (listener) => events.modelsChanged.listen((event) => listener(event.payload)),
  onIndexingChanged: (listener) => events.indexingChanged.listen(() => listener()),
  onFolderDrag: (listener) =>
    getCurrentWebview().onDragDropEvent(({ payload }) => {
      const drag: FolderDrag =
        payload.type === "drop"
          ? { kind: "dropped", paths: payload.paths }
          : { kind: payload.type === "leave" ? "left" : "over" };
      listener(drag);
    }),
};
