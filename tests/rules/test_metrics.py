"""Processes that count together in the places that they take."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, os, sys
from pathlib import Path
from marketplace.core import metrics

def child(number, amount, lent):
    pid = os.fork()
    if pid == 0:
        metrics.take_place(os.getppid(), number)
        metrics.REQUESTS.labels("GET", "/a", "2xx").inc(amount)
        metrics.CONNECTIONS.labels("in_use").inc(lent)
        metrics.REQUEST_SECONDS.labels("api").observe(amount)
        os._exit(0)
    os.waitpid(pid, 0)

for _ in range(30):
    child(0, 1, 1)
    metrics.place_is_free(os.getpid(), 0)
child(1, 100, 3)  # it lives, as far as anybody was told
found = {s.name: s.value for f in metrics.registry().collect() for s in f.samples}
files = sorted(each.name for each in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).iterdir())
print(json.dumps([found, files, os.getpid()]))
"""


def test_places_keep_their_counts_and_their_number_whoever_comes_and_goes(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found, files, parent = json.loads(said.stdout)
    assert found["marketplace_requests_total"] == 130
    assert found["marketplace_request_seconds_count"] == 31
    assert found["marketplace_database_connections"] == 3  # of those that live
    assert [each for each in files if each.endswith("-0.db")] == [
        f"counter_{parent}-0.db", f"histogram_{parent}-0.db",
    ]  # fmt: skip
