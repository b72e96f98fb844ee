import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import { defineConfig } from "eslint/config";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

// Run from the repository's root (see package.json), because the tests lie beside this folder, not in it.
export default defineConfig(
  { ignores: ["ui/dist/", "ui/node_modules/", "ui/src/backend/bindings.ts"] },
  js.configs.recommended,
  ts.configs.strict,
  svelte.configs.recommended,
  {
    files: ["ui/**/*.svelte", "ui/**/*.svelte.ts"],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: [".svelte"], svelteConfig },
    },
  },
  {
    rules: {
      // TypeScript knows better.
      "no-undef": "off",
      // Collections here are values: replaced, never changed in place.
      "svelte/prefer-svelte-reactivity": "off",
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@tauri-apps/*"], message: "Only backend/tauri.ts knows the shell." }] },
      ],
    },
  },
  {
    files: ["ui/src/backend/tauri.ts"],
    rules: { "no-restricted-imports": "off" },
  },
);
