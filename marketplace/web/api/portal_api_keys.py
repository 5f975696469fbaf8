"""Keys for a provider's own software."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import keys, queries
from marketplace.accounts.models import ApiKey
from marketplace.core.actors import Scope
from marketplace.core.forms import Form
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import IN_THIS_AGE, Choice, In, ListOf, Moment, Text, optional
from marketplace.web.idempotency import idempotent_secret
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "API keys",
    __name__,
    url_prefix="/api/v1/portal/api-keys",
    description="Keys for a provider's own software, made by people who signed in",
)


class NewApiKeySchema(In):
    """What a key is for, what it may do (everything, unless that is said), and until when."""

    name = Text(at_most=100, required=True)
    scopes = ListOf(Choice(Scope), least=1, most=len(Scope), **optional())
    expires_at = Moment(validate=IN_THIS_AGE, **optional())


class ApiKeySchema(Schema):
    """A key, without its secret."""

    id = fields.UUID()
    name = fields.String()
    scopes = fields.List(Choice(Scope))
    made_by = fields.UUID()
    """Who answers for it: it does no more than they may."""
    created_at = Moment()
    expires_at = Moment(allow_none=True)
    last_used_at = Moment(allow_none=True)


class MadeApiKeySchema(ApiKeySchema):
    """A new key, with the secret that is shown this once."""

    secret = fields.String()


class ApiKeyPageSchema(Schema):
    """A page of keys."""

    items = fields.List(fields.Nested(ApiKeySchema))
    next = fields.String(allow_none=True)


@blp.route("")
class ApiKeys(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, ApiKeyPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """The keys that are good, newest first."""
        rows = queries.api_keys_of(current_actor().own_provider())
        with current_context().reading() as session:
            items, following = page(session, rows, ApiKey.id, **args)
            return {"items": items, "next": following}

    @idempotent_secret
    @blp.arguments(NewApiKeySchema)
    @blp.response(201, MadeApiKeySchema)
    def post(self, form: Form) -> dict[str, Any]:
        """Make a key; its secret is in this answer and never again."""
        made = keys.make_api_key(current_context(), current_actor(), form)
        return {**made.key.columns, "secret": made.secret}


@blp.route("/<uuid:key_id>")
class OneApiKey(MethodView):
    @blp.response(204)
    def delete(self, key_id: UUID) -> None:
        """Revoke a key: it is refused from now on."""
        keys.revoke_api_key(current_context(), current_actor(), key_id)
