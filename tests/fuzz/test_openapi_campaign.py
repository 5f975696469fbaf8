"""Schemathesis against the whole OpenAPI document, as each role, by every check that can hold."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
import schemathesis.hooks
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from schemathesis.config import ProjectConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.wsgi import WSGITransport

from marketplace.web import openapi
from tests.fuzz.sizes import LONG, SEED, draw, left
from tests.fuzz.world import ROLES, World, role_of

EXCLUDED = {
    # Of one who reads what another made it takes several identities at once: the roles here, one
    # after another; tests/api/test_authorisation.py and tests/api/test_nothing_leaks.py ask that.
    "object_level_authorization",
    # No time is promised, and the machine is shared.
    "max_response_time",
}

ACCEPTANCE = ["2xx", "3xx", "401", "403", "404", "409", "410", "422", "429", "503"]
"""What well-formed input may be told: 422 says what only the catalogue, check digits or today's
date can tell, 410 that nobody was given such a token. Never that it cannot be read (400, 415)."""

PLACEHOLDER = "Bearer whoever-it-is-the-turn-of"
"""Stands for the credential, which changes while the campaign runs: what it does may end it."""

HEADERS = {
    "Authorization": PLACEHOLDER,
    # The library asks for what it does not unpack where it calls an application directly.
    "Accept-Encoding": "identity",
}

AS_DOCUMENTED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

TURNS = ROLES if LONG else ("everybody in turn",)


class Campaign:
    """Sends what the library makes up, with ids of things that exist, and counts who got where."""

    def __init__(self, world: World, turn: str) -> None:
        self.world, self.turn = world, turn
        self.chance = draw(f"openapi {turn}")
        self.called: str | None = None  # whose turn it is, where that was said
        self.role = ROLES[0] if turn not in ROLES else turn
        self.reached: Counter[tuple[str, str]] = Counter()
        self.welcomed: set[str] = set()
        self.doubted: set[str] = set()
        self.failures: dict[tuple[str, str, str], str] = {}
        self.schema = schemathesis.openapi.from_wsgi("/api/openapi.json", self._serve)
        _configure(self.schema.config)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Have a word before each call, and hear of its answer."""

        @schemathesis.hook
        def before_call(context: Any, case: Any, kwargs: Any) -> None:
            with self.world.app.app_context():  # the library works in a thread of its own
                self.prepare(case)

        @schemathesis.hook
        def after_call(context: Any, case: Any, response: Response) -> None:
            self.note_answer(case.operation.label, response.status_code)

        try:
            yield
        finally:
            for each in (before_call, after_call):
                schemathesis.hooks.unregister(each)

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_AUTHORIZATION") == PLACEHOLDER:
            del environ["HTTP_AUTHORIZATION"]
            for name, value in self.world.headers[self.role].items():
                environ[f"HTTP_{name.upper()}"] = value
        with self.world.app.app_context():  # of its own, as on a server
            return self.world.app(environ, start_response)

    def prepare(self, case: Any) -> None:
        """Say whose turn it is, and put ids of things that exist where the library made some up."""
        label = case.operation.label
        if self.turn not in ROLES:
            self.role = self.called or min(ROLES, key=lambda role: self.reached[label, role])
        if self.role in self.doubted:
            self.doubted.discard(self.role)
            if not self.world.is_whole(self.role):
                self.world.renew(self.role)
        for name, value in (case.path_parameters or {}).items():
            if is_id(value) or name == "code":
                segment = case.path.partition(f"/{{{name}}}")[0].rpartition("/")[2]
                case.path_parameters[name] = self.id_for(name, segment)
        if isinstance(case.body, dict):
            for name, value in case.body.items():
                if name.endswith("_id") and is_id(value):
                    case.body[name] = self.id_for(name, "")

    def id_for(self, name: str, segment: str) -> str:
        return self.world.somebodys_id(name, segment, self.role, self.chance)

    def note_answer(self, label: str, status: int) -> None:
        self.reached[label, self.role] += 1
        if 200 <= status < 300:
            self.welcomed.add(label)
        elif status in (401, 409) and self.role != "nobody":
            self.doubted.add(self.role)

    def run(self) -> None:
        """Let the library go through its phases, and note every failure once."""
        with self._listening():
            self._go_through()

    def _go_through(self) -> None:
        for event in from_schema(self.schema).execute():
            if isinstance(event, events.FatalError):
                raise event.exception
            if isinstance(event, events.NonFatalError):
                self.failures["", event.label, "error"] = str(event.value)
            if isinstance(event, events.ScenarioFinished):
                for checks in event.recorder.checks.values():
                    for check in checks:
                        if check.failure_info is not None:
                            self._note(event.recorder.label, check.name, check.failure_info)

    def _note(self, label: str, check: str, info: Any) -> None:
        said = f"{info.failure.title}: {info.failure.message}\n{info.code_sample}"
        self.failures.setdefault((self.role, label, check), said)

    def reach_the_rest(self) -> None:
        """Send a plain request where there was not enough to make up for each role's turn."""
        with self._listening():
            self._send_plain()

    def roles_for(self, operation: Any) -> tuple[str, ...]:
        """Return who has to reach it: in the short form whom it is for, and another in turn."""
        if self.turn in ROLES:
            return (self.turn,)
        welcome = role_of(operation.definition.raw, operation.path)
        number = len(self.reached)
        return (welcome, [role for role in ROLES if role != welcome][number % 4])

    def _send_plain(self) -> None:
        for found in self.schema.get_all_operations():
            operation = found.ok()
            for role in self.roles_for(operation):
                self.called = role
                while not self.reached[operation.label, role]:
                    ids = {
                        parameter.name: str(uuid.UUID(int=self.chance.getrandbits(128)))
                        for parameter in operation.path_parameters
                    }
                    case = operation.Case(path_parameters=ids)
                    try:
                        case.call_and_validate(checks=AS_DOCUMENTED, headers=HEADERS)
                    except FailureGroup as found_wrong:
                        said = "\n".join(str(each) for each in found_wrong.exceptions)
                        self.failures[role, operation.label, "documented"] = said


