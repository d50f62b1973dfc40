/** The time slider "as of": from the first day of the store to its last; its right end is now. */

import { $, h } from "./dom.js";
import { date, day, iso, t } from "./i18n.js";

const STEPS = [60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 86400];
const SETTLE = 350; // milliseconds without a move before the question is asked again

const box = $("asof");
const slider = $("moment");
let last = 0;
let exact = null; // a time given to the second, until the slider is moved

/** The chosen time, RFC 3339; null is now. */
export const chosenTime = () => exact ?? (!slider || +slider.value >= last ? null : iso(slider.value * 1000));

function showTime() {
  const text = chosenTime() ? date(chosenTime()) : t("latest");
  $("moment-text").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

/** Starts the slider; `moved` is called when it has come to rest at another time. */
export function initSlider(moved) {
  if (!slider) return;
  const [from, to] = [+slider.min, +slider.max];
  last = to;
  const step = STEPS.find((size) => (to - from) / size <= 400) ?? 7 * 86400;
  exact = box.dataset.asOf || null;
  slider.max = from + Math.ceil((to - from) / step) * step; // a whole number of steps, so that the end can be reached
  slider.step = step;
  slider.removeAttribute("name"); // from here on the script sends the time
  slider.value = exact ? Date.parse(exact) / 1000 : slider.max;
  showTime();
  ticks(from, +slider.max);
  let timer = 0;
  slider.addEventListener("input", () => {
    exact = null;
    showTime();
    clearTimeout(timer);
    timer = setTimeout(moved, SETTLE);
  });
}

/** Draws the number of posts about the question over time above the slider, up to the as-of time. */
export function drawVolume({ volume, bucket_seconds: width }) {
  if (!slider) return;
  const [from, to] = [+slider.min, +slider.max];
  const share = (seconds) => (seconds / (to - from)) * 100;
  const most = Math.max(...volume.map((bar) => bar.posts));
  box.classList.toggle("drawn", volume.length > 0);
  $("volume").replaceChildren(...volume.filter((bar) => bar.posts).map((bar) => {
    const column = h("i");
    column.style.left = `${share(Date.parse(bar.start) / 1000 - from)}%`;
    column.style.width = `max(2px, calc(${share(width)}% - 1px))`;
    column.style.height = `${Math.max(4, (bar.posts / most) * 100)}%`;
    return column;
  }));
}

/** Removes the drawing. */
export const clearVolume = () => drawVolume({ volume: [], bucket_seconds: 0 });

/** A mark for each day, or for as many as there is room for. */
function ticks(from, to) {
  const days = Math.ceil((to - from) / 86400);
  const every = Math.max(1, Math.ceil(days / 6));
  for (let i = 0; i < days; i += every) {
    const tick = h("span", {}, day((from + i * 86400) * 1000));
    tick.style.left = `${((i * 86400) / (to - from)) * 100}%`;
    $("ticks").append(tick);
  }
}
