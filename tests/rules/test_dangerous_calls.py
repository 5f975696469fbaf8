"""What the code never does, and what it does in few places alone, read off the code itself."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from marketplace.accounts.rules import CODE_LENGTH, CODE_LETTERS
from marketplace.core.links import new_token

ROOT = Path(__file__).parents[2]

CODE = [*(p for room in ("config", "marketplace", "workers") for p in (ROOT / room).rglob("*.py"))]

SCRIPTS = sorted((ROOT / "marketplace/web/static").glob("*.js"))

NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "pickle.loads", "pickle.load", "marshal.loads", "hashlib.md5", "hashlib.sha1", "hashlib.new",
    "render_template_string", "ssl._create_unverified_context", "tempfile.mktemp",
}  # fmt: skip
"""Runs texts as code, takes objects out of bytes, or is broken."""

NEVER_IMPORTED = {
    "pickle",
    "marshal",
    "shelve",
    "yaml",
    "xml",
    "lxml",
    "ldap",
    "telnetlib",
    "ftplib",
}

DRAWS = {
    "marketplace/matching": "the fair turn is drawn from a seed, to be replayed",
    "marketplace/notifications/delivery.py": "how long to wait before the next try",
}
"""Where `random` may be used: where nobody gains by foreseeing it."""

CALLS_OUT = {
    "marketplace/providers/outward.py": "webhooks, to public addresses alone",
    "marketplace/providers/calling.py": "by the one above, whose errors it knows",
    "marketplace/notifications/channels.py": "mail, to the address of the settings",
    "config/sentry.py": "faults, to the address of the settings",
    "marketplace/local/doorway.py": "this machine's own site",
    "marketplace/local/rehearsal.py": "this machine's own site",
}
"""Who speaks to another server by HTTP; who adds one, names it in `config/SECURITY.md` too."""

HTTP = {
    "http.client",
    "urllib.request",
    "requests",
    "httpx",
    "aiohttp",
    "sendgrid",
    "python_http_client",
    "sentry_sdk",
}

MARKUP = {
    "marketplace/web/pages/second_factor.py": 1,
    "marketplace/web/pages/quoting.py": 1,
    "marketplace/notifications/wording.py": 1,
}
"""How often a text that is not a literal is taken for markup; each line says why it may be."""


def name_of(node):
    """Return the name that is called, with its module where it has one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


@dataclass(frozen=True)
class Parsed:
    """A file of the product, with what is looked at of it; all of it is walked once."""

    path: str
    text: str
    calls: list[ast.Call]
    imported: set[str]


@cache
def parsed():
    """Return every file of the product."""
    return [_parsed(path) for path in CODE]


def _parsed(path):
    text = path.read_text(encoding="utf-8")
    calls, imported = [], set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            calls.append(node)
        elif isinstance(node, ast.Import):
            imported.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(node.module)
            imported.update(f"{node.module}.{each.name}" for each in node.names)
    return Parsed(str(path.relative_to(ROOT)), text, calls, imported)


def test_no_text_is_run_and_nothing_insecure_is_called():
    assert len(CODE) > 300
    for each in parsed():
        path = each.path
        for call in each.calls:
            assert name_of(call.func) not in NEVER, (path, call.lineno)
            for keyword in call.keywords:
                value = getattr(keyword.value, "value", None)
                assert (keyword.arg, value) != ("shell", True), (path, call.lineno)
                assert (keyword.arg, value) != ("verify", False), (path, call.lineno)
                assert (keyword.arg, value) != ("autoescape", False), (path, call.lineno)
        parts = {name.partition(".")[0] for name in each.imported}
        assert not parts & NEVER_IMPORTED, path
        assert "CERT_NONE" not in each.text, path


def test_whoever_excuses_a_finding_says_which_and_why():
    excused = 0
    for path in [*CODE, ROOT / "wsgi.py"]:
        lines = path.read_text(encoding="utf-8").splitlines()
        for above, line in zip(["", *lines], lines, strict=False):
            if "nosec" in line:
                excused += 1
                assert re.search(r"# nosec B\d{3}(  # \w|$)", line), (path, line)
                assert re.search(r"# nosec B\d{3}  # ", line) or "# " in above, (path, line)
    assert excused > 50


def test_what_can_be_foreseen_is_drawn_only_where_nobody_gains_by_it():
    for each in parsed():
        if any(name.partition(".")[0] == "random" for name in each.imported):
            assert each.path.startswith(tuple(DRAWS)), each.path


def test_what_opens_doors_holds_as_many_bits_as_is_said():
    drawn = {new_token("session").removeprefix("session_") for _ in range(1000)}
    assert len(drawn) == 1000
    assert {len(each) for each in drawn} == {32}  # of 64 letters: 192 bits
    assert len(set().union(*drawn)) == 64
    assert len(set(CODE_LETTERS)) ** CODE_LENGTH >= 2**128


def test_other_servers_are_called_by_few_rooms_alone():
    found = {each.path for each in parsed() if HTTP & each.imported}
    assert found <= set(CALLS_OUT)
    assert "marketplace/providers/outward.py" in found


def test_only_literals_and_few_texts_more_are_taken_for_markup():
    found = {}
    for each in parsed():
        for call in each.calls:
            literal = all(isinstance(given, ast.Constant) for given in call.args)
            if name_of(call.func).rpartition(".")[2] == "Markup" and not literal:
                found[each.path] = found.get(each.path, 0) + 1
    assert found == {path: n for path, n in MARKUP.items() if path in found}
    templates = [*(ROOT / "marketplace").rglob("*.html")]
    assert len(templates) > 50
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"autoescape\s+false", text), path
        for expression in re.findall(r"(\S+)\s*\|\s*safe\b", text):
            assert expression.endswith(("'", '"')), (path, expression)  # a literal


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_writes_text_and_no_markup_and_runs_none(path):
    script = path.read_text(encoding="utf-8")
    for never in (
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "eval(",
        "new Function", "__proto__", "document.cookie", "indexedDB", 'setTimeout("', "import(",
    ):  # fmt: skip
        assert never not in script, never
    # Messages come in by the one script that looks where they are from, and go to a named site.
    assert ('"message"' in script) == (path.name == "embed.js")
    assert not re.search(r"""postMessage\([^;]*["']\*["']""", script)
    # What was typed is kept by the lead form alone.
    assert ("Storage" in script) == (path.name == "lead_form.js")
