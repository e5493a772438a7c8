"""docs/operating.md: every command is one, every quoted sentence is the program's, every link and metric is there."""

import re
import shlex
from pathlib import Path

import pytest

from autoscaler.cli.commands import cli
from autoscaler.model import Failure
from autoscaler.policy.reasons import Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()
HEADINGS = re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
OURS = sorted({line for line in (*COMMANDS, *re.findall(r"`(autoscaler [a-z][^`]*)`", PAGE)) if line.startswith("autoscaler ")})
SAID = [quote for text in re.findall(r"^\*\*It says:\*\* (.+)$", PAGE, re.MULTILINE) for quote in re.findall(r"`([^`]+)`", text)]
CODE = "\n".join(path.read_text() for path in sorted((ROOT / "autoscaler").rglob("*.py")))
WORDS = re.sub(r'"\s*\n\s*f?"', "", CODE)
"""All program texts, with sentences that are broken over lines put together."""


def anchor(heading: str) -> str:
    """The address of a heading, as GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """A token to give orders with, and nobody who could be told."""
    (tmp_path / "token").write_text("a-token")
    monkeypatch.setenv("AUTOSCALER_TOKEN_FILE", str(tmp_path / "token"))


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("line", OURS)
def test_every_command_is_understood(line):
    """Name, arguments and options are the program's own; nothing is carried out."""
    _, name, *words = shlex.split(line)
    command = cli.commands[name]

    context = command.make_context(name, words)

    assert context.command is command


def test_other_commands_are_those_of_compose():
    """What is not ours is Compose, about our service."""
    others = [line for line in COMMANDS if line not in OURS]

    assert others
    assert [line for line in others if not re.fullmatch(r"docker compose (stop|restart|pull|up --detach) autoscaler", line)] == []


@pytest.mark.parametrize("quote", SAID)
def test_every_sentence_is_said(quote):
    """What stands between the dots stands in the program; codes are reasons or events."""
    parts = [part for part in re.split(r"…", quote) if len(part.strip(" (),.:")) > 2]

    assert parts or quote in ("broker:… …",)
    for part in parts:
        told = part.strip()
        assert told in WORDS or told.removesuffix(":") in ("flower", "fleet", "broker"), told


@pytest.mark.parametrize("name", sorted(set(re.findall(r"autoscaler_[a-z_]+", PAGE))))
def test_every_metric_is_documented(name):
    """The metric exists, with the labels' values that are named."""
    assert f"`{name}`" in (ROOT / "docs" / "metrics.md").read_text()


def test_reasons_are_codes():
    """Reasons in links are codes of a decision; words of failures are failures."""
    linked = re.findall(r"\[`(\w+)`\]\(reasons\.md#(\w+)\)", PAGE)

    assert linked
    assert [pair for pair in linked if pair[0] not in [r.value for r in Reason] or pair[1] != pair[0].lower()] == []
    assert set(re.findall(r'worker_failures_total\{reason="(\w+)"', PAGE)) <= {f.value for f in Failure}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", PAGE))))
def test_links_lead_somewhere(link):
    """To a file of the docs, and to a heading of it."""
    file, _, place = link.partition("#")
    page = (ROOT / "docs" / file).read_text() if file else PAGE

    assert not place or place in [anchor(heading) for heading in re.findall(r"^##+ (.+)$", page, re.MULTILINE)]


def test_a_symptom_says_what_to_do():
    """Every section with a symptom has an answer."""
    sections = re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)

    assert [name for name, text in sections if "**It says:**" in text and "**Do:**" not in text] == []


def test_headings_are_unique():
    """An alert's link leads to one place."""
    assert len(HEADINGS) == len(set(map(anchor, HEADINGS)))
