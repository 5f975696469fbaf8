"""`Idempotency-Key` on creating requests: done once, answered the same."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from cryptography.fernet import InvalidToken
from flask import Response, make_response, request

from marketplace.core import idempotency
from marketplace.core.errors import Conflict, FieldError, Invalid
from marketplace.core.idempotency import Answer
from marketplace.core.sealing import Seal
from marketplace.web.auth import bearer, current_context

View = TypeVar("View", bound=Callable[..., Any])

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotent(view: View) -> View:
    """Honour the key on this view. Goes outermost, so that it sees the finished response."""
    return _guarded(view, repeatable=True)


def idempotent_secret(view: View) -> View:
    """Honour the key on a view whose answer holds a secret: the second time is refused."""
    return _guarded(view, repeatable=False)


def _guarded(view: View, *, repeatable: bool) -> View:
    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        if not _KEY.fullmatch(key):
            raise Invalid([FieldError("", "Idempotency-Key must be 1 to 255 visible characters")])
        ctx = current_context()
        scope = idempotency.digest(bearer() or "", request.method, request.path, key)
        # By what whoever sent it alone knows: erasure reaches nobody's words in here, and need not.
        seal = Seal(f"{bearer() or ''}\0{key}", "kept answer")
        first = idempotency.begin(ctx, scope, idempotency.digest(request.get_data(cache=True)))
        if first is not None:
            if not repeatable:
                raise Conflict("this was done before, and what it answered is shown only once")
            return Response(
                _opened(seal, first.body), first.status, content_type="application/json"
            )
        try:
            response = make_response(view(*args, **kwargs))
        except BaseException:
            idempotency.abandon(ctx, scope)
            raise
        kept = seal.close(response.get_data()) if repeatable else b""
        idempotency.finish(ctx, scope, Answer(response.status_code, kept))
        return response

    wrapper.honours_idempotency_key = True  # type: ignore[attr-defined]  # for the documentation
    return cast(View, wrapper)


def _opened(seal: Seal, kept: bytes) -> bytes:
    try:
        return seal.open(kept)
    except InvalidToken:  # kept before answers were sealed, and gone within a day of that
        return kept
