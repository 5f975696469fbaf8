"""Which providers are related, which impartiality has to know (ISO/IEC 17021-1, 5.2)."""

from sqlalchemy import select

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.providers.coverage import lock_providers
from marketplace.providers.models import Relationship


def declare_relationship(ctx: Context, actor: Actor, form: Form) -> Relationship:
    """Note that two providers are related; said twice, it is there once."""
    actor.require_admin()
    with ctx.transaction() as tx:
        ids = {name: form.values.get(name) for name in ("provider_id", "other_id")}
        held = lock_providers(tx.session, [each for each in ids.values() if each is not None])
        problems = [
            FieldError(f"/{name}", "is not a provider")
            for name, each in ids.items()
            if each is not None and each not in held
        ]
        if not problems and ids["provider_id"] is not None and len(set(ids.values())) == 1:
            problems.append(FieldError("/other_id", "must be another provider"))
        start, end = form.values.get("from"), form.values.get("until")
        if start is not None and end is not None and start > end:
            problems.append(FieldError("/until", "must not be before its beginning"))
        wanted = form.accept(problems)
        pair = (wanted["provider_id"], wanted["other_id"])
        known = tx.session.scalar(
            select(Relationship).where(
                Relationship.provider_id.in_(pair),
                Relationship.other_id.in_(pair),
                Relationship.kind == wanted["kind"],
                Relationship.valid_from.is_not_distinct_from(start),
                Relationship.valid_until.is_not_distinct_from(end),
            )
        )
        if known is not None:
            return known
        relationship = Relationship(
            id=new_id(),
            provider_id=pair[0],
            other_id=pair[1],
            kind=wanted["kind"],
            valid_from=start,
            valid_until=end,
        )
        tx.session.add(relationship)
        record(tx, actor, "provider.related", pair[0], other=str(pair[1]), kind=wanted["kind"])
        for each in pair:
            tx.afterwards(Job.RECHECK_PROVIDER, each)
        return relationship
