"""Charts as SVG, without libraries: bars and lines, readable on a light and on a dark page."""

import math
from collections.abc import Sequence
from html import escape

_COLOURS = ("#2f6fb0", "#d08a2e", "#5a9e5a", "#a05a9e")
_TEXT = "#777777"
_WIDTH = 760
_LEFT = 150


def ticks(most: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to the first that is not below most, about as many as wanted."""
    if most <= 0:
        raise ValueError("nothing above 0")
    rough = most / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10)
                if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


def _label(value: float) -> str:
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{_TEXT}">{escape(text)}</text>')


def _document(title: str, height: float, parts: Sequence[str]) -> str:
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        'font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>", _text(10, 20, title, size=15), *parts, "</svg>"]) + "\n"


def _legend(names: Sequence[str], y: float) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        x = _LEFT + number * 150
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" '
                     f'fill="{_COLOURS[number]}"/>')
        parts.append(_text(x + 18, y, name))
    return parts


Bar = tuple[str, float, float, float]  # series, value, least, most


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Horizontal bars, a group under each name, with the spread as a line."""
    names = list(dict.fromkeys(bar[0] for _, group in groups for bar in group))
    marks = ticks(max(bar[3] for _, group in groups for bar in group))
    scale = (_WIDTH - _LEFT - 60) / marks[-1]
    parts = _legend(names, 46)
    y = 66.0
    body = []
    for name, group in groups:
        body.append(_text(_LEFT - 8, y + 7 * len(group) + 4, name, "end"))
        for series, value, least, most in group:
            colour = _COLOURS[names.index(series)]
            body.append(f'<rect x="{_LEFT}" y="{y:.1f}" width="{value * scale:.1f}" height="12" '
                        f'fill="{colour}"/>')
            body.append(f'<line x1="{_LEFT + least * scale:.1f}" x2="{_LEFT + most * scale:.1f}" '
                        f'y1="{y + 6:.1f}" y2="{y + 6:.1f}"'
                        f' stroke="{_TEXT}"/>')
            body.append(_text(_LEFT + most * scale + 5, y + 10, f"{value:,.0f}", size=10))
            y += 14
        y += 10
    for mark in marks:
        x = _LEFT + mark * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="58" y2="{y:.1f}" stroke="{_TEXT}" '
                     'stroke-opacity="0.25"/>')
        parts.append(_text(x, y + 14, _label(mark), "middle", 10))
    return _document(title, y + 26, [*parts, *body])


def lines(title: str, below: str,
          series: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """Points joined by lines; the values of x stand in even distances."""
    stops = sorted({x for _, points in series for x, _ in points})
    marks = ticks(max(y for _, points in series for _, y in points))
    top, bottom, left = 64, 280, 70
    step = (_WIDTH - left - 40) / max(1, len(stops) - 1)
    scale = (bottom - top) / marks[-1]
    parts = _legend([name for name, _ in series], 46)
    for mark in marks:
        y = bottom - mark * scale
        parts.append(f'<line x1="{left}" x2="{_WIDTH - 40}" y1="{y:.1f}" y2="{y:.1f}" '
                     f'stroke="{_TEXT}" stroke-opacity="0.25"/>')
        parts.append(_text(left - 8, y + 4, _label(mark), "end", 10))
    for number, stop in enumerate(stops):
        parts.append(_text(left + number * step, bottom + 16, f"{stop:g}", "middle", 10))
    parts.append(_text(_WIDTH / 2, bottom + 36, below, "middle"))
    for number, (_, points) in enumerate(series):
        at = [(left + stops.index(x) * step, bottom - y * scale) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS[number]}" '
                     'stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_COLOURS[number]}"/>'
                  for x, y in at]
    return _document(title, bottom + 50, parts)
