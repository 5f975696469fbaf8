"""Charts that anybody can read: SVG files without scripts, or fonts or addresses from elsewhere.

Drawn by pygal, which is imported here and nowhere else. Nothing is told by colour alone, and every
mark says in words what it stands for.
"""

import sys
from collections.abc import Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any

import pygal
from pygal.style import Style

# pygal leaves a finder behind, for maps that nobody here has, by a protocol that Python has given
# up: every import that fails would warn of it.
sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, pygal.PluginImportFixer)]

INK = "#0b3d62"

_HOLLOW = (
    "inline:.pygal-chart .plot.overlay .dots circle"
    f"{{fill:#ffffff;fill-opacity:.2;stroke:{INK};stroke-width:1.5}}"
)


def dots(*, series: int, **options: Any) -> pygal.XY:
    """Return an empty chart for so many series of hollow circles; `options` are pygal's own."""
    return pygal.XY(
        stroke=False,
        dots_size=5,
        show_legend=False,
        show_x_guides=True,
        explicit_size=True,
        js=[],
        css=["file://style.css", "file://graph.css", _HOLLOW],
        style=Style(
            background="#ffffff",
            plot_background="#ffffff",
            foreground="#222222",
            foreground_strong="#000000",
            foreground_subtle="#444444",
            guide_stroke_color="#bbbbbb",
            major_guide_stroke_color="#bbbbbb",
            colors=(INK,) * series,
            font_family="sans-serif",
            title_font_size=18,
            label_font_size=14,
            major_label_font_size=14,
        ),
        **options,
    )


_DAY, _NIGHT = ("#0b5c56", "#b4652a"), ("#4fb3aa", "#e09a62")
_TEXT, _TEXT_AT_NIGHT = "#1c2733", "#dfe5ea"
_AT_NIGHT = (
    "inline:@media (prefers-color-scheme: dark){"
    + f".pygal-chart text{{fill:{_TEXT_AT_NIGHT} !important}}"
    + "".join(
        f".pygal-chart .color-{number},.pygal-chart .color-{number} .rect"
        f"{{fill:{color} !important;stroke:{color} !important}}"
        for number, color in enumerate(_NIGHT)
    )
    + "}"
)
_SECOND_IS_HOLLOW = (
    "inline:.pygal-chart rect.color-1,.pygal-chart .color-1 .rect"
    "{fill-opacity:.15 !important;stroke-width:2}"
)
"""So that the two are told apart without their colours."""


def bars(
    labels: Sequence[str], series: Mapping[str, Sequence[float | None]], **options: Any
) -> Any:
    """Return a bar chart of two series of counts, the second of hollow bars, by day and by night.

    Each bar says its number. `labels` stand below; `options` are pygal's own.
    """
    found = [value for values in series.values() for value in values if value is not None]
    chart = pygal.Bar(
        js=[],
        css=["file://style.css", "file://graph.css", _SECOND_IS_HOLLOW, _AT_NIGHT],
        legend_at_bottom=True,
        truncate_label=-1,
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: f"{value:g}",
        y_labels=whole_steps(max(found, default=0)),
        style=Style(
            background="transparent",
            plot_background="transparent",
            foreground=_TEXT,
            foreground_strong=_TEXT,
            foreground_subtle="#8a96a3",
            guide_stroke_color="#8a96a3",
            major_guide_stroke_color="#8a96a3",
            colors=_DAY,
            value_colors=(_TEXT, _TEXT),
            opacity="1",
            font_family="system-ui, sans-serif",
            label_font_size=13,
            major_label_font_size=13,
            legend_font_size=14,
            value_font_size=13,
        ),
        **options,
    )
    chart.x_labels = labels
    for name, values in series.items():
        chart.add(name, values)
    return chart


MARKS = 6
"""Of an axis of counts, at most."""


def whole_steps(largest: float) -> list[int]:
    """Return the marks of an axis of counts that reaches up to `largest`: round whole numbers."""
    sizes = (size * 10**power for power in count() for size in (1, 2, 5))
    step = next(size for size in sizes if ceil(largest / size) < MARKS)
    return list(range(0, max(1, ceil(largest / step)) * step + 1, step))


def svg(chart: Any, *, name: str, description: str) -> bytes:
    """Return a chart as a file, always the same for the same values.

    `name` tells it from others in one document. `description` says in words what is to be seen.
    """
    chart.uuid = name
    chart.add_xml_filter(lambda root: _plain(root, name, description))
    return bytes(chart.render())


def _plain(root: Any, name: str, description: str) -> Any:
    """Take out what only a script would use, and let a reader of the screen know what it shows."""
    for parent in list(root.iter()):
        for child in list(parent):
            is_comment = not isinstance(child.tag, str)
            is_for_scripts = child.tag == "script" or child.get("class") == "plot tooltip-overlay"
            is_place = child.tag == "desc" and child.get("class") != "label"
            is_empty = child.tag == "title" and not child.text
            if is_comment or is_for_scripts or is_place or is_empty:
                parent.remove(child)
            elif child.tag == "desc":
                child.tag = "title"
                del child.attrib["class"]
    title = root.find("title")
    title.set("id", f"{name}-title")
    root.remove(title)
    said = root.makeelement("desc", {"id": f"{name}-description"})
    said.text = description
    root.insert(0, title)
    root.insert(1, said)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    return root
