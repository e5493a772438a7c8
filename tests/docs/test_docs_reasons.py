"""Every reason is documented, with its meaning as the code states it, and nothing else is."""

import re
from pathlib import Path

from autoscaler.policy.reasons import MEANING, Reason

PAGE = (Path(__file__).parents[2] / "docs" / "reasons.md").read_text()


def test_every_reason_has_its_page_and_no_other():
    """The headings are exactly the codes, in the same order."""
    assert [r.value for r in Reason] == re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)


def test_meanings_are_the_code_s():
    """The page says what the code says, and what to do."""
    sections = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    for reason in Reason:
        assert MEANING[reason] in sections[reason]
        assert "*What to do:*" in sections[reason]
