/** The frame of every view: theme, history, help, shortcuts, the state of ingest, the as-of time. */

import { chosenTime, initTime } from "./asof.js";
import { $ } from "./dom.js";
import { history as initHistory } from "./history.js";
import { t } from "./i18n.js";
import { initIngest } from "./ingest.js";
import { initKeys } from "./keys.js";

/** Shows a text to screen readers. */
export const announce = (text) => ($("status").textContent = text);

/** The address of this view with some of its parameters changed; empty values are left out. */
export function here(changed) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changed)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  return `${location.pathname}${query.size ? `?${query}` : ""}`;
}

function theme() {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = $("theme");
  const label = () => (button.textContent = t(dark() ? "light" : "dark"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
    label();
  });
  label();
}

/** Starts the frame. Another as-of time opens the view anew, unless `moved` handles it. */
export function start({ moved = () => location.assign(here({ as_of: chosenTime() })) } = {}) {
  theme();
  initHistory();
  initKeys();
  initTime(moved);
  initIngest();
  $("help-open").hidden = false;
  $("help-open").addEventListener("click", () => $("help").showModal());
}
