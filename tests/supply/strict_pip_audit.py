"""pip-audit, but an answer that does not say what is known against a package is none.

By itself it takes one without that for a good one: what a mirror of the package index gives, or a
proxy that keeps a part of answers.
"""

from typing import Any

from pip_audit import _cli
from pip_audit._service import PyPIService, ServiceError


class StrictService(PyPIService):
    """Reads answers of the index before anybody else does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session.hooks["response"].append(_require_a_word)


def _require_a_word(response: Any, **_: Any) -> None:
    if response.status_code == 200:
        said = response.json()
        if not isinstance(said, dict) or not isinstance(said.get("vulnerabilities"), list):
            raise ServiceError("an answer says nothing of what is known")


def main() -> None:
    """Be pip-audit, with the same arguments."""
    _cli.PyPIService = StrictService
    _cli.audit()


if __name__ == "__main__":
    main()
