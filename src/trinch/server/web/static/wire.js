/** Talking to the server: JSON, and streams of server-sent events. A key is asked for when the server wants one. */

import { $ } from "./dom.js";
import { t } from "./words.js";

const KEY = "trinch.key";
let asking = null;

/** A request that failed, with a reason for people and the server's code for it. */
export class Failure extends Error {
  constructor(message, code = null) {
    super(message);
    this.code = code;
  }
}

async function send(path, { body, signal, accept = "application/json", quiet = false } = {}) {
  const headers = { Accept: accept };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", body: body && JSON.stringify(body), headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(t("unreachable"));
  }
  if (response.ok) return response;
  if (response.status === 401 && !quiet && (await keyFromPerson())) return send(path, { body, signal, accept });
  const said = await response.json().catch(() => null);
  throw new Failure(said?.error?.message ?? response.statusText, said?.error?.code);
}

/** Asks for a key; false when the person would not give one. One dialog, however many requests wait for it. */
function keyFromPerson() {
  asking ??= new Promise((resolve) => {
    const dialog = $("key");
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      const typed = $("key-text").value.trim();
      $("key-text").value = "";
      asking = null;
      if (dialog.returnValue === "use") sessionStorage.setItem(KEY, typed);
      resolve(dialog.returnValue === "use");
    }, { once: true });
  });
  return asking;
}

/** The JSON that a path answers with; with a body it is posted. */
export const json = async (path, options) => (await send(path, options)).json();

/** The events of a stream, one after the other: {name, data}. Ends when the stream does. */
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
 * Keeps a stream open while the page is looked at, and opens it again when it breaks; browsers allow an origin
 * six connections for all tabs together. `take` gets each event. Returns a function that ends it.
 */
export function keep(path, body, take) {
  let control = new AbortController();
  let ended = false;
  const seen = () => {
    if (document.hidden) control.abort();
  };
  document.addEventListener("visibilitychange", seen);
  (async () => {
    for (let wait = 500; !ended; ) {
      if (document.hidden) {
        await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
        continue;
      }
      control = new AbortController();
      try {
        for await (const event of events(path, { body, signal: control.signal, quiet: true })) {
          wait = 500;
          if (!ended) take(event);
        }
      } catch {
        // Broken or hidden: the loop tries again.
      }
      if (!ended && !document.hidden) await pause(wait);
      wait = Math.min(wait * 2, 15_000);
    }
  })();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", seen);
    control.abort();
  };
}
