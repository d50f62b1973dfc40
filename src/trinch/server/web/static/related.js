/** Questions that may be asked next about the topic of an answer. */

import { h } from "./dom.js";
import { address } from "./history.js";
import { t } from "./i18n.js";

const QUESTIONS = { latest: "rq_latest", timeline: "rq_timeline", opinions: "rq_opinions", summary: "rq_summary" };

/** Links to questions for other tasks than the one that was answered. */
export const relatedQuestions = (topic, task, asOf) => !topic ? [] : Object.entries(QUESTIONS).filter(([name]) => name !== task)
  .map(([, key]) => t(key, { topic })).map((question) => h("li", {}, h("a", { href: address(question, [], asOf), dir: "auto" }, question)));
