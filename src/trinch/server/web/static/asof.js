/** The dial "as of": a slider from the first day of the store to its last, whose right end is now. */

import { $, h } from "./dom.js";
import { date, day, iso, t } from "./words.js";

const STEPS = [60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 86400];
const SETTLE = 350; // milliseconds without a move before the question is asked again

const box = $("asof");
const slider = $("moment");
let last = 0;
let exact = null; // a time given to the second, until the dial is moved

/** The time chosen, RFC 3339; null is now. */
export const chosen = () => exact ?? (!slider || +slider.value >= last ? null : iso(slider.value * 1000));

function say() {
  const text = chosen() ? date(chosen()) : t("latest");
  $("moment-text").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

/** Makes the dial live; `moved` is called when it has come to rest somewhere else. */
export function dial(moved) {
  if (!slider) return;
  const [from, to] = [+slider.min, +slider.max];
  last = to;
  const step = STEPS.find((size) => (to - from) / size <= 400) ?? 7 * 86400;
  exact = box.dataset.asOf || null;
  slider.max = from + Math.ceil((to - from) / step) * step; // a whole number of steps, so that the end can be reached
  slider.step = step;
  slider.removeAttribute("name"); // from here on the script says it
  slider.value = exact ? Date.parse(exact) / 1000 : slider.max;
  say();
  ticks(from, +slider.max);
  let timer = 0;
  slider.addEventListener("input", () => {
    exact = null;
    say();
    clearTimeout(timer);
    timer = setTimeout(moved, SETTLE);
  });
}

/** Draws on the dial how many posts about the question there were when, as far as the answer could see. */
export function tide({ volume, bucket_seconds: width }) {
  if (!slider) return;
  const [from, to] = [+slider.min, +slider.max];
  const share = (seconds) => (seconds / (to - from)) * 100;
  const most = Math.max(...volume.map((bar) => bar.posts));
  box.classList.toggle("drawn", volume.length > 0);
  $("tide").replaceChildren(...volume.filter((bar) => bar.posts).map((bar) => {
    const column = h("i");
    column.style.left = `${share(Date.parse(bar.start) / 1000 - from)}%`;
    column.style.width = `max(2px, calc(${share(width)}% - 1px))`;
    column.style.height = `${Math.max(4, (bar.posts / most) * 100)}%`;
    return column;
  }));
}

/** Nothing is known of the question. */
export const ebb = () => tide({ volume: [], bucket_seconds: 0 });

/** A mark for each day, as far as there is room for them. */
function ticks(from, to) {
  const days = Math.ceil((to - from) / 86400);
  const every = Math.max(1, Math.ceil(days / 6));
  for (let i = 0; i < days; i += every) {
    const tick = h("span", {}, day((from + i * 86400) * 1000));
    tick.style.left = `${((i * 86400) / (to - from)) * 100}%`;
    $("ticks").append(tick);
  }
}
