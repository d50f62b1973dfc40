/** Keyboard shortcuts of all views. */

import { $ } from "./dom.js";

const VIEWS = { n: "/", s: "/search", l: "/live", p: "/places", b: "/brief", a: "/alerts", t: "/plan" };
const ENTRIES = "[data-entry]";
let going = false; // the key g was pressed, a letter follows

const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]");

/** Moves the mark to the next or previous entry of the view. */
function move(step) {
  const entries = [...document.querySelectorAll(ENTRIES)];
  if (!entries.length) return;
  const at = entries.findIndex((entry) => entry.classList.contains("marked"));
  entries[at]?.classList.remove("marked");
  const next = entries[Math.min(Math.max(at + step, 0), entries.length - 1)];
  next.classList.add("marked");
  next.scrollIntoView({ block: "nearest" });
  (next.querySelector("a[href]") ?? next).focus({ preventScroll: true });
}

/** Starts the shortcuts. */
export function initKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && event.target === $("q")) return $("q").blur();
    if (typing(event.target)) return;
    if (going && VIEWS[event.key]) location.assign(VIEWS[event.key]);
    const wasGoing = going;
    going = event.key === "g";
    if (wasGoing) return;
    if (event.key === "/") {
      event.preventDefault();
      $("q").focus();
      $("q").select();
    } else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "?") $("help").showModal();
  });
}
