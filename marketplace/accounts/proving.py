"""Prove once more who one is, before what would let somebody else in is changed (ASVS 7.5.1)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from marketplace.accounts import credentials, factors, rules, sessions, throttling
from marketplace.accounts.models import SignIn, User
from marketplace.accounts.throttling import NotProven
from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import FieldError, Invalid, NotSignedIn, ProofNeeded
from marketplace.core.forms import Form
from marketplace.core.links import token_hash

NOT_RIGHT = "is not right"


@dataclass(frozen=True, repr=False)
class Proven:
    """Who has proved to be who they are, in the transaction that may change what they sign in by.

    The user is locked.
    """

    tx: Transaction
    user: User
    session: SignIn


@contextmanager
def proven(
    ctx: Context,
    actor: Actor,
    token: str,
    form: Form,
    *,
    more: Sequence[FieldError] = (),
) -> Iterator[Proven]:
    """Check `current_password`, and `totp` of who has a second factor; then open a transaction.

    Everything that is wrong is named together (`more` included), and then no code is used up. Wrong
    ones are counted, and there is a wait between them as between sign-ins: for each session by
    itself, so that whoever guesses at one that was left open keeps its owner at another from
    nothing.

    It is proved for what follows, and for nothing later: only with another token does a proof last
    (`sessions.renewed`, `sessions.proved`), or whoever has stolen the one of now would have it too.
    """
    with ctx.reading() as session:
        row = sessions.session_of(session, token, ctx.policy, now=ctx.clock())
        user = None if row is None else session.get(User, row.user_id)
    if row is None or user is None or user.id != actor.id or user.password_hash is None:
        raise NotSignedIn("please sign in")
    problems = [*form.problems, *more]
    given = form.values.get("current_password")
    if not form.is_sound("current_password"):
        raise Invalid(problems)
    if given is None:
        raise Invalid([*problems, FieldError("/current_password", "is required")])
    with throttling.attempt(ctx, f"proof {row.id or user.id}"):
        if not credentials.is_password(
            rules.normal_password(str(given)), user.password_hash, is_exact=user.password_is_exact
        ):
            raise NotProven([*problems, FieldError("/current_password", NOT_RIGHT)])
        if problems:
            raise Invalid(problems)
        with ctx.transaction() as tx:
            locked = sessions.locked_person(tx, actor)
            if locked.password_hash != user.password_hash:
                raise NotProven([FieldError("/current_password", NOT_RIGHT)])
            code = form.values.get("totp")
            if locked.has_second_factor and not factors.use_code(tx, locked, code, ctx.seal):
                raise NotProven([FieldError("/totp", NOT_RIGHT)])
            yield Proven(tx, locked, sessions.own_session(tx, actor, token))


def is_fresh(row: SignIn, ctx: Context) -> bool:
    """Return whether whoever holds this session proved a moment ago who they are."""
    return row.proved_at is not None and ctx.clock() - row.proved_at < ctx.policy.proof_lasts


def forget_proof(ctx: Context, token: str) -> None:
    """Let whoever holds this session be asked again, the next time that it matters."""
    with ctx.transaction() as tx:
        row = tx.session.get(SignIn, token_hash(token), with_for_update=True)
        if row is not None:
            row.proved_at = None


def require_fresh(ctx: Context, token: str) -> None:
    """Raise `ProofNeeded` unless whoever holds this session proved a moment ago who they are."""
    with ctx.reading() as session:
        row = sessions.session_of(session, token, ctx.policy, now=ctx.clock())
    if row is None or not is_fresh(row, ctx):
        raise ProofNeeded("sign in anew first, or prove it: POST /api/v1/sessions/proof")
