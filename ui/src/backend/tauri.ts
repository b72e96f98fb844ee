/** The app behind the window. The only file that knows Tauri. */

import { Channel, invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { getCurrentWebview } from "@tauri-apps/api/webview";
import type { Backend, FolderDrag, IndexProgress, ModelsState, SearchEvent } from "./backend";

export const tauriBackend: Backend = {
  search(queryId, query, candidates, listener) {
    const onEvent = new Channel<SearchEvent>(listener);
    return invoke("search", { queryId, query, candidates, onEvent });
  },

  folders: () => invoke("folders"),
  addFolder: () => invoke("add_folder"),
  addFolderPath: (path) => invoke("add_folder_path", { path }),
  removeFolder: (path) => invoke("remove_folder", { path }),

  status: (withFiles) => invoke("status", { withFiles }),
  preview: (path, span, query) => invoke("preview", { path, span, query }),
  openFile: (path) => invoke("open_file", { path }),
  revealFile: (path) => invoke("reveal_file", { path }),

  settings: () => invoke("settings"),
  setCandidates: (n) => invoke("set_candidates", { n }),
  modelsState: () => invoke("models_state"),

  onIndexProgress: (listener) => listen<IndexProgress>("index-progress", (event) => listener(event.payload)),
  // The event says that something changed, and may or may not carry what: asking again is always right.
  onModelsChanged: (listener) =>
    listen("models-changed", () => {
      invoke<ModelsState>("models_state").then(listener, () => undefined);
    }),
  onFolderDrag: (listener) =>
    getCurrentWebview().onDragDropEvent(({ payload }) => {
      const drag: FolderDrag =
        payload.type === "drop"
          ? { kind: "dropped", paths: payload.paths }
          : { kind: payload.type === "leave" ? "left" : "over" };
      listener(drag);
    }),
};
