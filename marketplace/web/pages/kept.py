"""What everybody asks for alike: read once a minute, and shown to all in between."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app

from marketplace.core.context import Context

Found = TypeVar("Found")


def once_a_minute(ctx: Context, read: Callable[[Context], Found]) -> Found:
    """Return what `read` returns, as it stood at some time in this minute."""
    minute = int(ctx.clock().timestamp() // 60)
    kept: dict[Any, tuple[int, Any]] = current_app.extensions.setdefault("kept", {})
    if read not in kept or kept[read][0] != minute:
        kept[read] = minute, read(ctx)
    found: Found = kept[read][1]
    return found
