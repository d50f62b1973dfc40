"""Plain text of the small HTML that posts of Mastodon and feeds are written in."""

from html.parser import HTMLParser

_BREAKS = {"p", "br", "div", "li", "blockquote", "h1", "h2", "h3", "h4", "tr"}
_UNSEEN = {"script", "style", "head", "title"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self.hidden += 1
        if tag in _BREAKS:
            self.parts.append("\n")
        if tag == "a":
            found = dict(attrs)
            if (link := found.get("href")) and not {"mention", "hashtag"} & set(
                (found.get("class") or "").split()
            ):
                self.links.append(link)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self.hidden = max(0, self.hidden - 1)
        if tag in _BREAKS - {"br"}:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain(html: str) -> tuple[str, tuple[str, ...]]:
    """(text, links): tags removed, paragraphs as lines, entities decoded; links without those to people and tags."""
    if "<" not in html and "&" not in html:
        return html, ()
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).split("\n")]
    return "\n".join(line for line in lines if line), tuple(dict.fromkeys(parser.links))
