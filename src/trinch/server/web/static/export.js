/** The menu that saves the posts of a search as a file. */

import { h } from "./dom.js";
import { blob } from "./http.js";
import { t } from "./i18n.js";
import { announce } from "./shell.js";

/** Starts the menu `box`; `query` returns the parameters of `/v1/export` for what is shown. */
export function exportMenu(box, query) {
  box.querySelector(".menu-panel").append(h("p", { class: "note" }, t("export_hint")));
  box.addEventListener("keydown", (event) => event.key === "Escape" && (box.open = false));
  document.addEventListener("click", (event) => box.contains(event.target) || (box.open = false));
  box.addEventListener("click", async ({ target }) => {
    const { format } = target.dataset;
    if (!format) return;
    const note = box.querySelector(".note");
    note.textContent = t("waiting");
    try {
      const address = URL.createObjectURL(await blob(`/v1/export?${new URLSearchParams({ ...query(), format })}`));
      h("a", { href: address, download: `posts.${format}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      note.textContent = t("exported", { name: `posts.${format}` });
    } catch (error) {
      note.textContent = t("failed", { reason: error.message });
    }
    announce(note.textContent);
  });
}
