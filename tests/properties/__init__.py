"""What holds for every market: generated ones, beside answers worked out the slow and plain way."""

import pytest

pytest.register_assert_rewrite("tests.properties.outcomes")
