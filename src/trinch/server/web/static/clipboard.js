/** Texts for the clipboard; where that is forbidden, they are shown to be copied by hand. */

import { h } from "./dom.js";
import { t } from "./i18n.js";

export const announce = (text) => (document.getElementById("status").textContent = text);

/** Puts a text on the clipboard and says so; false where it was only shown. */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    announce(done);
    return true;
  } catch {
    textDialog(t("select_copy"), text);
    return false;
  }
}

/** Shows a text in a dialog, selected. */
export function textDialog(title, text, note) {
  const area = h("textarea", { class: "copy-text", readonly: true, "aria-label": title });
  area.value = text;
  const box = h("dialog", { "aria-label": title }, h("h2", {}, title), note && h("p", { class: "note" }, note), area,
    h("form", { method: "dialog" }, h("button", { class: "quiet" }, t("close"))));
  document.body.append(box);
  box.addEventListener("close", () => box.remove());
  box.showModal();
  area.select();
}

/** Shows for a moment that a button has done its work. */
export function confirm(made, text) {
  const before = made.textContent;
  made.textContent = text;
  setTimeout(() => (made.textContent = before), 2500);
}
