/** Saving a search as an alert, where the server has alerts. */

import { json } from "./http.js";
import { t } from "./i18n.js";
import { announce } from "./shell.js";

/** Shows the button where there are alerts; `query` returns what is searched for. */
export function saveAlert(button, available, query) {
  button.hidden = !available;
  button.addEventListener("click", async () => {
    const name = query();
    try {
      await json("/v1/alerts", { body: { name: name.slice(0, 80), query: name } });
      announce((button.textContent = t("alert_saved", { name })));
    } catch (error) {
      announce((button.textContent = t("failed", { reason: error.message })));
    }
  }, { once: true });
}