def _configure(config: ProjectConfig) -> None:
    config.update(headers=dict(HEADERS), workers=1, continue_on_failure=True)
    config.seed = SEED
    config.generation.deterministic = not LONG
    config.generation.max_examples = 50 if LONG else 1
    config.max_time = int(left()) if LONG else None
    config.generation.no_shrink = True  # the first of each kind is shown as it was sent
    config.phases.examples.enabled = config.phases.coverage.enabled = LONG
    config.phases.stateful.enabled = LONG
    config.phases.stateful.generation.max_examples = 20
    config.checks.update(excluded_check_names=sorted(EXCLUDED))
    config.checks.positive_data_acceptance.expected_statuses = ACCEPTANCE


def is_id(value: Any) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


@pytest.fixture
def own_calls_too(monkeypatch):
    """Let the library's own probes through: it hands them options of calls by network."""
    send = WSGITransport.send
    by_network = ("max_redirects", "verify", "cert", "proxies", "timeout", "allow_redirects")

    def without_options(self, case, *, session=None, **kwargs):
        taken = {name: value for name, value in kwargs.items() if name not in by_network}
        return send(self, case, session=session, **taken)

    monkeypatch.setattr(WSGITransport, "send", without_options)


@pytest.mark.parametrize("turn", TURNS)
def test_whatever_is_sent_to_any_operation_is_answered_as_documented(
    world, counted, own_calls_too, turn
):
    campaign = Campaign(world, turn)
    load_all_checks()
    checks = campaign.schema.config.checks
    enabled = {name for name in CHECKS.get_all_names() if checks.get_by_name(name=name).enabled}
    assert enabled == set(CHECKS.get_all_names()) - EXCLUDED

    campaign.run()
    campaign.reach_the_rest()
    documented = {
        f"{method.upper()} {path}"
        for path, method, _ in openapi.operations(campaign.schema.raw_schema)
    }
    assert documented <= {label for label, _ in campaign.reached}
    for role in ROLES if turn not in ROLES else (turn,):
        reached = {label for label, who in campaign.reached if who == role}
        assert len(reached) > len(documented) // 5, (role, reached)
        assert turn not in ROLES or documented <= reached, documented - reached
        counted[f"inputs as {role}"] += sum(
            n for (_, who), n in campaign.reached.items() if who == role
        )
    counted["operations"] = len(documented)
    counted["operations that did what was asked"] = len(campaign.welcomed)
    assert not campaign.failures, "\n\n".join(
        f"as {role}: {label}: {check}: {said}"
        for (role, label, check), said in sorted(campaign.failures.items())
    )
