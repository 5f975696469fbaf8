"""Count what the campaigns tried, and say it at the end of the run, from whichever process."""

from collections import Counter
from typing import Any

import pytest

from tests.fuzz.sizes import LONG, SEED

KEY = "tried"

_said: list[str] = []


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Any:
    """Count inputs by what they were sent to; the figures stand at the end of the run."""
    tried: Counter[str] = Counter()
    yield tried
    if tried:
        name = request.node.nodeid.rpartition("/")[2]
        figures = ", ".join(f"{count:,} {what}" for what, count in sorted(tried.items()))
        request.node.user_properties.append((KEY, f"tried: {figures} ({name})"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _said.extend(str(said) for key, said in report.user_properties if key == KEY)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _said:
        terminalreporter.section(f"what the campaigns tried{f', seed {SEED}' if LONG else ''}")
        for line in _said:
            terminalreporter.write_line(line)
