/** Removes posts from the page when the server reports that they were deleted. */

import { keepOpen } from "./http.js";

let end = null;
let watched = "";

/** Watches these posts from now on; `gone` gets the keys of those that are no longer visible. */
export function watch(keys, gone, path = "/page/watch") {
  const wanted = [...new Set(keys)].sort();
  if (JSON.stringify(wanted) === watched) return;
  watched = JSON.stringify(wanted);
  end?.();
  end = wanted.length ? keepOpen(path, { keys: wanted.slice(-500) }, ({ data }) => data.keys?.length && gone(data.keys)) : null;
}
