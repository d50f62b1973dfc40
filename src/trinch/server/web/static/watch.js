/** Posts that are taken back while the page shows them vanish from it: the server tells which. */

import { keep } from "./wire.js";

let end = null;
let watched = "";

/** From now on watch over these posts; `gone` gets the keys of those that may not be shown any more. */
export function watch(keys, gone) {
  const wanted = [...new Set(keys)].sort();
  if (JSON.stringify(wanted) === watched) return;
  watched = JSON.stringify(wanted);
  end?.();
  end = wanted.length ? keep("/page/watch", { keys: wanted.slice(-500) }, ({ data }) => data.keys?.length && gone(data.keys)) : null;
}
