/** Building elements. Text of posts becomes text nodes; nothing here parses markup. */

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; children are elements or text. */
export const h = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes = {}, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

/** The address if it is http or https, else null: a post may hold `javascript:` links. */
export function web(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

/** A link to another site, or null where the address is not http or https. */
export function out(address, label) {
  const url = web(address);
  return url && h("a", { href: url.href, rel: "noopener noreferrer nofollow ugc" }, label(url.hostname));
}

/** A text with some of its spans in <mark>. Offsets count code points, as Python does, not UTF-16 units. */
export function marked(text, spans) {
  const points = Array.from(text);
  const nodes = [];
  let at = 0;
  const cut = (from, to) => points.slice(from, to).join("");
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (end <= at) continue;
    nodes.push(cut(at, start), h("mark", {}, cut(Math.max(at, start), end)));
    at = end;
  }
  return [...nodes, cut(at)].filter((node) => node !== "");
}
