/** A query of docs/search.md as words and operators: the box, the chips and the filters show the same query. */

const OPERATOR = /^(-?)(from|to|lang|network|since|until|since_time|until_time|since_id|max_id|within_time|min_faves|min_retweets|min_replies|filter|is|has|url|conversation_id|quoted_tweet_id|place|place_country|geocode):("[^"]*"|[^\s()"]+)$/i;
const PIECES = /\([^]*\)|-?"[^"]*"|\S+"[^"]*"|\S+/g; // a parenthesis is kept whole, to its last ")"

/** `{words, operators: [{not, name, value}]}` of a query. Operators inside parentheses or beside OR stay words. */
export function parse(text) {
  const pieces = text.match(PIECES) ?? [];
  if (pieces.includes("OR")) return { words: text.trim(), operators: [] };
  const operators = [];
  const words = pieces.filter((piece) => {
    const found = OPERATOR.exec(piece);
    if (found) operators.push({ not: found[1] === "-", name: found[2].toLowerCase(), value: found[3] });
    return !found;
  });
  return { words: words.join(" "), operators };
}

/** One operator as it is written. */
export const written = ({ not, name, value }) => `${not ? "-" : ""}${name}:${value}`;

/** The query of words and operators. */
export const join = ({ words, operators }) => [words, ...operators.map(written)].filter(Boolean).join(" ");

const ALIASES = { is: "filter", has: "filter" };

/** The value of an operator that is not negated; empty without one. */
export const valueOf = ({ operators }, name) => operators.find((one) => !one.not && (ALIASES[one.name] ?? one.name) === name)?.value ?? "";

/** The query with an operator set to a value, or without it for an empty value. */
export function withValue(query, name, value) {
  const others = query.operators.filter((one) => one.not || (ALIASES[one.name] ?? one.name) !== name);
  return { ...query, operators: value ? [...others, { not: false, name, value }] : others };
}
