"""What the README shows is what the program says."""

import re
from pathlib import Path

import pytest
import yaml

from autoscaler.config.load import load
from autoscaler.model import Known, Memory, Observation, Policies, PoolPolicy, QueueSight
from autoscaler.policy.decide import decide
from autoscaler.report.sentence import waterfall

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_is_short():
    """A newcomer reads all of it."""
    assert len(README.splitlines()) <= 150


def test_its_configuration_loads(tmp_path):
    """The smallest configuration of the README is valid."""
    (text,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "pools:" in block)
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert list(load(path, {}).pools) == ["mail"]


def test_its_compose_service_parses():
    """The compose fragment is YAML with our service."""
    (text,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "services:" in block)
    assert "autoscaler" in yaml.safe_load(text)["services"]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(((?!http|#)[^)]+)\)", README))))
def test_its_links_lead_somewhere(link):
    """Every relative link names a file or folder of the project."""
    assert (ROOT / link).exists()


def test_its_decision_is_what_the_code_decides():
    """The worked example is computed by `decide`, numbers and words."""
    import sys

    sys.path.insert(0, str(ROOT / "tests" / "policy"))
    from builders import NOW, fleet

    policy = PoolPolicy("mail", ("mail",), 0, 10, slots=4)
    look = Observation(NOW, {"mail": QueueSight("mail", Known(9, NOW, "flower"))}, {}, Known((), NOW, "fleet"))
    ready = fleet(3, 3, pool="mail")
    look = Observation(NOW, look.queues, {w.name: w for w in ready["workers"]}, Known(ready["containers"], NOW, "fleet"))
    decision = decide(Policies("t", 2.0, 20, {"mail": policy}), look, Memory(), NOW)
    (line,) = waterfall(decision.pools[0])
    assert re.sub(r"\s+", " ", line) in re.sub(r"\s+", " ", README)
