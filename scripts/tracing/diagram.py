"""A state machine drawn from its ASL, with the path that an execution took."""

from collections.abc import Iterable
from html import escape
from itertools import pairwise
from typing import Any

from contracts.diagrams import transitions
from support.story import duration
from support.visits import Visit

_WIDTH, _HEIGHT = 190, 40
_COLUMN, _ROW = 214, 66
_Definition = dict[str, Any]


def svg(definition: _Definition, visits: list[Visit], open_state: str | None) -> str:
    """Draw it.

    Args:
        definition: the ASL.
        visits: the states that were entered, in order.
        open_state: the state that the execution is still in, or died in.

    Returns:
        An SVG element; colours come from the page's style sheet.
    """
    states = definition["States"]
    edges = list(dict.fromkeys((name, way.target) for name, state in states.items() for way in transitions(state)))
    rank = _ranks(definition["StartAt"], edges)
    lane = _lanes(definition["StartAt"], edges, rank)
    where = {name: (lane[name] * _COLUMN + 12, rank[name] * _ROW + 12) for name in rank}
    path = [visit.state for visit in visits]
    taken = set(pairwise(path))
    width = (max(lane.values()) + 1) * _COLUMN + 4
    height = (max(rank.values()) + 1) * _ROW
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="The workflow, with the path taken">'
    ]
    # What was taken is drawn last, over the rest.
    for a, b in sorted((e for e in edges if e[0] in where and e[1] in where), key=lambda e: e in taken):
        parts.append(_edge(where[a], where[b], (a, b) in taken))
    for name, (x, y) in where.items():
        parts.append(_box(name, x, y, states[name], [v for v in visits if v.state == name], open_state))
    return "".join([*parts, "</svg>"])


def _ranks(start: str, edges: list[tuple[str, str]]) -> dict[str, int]:
    """Each state below everything that leads to it; what leads back up is left out."""
    forward = _without_cycles(start, edges)
    rank = {start: 0}
    # As many rounds as there are states settle the longest ways.
    for _ in range(len({a for a, _ in edges} | {b for _, b in edges})):
        for a, b in forward:
            if a in rank and rank.get(b, -1) < rank[a] + 1:
                rank[b] = rank[a] + 1
    return rank


def _without_cycles(start: str, edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept, done, open_now = [], set(), set()

    def visit(name: str) -> None:
        open_now.add(name)
        for a, b in edges:
            if a == name and b not in open_now:
                kept.append((a, b))
                if b not in done:
                    visit(b)
        open_now.discard(name)
        done.add(name)

    visit(start)
    return kept


def _lanes(start: str, edges: list[tuple[str, str]], rank: dict[str, int]) -> dict[str, int]:
    """The longest way straight down on the left; every other way in a lane beside it that is free there."""
    forward = _without_cycles(start, edges)
    length: dict[str, int] = {}
    for name in sorted(rank, key=lambda n: -rank[n]):
        length[name] = 1 + max((length[b] for a, b in forward if a == name and b in length), default=0)
    lane: dict[str, int] = {}
    busy: list[list[tuple[int, int]]] = []
    for first in sorted(rank, key=lambda n: (rank[n], -length[n])):
        if first in lane:
            continue
        chain = [first]
        while following := [b for a, b in forward if a == chain[-1] and b not in lane and b not in chain]:
            chain.append(max(following, key=lambda n: length[n]))
        reach = (rank[chain[0]], rank[chain[-1]])
        free = next(
            (i for i, taken in enumerate(busy) if all(reach[1] < low or high < reach[0] for low, high in taken)),
            len(busy),
        )
        if free == len(busy):
            busy.append([])
        busy[free].append(reach)
        lane |= dict.fromkeys(chain, free)
    return lane


def _edge(start: tuple[float, float], end: tuple[float, float], taken: bool) -> str:
    x1, y1 = start[0] + _WIDTH / 2, start[1] + _HEIGHT
    x2, y2 = end[0] + _WIDTH / 2, end[1]
    if x1 == x2 and y2 - y1 > _ROW:
        # Past the boxes between them.
        side = x1 + _WIDTH / 2 + 10
        d = f"M{x1} {y1} C{x1} {y1 + 20} {side} {y1} {side} {y1 + 34} "
        d += f"V{y2 - 34} C{side} {y2} {x2} {y2 - 20} {x2} {y2 - 2}"
    elif y2 > y1:
        bend = min(26, (y2 - y1) / 2)
        level = y2 - bend
        d = f"M{x1} {y1} V{y1 + 2} C{x1} {y1 + bend} {x1} {level} {(x1 + x2) / 2} {level} S{x2} {level} {x2} {y2 - 2}"
        if y2 - y1 > _ROW:
            out, back = (14, -14) if x2 > x1 else (-14, 14)
            d = f"M{x1} {y1} V{level - 14} C{x1} {level} {x1} {level} {x1 + out} {level} "
            d += f"H{x2 + back} C{x2} {level} {x2} {level} {x2} {y2 - 2}"
    else:
        side = max(x1, x2) + _WIDTH / 2 + 12
        right, middle = _WIDTH / 2, _HEIGHT / 2
        d = f"M{x1 + right} {y1 - middle} C{side} {y1 - 20} {side} {y2 + 20} {x2 + right} {y2 + middle}"
    return f'<path class="edge{" taken" if taken else ""}" d="{d}" marker-end="url(#{"on" if taken else "off"})"/>'


def _box(name: str, x: float, y: float, state: dict[str, Any], visits: list[Visit], open_state: str | None) -> str:
    classes = ["state"]
    note = ""
    if visits:
        last = visits[-1]
        classes.append("visited")
        if last.waits:
            classes.append("waited")
        if last.failed:
            classes.append("failed")
        tries = sum(len(v.attempts) for v in visits)
        note = duration(sum((v.left or v.entered) - v.entered for v in visits)) if last.left else "not left"
        note += f" · {tries} attempts" if tries > len(visits) else ""
        if name == open_state:
            classes.append("open")
    round_ = 20 if state["Type"] == "Choice" else 8
    title = escape(str(state.get("Comment", "")))
    text_y = y + (17 if note else 25)
    parts = [
        f'<g class="{" ".join(classes)}"><title>{title}</title>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{round_}"/>',
        f'<text x="{x + _WIDTH / 2}" y="{text_y}"{_fitted(name)}>{escape(name)}</text>',
    ]
    if note:
        parts.append(f'<text class="note" x="{x + _WIDTH / 2}" y="{y + 32}">{escape(note)}</text>')
    return "".join([*parts, "</g>"])


def _fitted(name: str) -> str:
    """A smaller letter for a name that would not fit into its box."""
    return ' style="font-size:11px"' if len(name) > 20 else ""


def markers() -> str:
    """The arrow heads, once per page."""
    heads: Iterable[str] = (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="{name}" d="M0 0 L8 4 L0 8 z"/></marker>'
        for name in ("on", "off")
    )
    return f'<svg width="0" height="0" style="position:absolute"><defs>{"".join(heads)}</defs></svg>'
