"""Showing a post with its highlights as safe HTML: every sign of the post is text, and hidden signs become visible.

Posts are hostile input. Nothing of a post reaches the page unescaped; control, bidirectional and zero-width signs and
marks that draw nothing, which could hide words or reorder a line, are replaced by visible names.
"""

import html
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Span = tuple[int, int, float]

N_LEVELS = 4

# Classes only, no inline styles: the page that shows the highlights brings this style sheet along.
HIGHLIGHT_CSS = """
.post-text {white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; contain: content; line-height: 1.75}
.post-text mark {background: none; color: inherit; text-underline-offset: .22em; border-radius: 3px; padding: 0 .06em}
.post-text .raises {text-decoration: underline solid #c2570c; background: rgba(234, 120, 30, .13)}
.post-text .lowers {text-decoration: underline dashed #1d6fb8; background: rgba(40, 120, 200, .12)}
.post-text .level-1 {text-decoration-thickness: 1px}
.post-text .level-2 {text-decoration-thickness: 2.5px}
.post-text .level-3 {text-decoration-thickness: 4px}
.post-text .level-4 {text-decoration-thickness: 6px}
.post-text .hidden-sign {font: .72em ui-monospace, monospace; border: 1px dashed currentColor; border-radius: 3px;
  padding: 0 .2em; opacity: .75; unicode-bidi: isolate}
.for-screen-readers {position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; border: 0}
"""

_LEVEL_WORDS = ("slightly", "somewhat", "clearly", "strongly")
_SIGN_NAMES = {
    0x00: "NUL", 0x07: "BEL", 0x08: "BACKSPACE", 0x0D: "CR", 0x1B: "ESC", 0x7F: "DEL", 0xAD: "SOFT HYPHEN",
    0x200B: "ZERO WIDTH SPACE", 0x200C: "ZWNJ", 0x200D: "ZWJ", 0x200E: "LRM", 0x200F: "RLM", 0x2028: "LINE SEPARATOR",
    0x2029: "PARAGRAPH SEPARATOR", 0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO",
    0x2060: "WORD JOINER", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xFEFF: "BOM",
}  # fmt: skip
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters, signs and marks by category that draw nothing: Default_Ignorable_Code_Point of Unicode 16
# (DerivedCoreProperties.txt) as far as it lies outside the categories above, then blanks that are no white space.
_BLANK_SIGNS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
    "\u2800\U00013441\U00013442\U00016fe4\U0001d159]"
)
# What makes a picture of signs that are seen hides nothing: a joiner between two pictures (a firefighter, a family), a
# choice of presentation after one (a red heart), or the same in a keycap.
_PICTURE = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_PART_OF_PICTURE = re.compile(
    f"(?:(?<=[{_PICTURE}])|(?<=[{_PICTURE}]\ufe0f))\u200d(?=[{_PICTURE}])"
    f"|(?<=[{_PICTURE}])[\ufe0e\ufe0f]"
    "|(?<=[0-9#*])[\ufe0e\ufe0f](?=\u20e3)"
)


def render_highlights(text: str, spans: Iterable[Span]) -> str:
    """Render a post as safe HTML with its highlighted spans.

    Parameters
    ----------
    text : str
        The post, exactly as it was explained.
    spans : iterable of (start, end, weight)
        Character offsets ``[start, end)`` into ``text``, not overlapping; ``weight`` in [-1, 1], positive where the
        words raised the score. Weight 0 is not marked.

    Returns
    -------
    str
        One ``<div class="post-text">``. Sign and strength are shown by line style and thickness as well as by colour,
        and said to screen readers. Needs :data:`HIGHLIGHT_CSS` on the page.

    Raises
    ------
    ValueError
        If a span lies outside the text, overlaps another, or its weight is not in [-1, 1].

    Examples
    --------
    >>> print(render_highlights("a <b> day", []))
    <div class="post-text" dir="auto">a &lt;b&gt; day</div>
    >>> "raises the score strongly" in render_highlights("a long day", [(2, 6, 1.0)])
    True
    """
    parts, position = [], 0
    for start, end, weight in _validate_spans(spans, len(text)):
        parts.append(escape_visibly(text[position:start]))
        parts.append(_render_mark(text[start:end], weight))
        position = end
    parts.append(escape_visibly(text[position:]))
    return f'<div class="post-text" dir="auto">{"".join(parts)}</div>'


