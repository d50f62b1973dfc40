/** Requests to the server: JSON, and streams of server-sent events. Asks for a key when the server needs one. */

import { $ } from "./dom.js";
import { t } from "./i18n.js";

const KEY = "trinch.key";
let dialogResult = null;

/** A request that failed, with the server's message and code. */
export class Failure extends Error {
  constructor(message, code = null) {
    super(message);
    this.code = code;
  }
}

async function send(path, { body, method = body ? "POST" : "GET", signal, accept = "application/json", quiet = false } = {}) {
  const headers = { Accept: accept };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, body: body && JSON.stringify(body), headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(t("unreachable"));
  }
  if (response.ok) return response;
  if (response.status === 401 && !quiet && (await askForKey())) return send(path, { body, method, signal, accept });
  const problem = await response.json().catch(() => null);
  throw new Failure(problem?.error?.message ?? response.statusText, problem?.error?.code);
}

/** Asks the user for a key; false when they cancel. One dialog for all requests that wait for it. */
function askForKey() {
  dialogResult ??= new Promise((resolve) => {
    const dialog = $("key");
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      const typed = $("key-text").value.trim();
      $("key-text").value = "";
      dialogResult = null;
      if (dialog.returnValue === "use") sessionStorage.setItem(KEY, typed);
      resolve(dialog.returnValue === "use");
    }, { once: true });
  });
  return dialogResult;
}

/** The JSON response of a path; with a body, of a POST. */
export const json = async (path, options) => (await send(path, options)).json();

/** The response to another method, without a body. */
export const act = (path, method) => send(path, { method });

/** The response of a path as a file; with a body, of a POST. */
export const blob = async (path, options) => (await send(path, { accept: "*/*", ...options })).blob();

/** The events {name, data} of a stream, until it ends. */
export async function* events(path, options) {
  const response = await send(path, { ...options, accept: "text/event-stream" });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (waiting + value).split("\n\n");
      waiting = parts.pop();
      for (const part of parts) {
        const name = /^event: (.*)$/m.exec(part)?.[1] ?? "message";
        const data = /^data: (.*)$/m.exec(part)?.[1];
        if (data) yield { name, data: JSON.parse(data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Keeps a stream open while the page is visible, and reopens it when it breaks. Hidden tabs close theirs: browsers
 * allow an origin six connections in all tabs. `handle` gets each event; `opened` is called before each attempt and
 * `broken` with the error that ended one. Returns a function that ends it.
 */
export function keepOpen(path, body, handle, { opened = () => {}, broken = () => {} } = {}) {
  let control = new AbortController();
  let ended = false;
  const onVisibility = () => {
    if (document.hidden) control.abort();
  };
  document.addEventListener("visibilitychange", onVisibility);
  (async () => {
    for (let wait = 500; !ended; ) {
      if (document.hidden) {
        await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
        continue;
      }
      control = new AbortController();
      opened();
      try {
        for await (const event of events(path, { body, signal: control.signal, quiet: true })) {
          wait = 500;
          if (!ended) handle(event);
        }
      } catch (error) {
        if (!ended && !document.hidden) broken(error); // the loop tries again
      }
      if (!ended && !document.hidden) await pause(wait);
      wait = Math.min(wait * 2, 15_000);
    }
  })();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", onVisibility);
    control.abort();
  };
}
