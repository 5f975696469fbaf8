"""One form in, up to three comparable quotes from verified providers back, within 24 hours."""

import sys
from types import ModuleType
from typing import cast

if "opentelemetry" not in sys.modules:
    # Where OpenTelemetry is installed, redis-py imports its metrics: a third of a second of every
    # start, for a meter that nobody gives it. So, to it, OpenTelemetry is not installed.
    # `core.tracing` takes this away where traces are wanted.
    sys.modules["opentelemetry"] = cast(ModuleType, None)
