import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  resolve: {
    alias: { $ui: here("./src") },
    // The tests live outside this folder, where Node finds no node_modules: these resolve from here.
    dedupe: ["svelte", "@testing-library/svelte"],
    // Without it, vitest takes Svelte's server build.
    ...(mode === "test" ? { conditions: ["browser"] } : {}),
  },
  build: {
    // WebKitGTK 2.40, Safari 16 and Edge WebView2 are the oldest engines the app opens in.
    target: ["safari16", "chrome111"],
    modulePreload: { polyfill: false },
    // A `data:` font or picture would break the policy below.
    assetsInlineLimit: 0,
  },
  // Fixed, because tauri.conf.json names it.
  server: { port: 5173, strictPort: true, fs: { allow: [".."] } },
  // The app's own policy, so that a page that breaks it is seen before it is packed.
  preview: { headers: { "Content-Security-Policy": "default-src 'self'" } },
  test: {
    dir: here("../tests/ui"),
    include: ["**/*.test.ts"],
    environment: "happy-dom",
  },
}));
