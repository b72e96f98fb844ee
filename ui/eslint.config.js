import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default ts.config(
  // The tests lie beside this folder, not in it.
  { basePath: "..", ignores: ["ui/dist/", "ui/node_modules/", "ui/src/backend/bindings.ts"] },
  {
    basePath: "..",
    files: ["ui/**/*.{js,ts,svelte}", "tests/ui/**/*.ts"],
    extends: [js.configs.recommended, ts.configs.strict, svelte.configs.recommended],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@tauri-apps/*"], message: "Only backend/tauri.ts knows the shell." }] },
      ],
    },
  },
  {
    basePath: "..",
    files: ["ui/**/*.svelte", "ui/**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: [".svelte"], svelteConfig } },
  },
  {
    basePath: "..",
    files: ["ui/src/backend/tauri.ts"],
    rules: { "no-restricted-imports": "off" },
  },
);
