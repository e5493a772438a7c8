"""Every reason is documented, with its meaning as the code states it, and nothing else is."""

import re
from pathlib import Path

import pytest

from autoscaler.policy.reasons import MEANING, Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reasons.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TOLD = {" ".join(line.split()) for path in (ROOT / "tests" / "scenarios").glob("*.txt") for line in path.read_text().splitlines()}


def test_every_reason_has_its_page_and_no_other():
    """The headings are exactly the codes, in the same order."""
    assert [r.value for r in Reason] == re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_told_in_full(reason):
    """The page says what the code says, what would change it, and what to do."""
    section = SECTIONS[reason]

    assert section.startswith(f"{MEANING[reason]}\n")
    assert re.search(r"^\*What would change it:\* \S", section, re.MULTILINE)
    assert re.search(r"^\*What to do:\* \S", section, re.MULTILINE)


@pytest.mark.parametrize("reason", Reason)
def test_its_numbers_are_real(reason):
    """The example is a step with this code that some scenario's `explain` has told."""
    (example,) = re.findall(r"^```\n(.+)\n```$", SECTIONS[reason], re.MULTILINE)

    assert f" {reason} " in example
    assert " ".join(example.split()) in TOLD
