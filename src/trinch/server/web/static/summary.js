/** The summary of the store, fetched once for a view. */

import { json } from "./http.js";

let found = null;

/** `{posts, first, newest, networks, languages, tags, alerts}` of `/page/summary`; `again` fetches it anew. */
export const summary = (again = false) => (again || !found ? (found = json("/page/summary")) : found);
