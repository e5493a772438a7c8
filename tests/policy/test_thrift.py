"""Idle workers and a budget that would not last."""

from dataclasses import replace

from builders import NOW, a_policy, calm, decided, fleet, seen

from autoscaler.model import Step
from autoscaler.policy.rules import Proposal
from autoscaler.policy.thrift import thrift


def test_a_window_shorter_than_the_thrift_is_left_alone():
    """Who would be kept longer for the cost of a restart than the window keeps him leaves by the window."""
    look = seen(waiting=0, **fleet(0, 0))
    memory, policy = calm(look).of("p"), a_policy()
    view = decided(policy, look).view
    kept = (Step("demand", 2, 0, "NoDemand", ""), Step("stabilization", 0, 2, "ScaleDownStabilized", ""))

    def after(keep_seconds):
        purse = replace(view.purse, keep_seconds=keep_seconds, words="the budget would not last")
        proposal = Proposal.begin(policy, replace(view, purse=purse), replace(memory, needs=()), NOW, kept[0])
        return thrift(proposal.take(kept[1]))

    assert after(100_000.0) is None
    assert after(0.0).after == 0