@dataclass(frozen=True)
class HighlightedPost:
    """A post with its highlights that a notebook shows by itself, style sheet included.

    A notebook keeps what it shows: clear the outputs before it goes where the post may not.

    Attributes
    ----------
    text : str
        The post, exactly as it was explained; not in the ``repr``.
    spans : iterable of (start, end, weight)
        As :func:`render_highlights` takes them, but with weights in any unit: the largest, whatever its sign, is shown
        as 1 and the others in proportion. Kept as a tuple, so scaled.

    Raises
    ------
    ValueError
        If a span lies outside the text, overlaps another (as those of two heads do), or its weight is not finite.

    Examples
    --------
    >>> HighlightedPost("a long day", [(2, 6, -3.0), (7, 10, 1.5)])
    HighlightedPost(spans=((2, 6, -1.0), (7, 10, 0.5)))
    """

    text: str = field(repr=False)
    spans: Iterable[Span]

    def __post_init__(self) -> None:
        """Scale the weights and refuse spans that do not fit."""
        object.__setattr__(self, "spans", tuple(_validate_spans(_scale_weights(self.spans), len(self.text))))

    def _repr_html_(self) -> str:
        return f"<style>{HIGHLIGHT_CSS}</style>{render_highlights(self.text, self.spans)}"


def escape_visibly(text: str) -> str:
    r"""Escape text for HTML and show signs that are invisible or reorder the line by their names.

    Examples
    --------
    >>> escape_visibly("<i>")
    '&lt;i&gt;'
    >>> escape_visibly("a\u202eb")
    'a<span class="hidden-sign">RLO</span>b'
    """
    text = text.replace("\r\n", "\n")
    parts = []
    for sign, run in itertools.groupby(_list_signs(text), key=lambda pair: pair[1]):
        signs = "".join(character for character, _ in run)
        parts.append(_render_hidden(sign, len(signs)) if sign else html.escape(signs))
    return "".join(parts)


def show_visibly(text: str) -> str:
    r"""Return plain text with hidden signs named in brackets, for places that take no HTML; escape it there.

    Examples
    --------
    >>> show_visibly("a\x1b[31mb")
    'a[ESC][31mb'
    """
    return "".join(f"[{_name(sign)}]" if hidden or sign == "\n" else sign for sign, hidden in _list_signs(text))


def _list_signs(text: str) -> list[tuple[str, str]]:
    """Pair every sign with itself if it must be named, else with an empty string."""
    seen = {match.start() for match in _PART_OF_PICTURE.finditer(text)}
    return [(sign, "" if i in seen else _hidden_sign(sign)) for i, sign in enumerate(text)]


def _hidden_sign(sign: str) -> str:
    """Return the sign itself if it must be named, else an empty string."""
    if sign in "\n\t":
        return ""
    return sign if _BLANK_SIGNS.match(sign) or unicodedata.category(sign) in _HIDDEN_CATEGORIES else ""


def _name(sign: str) -> str:
    return _SIGN_NAMES.get(ord(sign), "NEW LINE" if sign == "\n" else f"U+{ord(sign):04X}")


def _render_hidden(sign: str, n_signs: int) -> str:
    count = f" \N{MULTIPLICATION SIGN}{n_signs}" if n_signs > 1 else ""
    return f'<span class="hidden-sign">{_name(sign)}{count}</span>'


def _render_mark(text: str, weight: float) -> str:
    if weight == 0:
        return escape_visibly(text)
    level = min(N_LEVELS, int(abs(weight) * N_LEVELS) + 1)
    direction = "raises" if weight > 0 else "lowers"
    spoken = f" ({direction} the score {_LEVEL_WORDS[level - 1]}) "
    return (
        f'<mark class="{direction} level-{level}">{escape_visibly(text)}'
        f'<span class="for-screen-readers">{spoken}</span></mark>'
    )


def _scale_weights(spans: Iterable[Span]) -> list[Span]:
    """Divide weights by the largest absolute one."""
    found = [(int(start), int(end), float(weight)) for start, end, weight in spans]
    for start, end, weight in found:
        if not math.isfinite(weight):
            message = f"the weight of a highlight must be a finite number, found {weight} at [{start}, {end})"
            raise ValueError(message)
    largest = max((abs(weight) for _, _, weight in found), default=0.0) or 1.0
    return [(start, end, weight / largest) for start, end, weight in found]


def _validate_spans(spans: Iterable[Span], n_characters: int) -> Sequence[Span]:
    ordered, position = sorted(spans), 0
    for start, end, weight in ordered:
        if not position <= start < end <= n_characters:
            message = (
                f"highlights must lie inside the {n_characters} characters of the post and not overlap, found "
                f"[{start}, {end}) after {position}; make them from the same text"
            )
            raise ValueError(message)
        if not -1 <= weight <= 1:
            message = f"the weight of a highlight must be in [-1, 1], found {weight} at [{start}, {end})"
            raise ValueError(message)
        position = end
    return ordered
