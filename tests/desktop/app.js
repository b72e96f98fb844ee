/**
 * Starts the real app under WebDriver, with a data folder of its own.
 *
 * Looks for the programs in the build's target folder (`CARGO_TARGET_DIR`, by default `target`): the app in `debug/`
 * or where `NUTHATCH_APP` says, tauri-driver in `tools/bin/` or where `TAURI_DRIVER` says.
 */

import { spawn } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Builder, By, Capabilities, until } from "selenium-webdriver";

export const ROOT = resolve(import.meta.dirname, "../..");
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");
const APP = process.env.NUTHATCH_APP ?? join(TARGET, "debug/nuthatch-app");
const DRIVER = process.env.TAURI_DRIVER ?? join(TARGET, "tools/bin/tauri-driver");
const WEBKIT_DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";

/** The longest anything may take on a loaded machine with an unoptimised build. Only a failing test waits that long. */
export const PATIENCE_MS = 120_000;

/** A running app. Elements are looked up by `data-testid`; `one` waits until the element is there. */
export class App {
  #driver;
  #process;
  #dataDir;
  #log;

  constructor(driver, driverProcess, dataDir, log) {
    this.#driver = driver;
    this.#process = driverProcess;
    this.#dataDir = dataDir;
    this.#log = log;
  }

  /** `environment` is added to the app's own, `args` to its command line. */
  static async start({ environment = {}, args = [] } = {}) {
    await Promise.all([APP, DRIVER, WEBKIT_DRIVER].map((program) => access(program)));
    const dataDir = await mkdtemp(join(tmpdir(), "nuthatch-data-"));
    const [port, nativePort] = await freePorts(2);
    const ports = ["--port", port, "--native-port", nativePort, "--native-driver", WEBKIT_DRIVER].map(String);
    const driverProcess = spawn(DRIVER, ports, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that it ends with its child WebKitWebDriver, which would keep our pipes open.
      detached: true,
    });
    const log = [];
    for (const stream of [driverProcess.stdout, driverProcess.stderr]) {
      stream.on("data", (text) => log.push(String(text)));
    }
    try {
      await listening(port, driverProcess);
      const capabilities = new Capabilities();
      capabilities.set("tauri:options", { application: APP, args: ["--data-dir", dataDir, ...args] });
      capabilities.setBrowserName("wry");
      const driver = await new Builder()
        .withCapabilities(capabilities)
        .usingServer(`http://127.0.0.1:${port}/`)
        .build();
      await driver.manage().setTimeouts({ script: PATIENCE_MS });
      return new App(driver, driverProcess, dataDir, log);
    } catch (error) {
      await end(driverProcess);
      throw new Error(`the app did not start: ${error.message}\n${log.join("")}`, { cause: error });
    }
  }

  /** Closes the window and deletes the data folder. */
  async stop() {
    await this.#driver.quit().catch((error) => this.#log.push(String(error)));
    await end(this.#process);
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  /** The output of the app and its driver, to be read after a failure. */
  get log() {
    return this.#log.join("");
  }

  /** Calls one of the app's commands as the window would. */
  async invoke(command, args = {}) {
    const answer = await this.#driver.executeAsyncScript(
      `const [command, args, done] = arguments;
       window.__TAURI_INTERNALS__.invoke(command, args).then((ok) => done({ ok }), (error) => done({ error }));`,
      command,
      args,
    );
    if (answer.error !== undefined && answer.error !== null) throw answer.error;
    return answer.ok;
  }

  /** Waits until `check` gives something true, and returns that. `what` names the thing in the message of a failure. */
  async until(what, check) {
    return this.#driver.wait(check, PATIENCE_MS, `waited in vain for ${what}`, 50);
  }

  async one(testId) {
    return this.#driver.wait(
      until.elementLocated(By.css(`[data-testid="${testId}"]`)),
      PATIENCE_MS,
      `no ${testId}`,
    );
  }

  async all(testId) {
    return this.#driver.findElements(By.css(`[data-testid="${testId}"]`));
  }

  /** The text of the element, or an empty string while there is none. */
  async text(testId) {
    return this.script(
      `return document.querySelector('[data-testid="' + arguments[0] + '"]')?.textContent ?? ""`,
      testId,
    );
  }

  async script(body, ...args) {
    return this.#driver.executeScript(body, ...args);
  }

  /** A PNG of the window, once what the page holds now has been painted. */
  async screenshot() {
    await this.#driver.executeAsyncScript(
      "const [done] = arguments; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));",
    );
    return Buffer.from(await this.#driver.takeScreenshot(), "base64");
  }
}

/** Ends the driver and every process that it started. */
async function end(driverProcess) {
  const closed = new Promise((done) => driverProcess.once("close", done));
  process.kill(-driverProcess.pid);
  await closed;
}

async function freePorts(n) {
  const servers = await Promise.all(
    Array.from(
      { length: n },
      () =>
        new Promise((open) => {
          const server = createServer().listen(0, "127.0.0.1", () => open(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** Resolves once something answers on `port`. */
async function listening(port, driverProcess) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/status`);
      return;
    } catch (error) {
      if (driverProcess.exitCode !== null)
        throw new Error(`tauri-driver ended with ${driverProcess.exitCode}`);
      if (Date.now() > until) throw error;
      await new Promise((again) => setTimeout(again, 50));
    }
  }
}
