"""How far every provider was from its fair share, strategy by strategy, as a picture."""

from collections.abc import Sequence

from marketplace.core import charts
from marketplace.matching.simulation.figures import Figures, Standing
from marketplace.matching.simulation.words import NAMES, in_words

TITLE = "Turns above or below the fair share: a circle for every provider"
WIDTH, MARGINS, ROW = 960, 150, 58


def drift_chart(shown: Sequence[Figures], *, market: str) -> bytes:
    """Return an SVG file with a row of circles for every strategy, the first on top."""
    rows = {figures.strategy: len(shown) - number for number, figures in enumerate(shown)}
    chart = charts.dots(
        series=len(shown),
        title=TITLE,
        x_title="turns more or less than the fair share",
        y_labels=[
            {
                "value": rows[figures.strategy],
                "label": f"{NAMES[figures.strategy]}: {figures.drift_mean:.1f} on average",
            }
            for figures in shown
        ],
        range=(0.4, len(shown) + 0.6),
        x_value_formatter=_turns,
        value_formatter=lambda _: "",
        width=WIDTH,
        height=MARGINS + ROW * len(shown),
    )
    for figures in shown:
        row = rows[figures.strategy]
        chart.add(
            NAMES[figures.strategy],
            [{"value": (each.drift, row), "label": _about(each)} for each in figures.standings],
        )
    return charts.svg(chart, name="drift", description=f"{market}. {in_words(shown)}")


def _turns(number: float) -> str:
    return f"{number:+.3g}" if number else "0"


def _about(standing: Standing) -> str:
    return f"{standing.name}: {standing.invited:g} turns of {standing.entitled:.1f}"
