/** The summary of the store, fetched once for a view. */

import { json } from "./http.js";

let found = null;

/** `{posts, first, newest, networks, languages, tags, alerts}` of `/page/summary`. */
export const summary = () => (found ??= json("/page/summary"));
