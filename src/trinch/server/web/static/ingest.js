/** The state of ingest: the line in the masthead and its panel; rate, lag, languages and sources. */

import { $, h, svg } from "./dom.js";
import { keepOpen } from "./http.js";
import { language, number, t } from "./i18n.js";

const MINUTE = 60;
const LANGUAGES = 6;
const rates = [];
const listeners = [];

/** Calls `listener` with each update of `/v1/live`. */
export const onIngest = (listener) => listeners.push(listener);

/** Follows `/v1/live` while the page is visible. */
export function initIngest() {
  keepOpen("/v1/live", undefined, ({ data }) => {
    rates.push(data.events_per_second);
    if (rates.length > MINUTE) rates.shift();
    show(data);
    for (const listener of listeners) listener(data);
  }, { broken: offline });
  const box = $("ingest");
  document.addEventListener("click", (event) => box.contains(event.target) || (box.open = false));
  box.addEventListener("keydown", (event) => event.key === "Escape" && (box.open = false));
}

function offline() {
  $("ingest").hidden = false;
  $("ingest").classList.remove("on");
  $("ticker").textContent = t("offline");
}

function show(now) {
  const ingesting = now.events_per_second > 0;
  $("ingest").hidden = false;
  $("ingest").classList.toggle("on", ingesting);
  $("ticker").textContent = ingesting ? `${number(now.events_per_second)} / s` : t("n_posts", { n: now.posts });
  if ($("ingest").open) $("gauges").replaceChildren(...gauges(now));
}

/** The elements of the panel. */
export function gauges(now) {
  const gauge = (value, name) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const languages = Object.entries(now.languages ?? {});
  return [
    h("p", { class: "note" }, t(now.events_per_second > 0 ? "live_on" : "live_off")),
    h("dl", {}, gauge(number(now.events_per_second), t("rate")), gauge(now.lag_seconds === null ? "–" : number(now.lag_seconds), t("lag")),
      gauge(number(now.posts), t("held")), gauge(number(now.behind), t("behind"))),
    line(now.events_per_second),
    ...(languages.length ? [h("h3", {}, t("languages")), shares(languages.slice(0, LANGUAGES), language, languages.reduce((sum, [, n]) => sum + n, 0))] : []),
    ...(now.sources.length ? [h("h3", {}, t("streams")), h("ul", {}, ...now.sources.map((one) => h("li", {}, `${one.name} · ${one.state}`)))] : []),
  ];
}

/** Counts as bars with their share of `total`. */
export function shares(counts, name, total) {
  return h("ul", { class: "shares" }, ...counts.map(([code, n]) => {
    const bar = h("i", {});
    bar.style.width = `${(n / total) * 100}%`;
    return h("li", {}, h("span", {}, name(code)), bar, h("b", {}, n && n / total < 0.005 ? "< 1 %" : `${Math.round((n / total) * 100)} %`));
  }));
}

function line(rate) {
  const top = Math.max(1, ...rates);
  const points = rates.map((value, i) => `${(i / (MINUTE - 1)) * 240},${38 - (value / top) * 36}`).join(" ");
  return svg("svg", { class: "spark", viewBox: "0 0 240 40", preserveAspectRatio: "none", role: "img", "aria-label": t("rate_text", { n: rate }) },
    svg("polyline", { points }));
}
