"""The other sites that the lead form may stand in: administrators name them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.leads.models import EmbeddingSite
from marketplace.leads.rules import origin_of


def may_embed(session: Session, origin: str) -> bool:
    """Return whether the form may stand in the site of this origin."""
    known = select(EmbeddingSite.id).where(EmbeddingSite.origin == origin)
    return session.scalar(known) is not None


def embedding_sites(session: Session, actor: Actor) -> Sequence[EmbeddingSite]:
    """Return all of them, by name."""
    actor.require_admin()
    return session.scalars(
        select(EmbeddingSite).order_by(EmbeddingSite.name, EmbeddingSite.origin)
    ).all()


def add_site(ctx: Context, actor: Actor, form: Form) -> EmbeddingSite:
    """Let the form stand in a site. Added twice, it is there once: `Conflict`."""
    actor.require_admin()
    problems, origin = [], ""
    if form.values.get("address"):
        try:
            origin = origin_of(form.values["address"])
        except ValueError as wrong:
            problems.append(FieldError("/address", str(wrong)))
    values = form.accept(problems)
    try:
        with ctx.transaction() as tx:
            site = EmbeddingSite(
                id=new_id(),
                origin=origin,
                name=values["name"],
                added_at=tx.now,
                added_by=actor.id,
            )
            tx.session.add(site)
            tx.session.flush()
            record(tx, actor, "embedding_site.added", site.id, origin=origin)
            return site
    except IntegrityError:
        raise Conflict(f"the form may stand in {origin} already") from None


def remove_site(ctx: Context, actor: Actor, site_id: UUID) -> None:
    """Let the form stand in a site no longer; requests that came from it stay as they are."""
    actor.require_admin()
    with ctx.transaction() as tx:
        site = tx.session.get(EmbeddingSite, site_id, with_for_update=True)
        if site is None:
            raise NotFound("no such site")
        record(tx, actor, "embedding_site.removed", site.id, origin=site.origin)
        tx.session.delete(site)
