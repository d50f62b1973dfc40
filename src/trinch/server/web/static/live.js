/** The live view: rate, lag, languages and sources of ingest, with the last minute of the rate as a line. */

import { $, h, svg } from "./dom.js";
import { language, number, t } from "./i18n.js";
import { keepOpen } from "./http.js";

const MINUTE = 60;
const LANGUAGES = 6;
const rates = [];

/** Follows `/v1/live` while the page is visible. */
export function live() {
  keepOpen("/v1/live", undefined, ({ data }) => show(data));
  const box = $("live");
  document.addEventListener("click", (event) => box.contains(event.target) || (box.open = false));
  box.addEventListener("keydown", (event) => event.key === "Escape" && (box.open = false));
}

function show(now) {
  const ingesting = now.events_per_second > 0;
  rates.push(now.events_per_second);
  if (rates.length > MINUTE) rates.shift();
  $("live").hidden = false;
  $("live").classList.toggle("on", ingesting);
  $("ticker").textContent = ingesting
    ? `${t("live_on")} · ${number(now.events_per_second)} / s`
    : `${t("live_off")} · ${t("n_posts", { n: now.posts })}`;
  if (!$("live").open) return;
  const gauge = (value, name) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const shown = Object.entries(now.languages ?? {}).slice(0, LANGUAGES);
  const total = Object.values(now.languages ?? {}).reduce((sum, n) => sum + n, 0);
  $("gauges").replaceChildren(
    h("dl", {}, gauge(number(now.events_per_second), t("rate")), gauge(now.lag_seconds === null ? "–" : number(now.lag_seconds), t("lag")),
      gauge(number(now.posts), t("held")), gauge(number(now.behind), t("behind"))),
    line(now.events_per_second),
    ...(total ? [h("h2", {}, t("languages")), h("ul", { class: "languages" }, ...shown.map(([code, n]) => {
      const bar = h("i", {});
      bar.style.width = `${(n / total) * 100}%`;
      return h("li", {}, h("span", {}, language(code)), bar, h("b", {}, `${Math.round((n / total) * 100)} %`));
    }))] : []),
    ...(now.sources.length ? [h("h2", {}, t("streams")), h("ul", {}, ...now.sources.map((one) => h("li", {}, `${one.name} · ${one.state}`)))] : []),
  );
}

function line(rate) {
  const top = Math.max(1, ...rates);
  const points = rates.map((value, i) => `${(i / (MINUTE - 1)) * 240},${38 - (value / top) * 36}`).join(" ");
  return svg("svg", { class: "spark", viewBox: "0 0 240 40", preserveAspectRatio: "none", role: "img", "aria-label": t("rate_text", { n: rate }) },
    svg("polyline", { points }));
}
