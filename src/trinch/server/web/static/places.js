/** Places: where the posts of a search were written, as circles on outlines of the land and as a list. */

import { chosenTime } from "./asof.js";
import { $, h, svg } from "./dom.js";
import { json } from "./http.js";
import { country, number, t } from "./i18n.js";
import { totalText } from "./post.js";
import { here, start } from "./shell.js";
import { searchPath } from "./storyparts.js";

const WORLD = { x: -1800, y: -900, width: 3600, height: 1800 }; // tenths of a degree, as in world.json
const SMALLEST = 3; // width of the view that is zoomed in farthest
const EVERY = 60_000; // milliseconds between two updates
const NEAR = 0.045; // of the width of the view: circles that are closer are one
const q = new URLSearchParams(location.search).get("q")?.trim() ?? "";
const asOf = chosenTime();

let found = []; // places with x and y
let view = WORLD;
let land = [];

const named = (place) => [place.name ?? (place.country ? null : t("place_unnamed", { where: written(place) })), place.country && country(place.country)].filter(Boolean).join(", ");

/** Coordinates as text: `48.7° N, 4.0° W`. */
function written({ latitude, longitude }) {
  const side = (value, [positive, negative]) => `${number(Math.abs(value).toFixed(1))}° ${value < 0 ? negative : positive}`;
  return `${side(latitude, [t("north"), t("south")])}, ${side(longitude, [t("east"), t("west")])}`;
}

/** Kilometres between two places: the haversine formula. */
function distance(a, b) {
  const rad = Math.PI / 180;
  const half = Math.sin(((b.latitude - a.latitude) * rad) / 2) ** 2
    + Math.cos(a.latitude * rad) * Math.cos(b.latitude * rad) * Math.sin(((b.longitude - a.longitude) * rad) / 2) ** 2;
  return 12_742 * Math.asin(Math.sqrt(Math.min(1, half)));
}

/** The search for the posts of some places: by name for one, else all within a circle around them. */
function search(places, middle) {
  const [one] = places;
  if (places.length === 1 && one.name && !/["\\]/.test(one.name)) return searchPath(`${q} place:"${one.name}"`.trim(), asOf);
  const km = Math.max(...places.map((place) => distance(middle, place))) + 12; // a cell of unnamed posts is 11 km high
  return searchPath(`${q} geocode:${middle.latitude.toFixed(4)},${middle.longitude.toFixed(4)},${Math.min(km, 20_000).toFixed(1)}km`.trim(), asOf);
}

/** Groups of places that would overlap in this view, with their middle, weighted by posts. */
function clusters() {
  const groups = [];
  const reach = view.width * NEAR;
  for (const place of found) {
    const near = groups.find((group) => Math.hypot(group.x - place.x, group.y - place.y) < reach);
    if (!near) {
      groups.push({ ...place, places: [place] });
      continue;
    }
    const posts = near.posts + place.posts;
    for (const name of ["x", "y", "latitude", "longitude"]) near[name] += ((place[name] - near[name]) * place.posts) / posts;
    near.posts = posts;
    near.places.push(place);
  }
  return groups;
}

function draw() {
  const unit = view.width / 1000;
  const most = Math.max(1, ...found.map((place) => place.posts));
  const circles = clusters().map((group) => {
    const label = `${group.places.length > 1 ? t("n_places", { n: group.places.length, name: named(group.places[0]) }) : named(group.places[0])}: ${t("n_posts", { n: group.posts })}`;
    const size = (14 + 22 * Math.sqrt(Math.min(1, group.posts / most))) * unit;
    return svg("a", { href: search(group.places, group), "aria-label": label, "data-x": group.x }, svg("title", {}, label),
      svg("circle", { cx: group.x, cy: group.y, r: size }), svg("text", { x: group.x, y: group.y, "font-size": 15 * unit, "aria-hidden": "true" }, group.posts < 10_000 ? String(group.posts) : `${Math.round(group.posts / 1000)}k`));
  });
  $("map").replaceChildren(svg("svg", { viewBox: `${view.x} ${view.y} ${view.width} ${view.height}`, role: "group", "aria-label": t("map_label"), preserveAspectRatio: "xMidYMid meet" }, ...land, ...circles));
}

/** A view of these bounds with a margin, as wide as the map needs. */
function around(places) {
  if (!places.length) return WORLD;
  const [left, right] = [Math.min(...places.map(({ x }) => x)), Math.max(...places.map(({ x }) => x))];
  const [top, bottom] = [Math.min(...places.map(({ y }) => y)), Math.max(...places.map(({ y }) => y))];
  const width = Math.min(WORLD.width, Math.max(60, (right - left) * 1.3, (bottom - top) * 2.6));
  return { x: (left + right - width) / 2, y: (top + bottom - width / 2) / 2, width, height: width / 2 };
}

function zoom(factor) {
  const width = Math.min(WORLD.width, Math.max(SMALLEST, view.width * factor));
  // Zooming in goes to the place with the most posts in the view.
  const inside = found.find(({ x, y }) => x >= view.x && x <= view.x + view.width && y >= view.y && y <= view.y + view.height);
  const [x, y] = factor < 1 && inside ? [inside.x, inside.y] : [view.x + view.width / 2, view.y + view.height / 2];
  view = { x: x - width / 2, y: y - width / 4, width, height: width / 2 };
}

const VIEWS = { in: () => zoom(0.5), out: () => zoom(2), all: () => (view = around(found)), world: () => (view = WORLD) };

function list() {
  $("places").replaceChildren(...found.map((place) => h("li", { "data-entry": "" }, h("a", { href: search([place], place), dir: "auto" }, named(place)), h("b", {}, t("n_posts", { n: place.posts })))));
}

async function load(first = true) {
  if (document.hidden && !first) return;
  try {
    const [places, world] = await Promise.all([json(`/v1/places?${new URLSearchParams({ q, ...(asOf && { as_of: asOf }) })}`), json("/static/world.json")]);
    land = [0, -3600].map((turn) => svg("path", { class: "land", d: world.land, transform: `translate(${turn} 0)` })).concat(svg("path", { class: "borders", d: world.borders }));
    found = places.places.map((place) => ({ ...place, x: place.longitude * 10, y: -place.latitude * 10 }));
    if (first) view = around(found);
    $("total").textContent = found.length ? t("places_total", { posts: totalText(places.total), n: found.length + places.left_out }) : t("places_none");
    $("zoom").hidden = !found.length;
    if (document.activeElement.closest?.("#map, #places")) return;
    draw();
    list();
  } catch (error) {
    if (first) $("total").textContent = t("failed", { reason: error.message });
  }
}

$("zoom").addEventListener("click", ({ target }) => {
  if (!target.dataset.zoom) return;
  VIEWS[target.dataset.zoom]();
  draw();
});

start({ moved: () => location.assign(here({ as_of: chosenTime() })) });
load();
setInterval(() => load(false), EVERY);
