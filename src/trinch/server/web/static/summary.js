/** The summary of the store, fetched once for a view. */

import { json } from "./http.js";

let found = null;

const DAY = 86_400_000;

/** The time of the newest post, in milliseconds, where it is older than a day: then that is what is shown. */
export const endOf = (store) => (store.newest && Date.now() - Date.parse(store.newest) > DAY ? Date.parse(store.newest) : null);

/** `{posts, first, newest, networks, languages, tags, alerts}` of `/page/summary`; `again` fetches it anew. */
export const summary = (again = false) => (again || !found ? (found = json("/page/summary")) : found);
