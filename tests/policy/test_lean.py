"""Values that are made cheaply are frozen dataclasses all the same."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from autoscaler.model import Flow, Memory, Phase, PoolMemory, PoolView, Replica
from autoscaler.model.lean import changed, lean


@lean
@dataclass(frozen=True, slots=True)
class Box:
    """A value with a default and something derived."""

    width: int
    height: int = 2
    area: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.area = self.width * self.height


@pytest.mark.parametrize("change", [lambda box: setattr(box, "width", 9), lambda box: delattr(box, "width")])
def test_lean_value_is_frozen(change):
    """No field can be set or deleted once it is made."""
    box = Box(3)

    with pytest.raises(FrozenInstanceError):
        change(box)

    assert box.width == 3


def test_lean_value_has_slots_alone():
    """It takes no more memory than its fields."""
    assert not hasattr(Box(3), "__dict__")


def test_equal_lean_values_hash_alike():
    """They are compared by their fields, like those of any dataclass."""
    assert Box(3, height=2) == Box(3) != Box(4)
    assert hash(Box(3, height=2)) == hash(Box(3))


def test_derived_field_follows_a_replaced_one():
    """A copy with another field is made anew, with all that follows from it."""
    assert replace(Box(3), height=5).area == 15


def test_quick_copy_with_changes_is_what_replace_makes():
    """With its default, with all that follows from the other field, and as frozen."""
    made = changed(Box(3), height=5)

    assert (made, made.area) == (replace(Box(3), height=5), 15)
    with pytest.raises(FrozenInstanceError):
        made.height = 6


def test_quick_copy_knows_its_fields():
    """As `replace` does: a field that is none is refused."""
    with pytest.raises(AttributeError, match="depth"):
        changed(Box(3), depth=1)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copy_of_a_lean_value_is_equal_and_frozen(again):
    """Copied, or handed to another process, it is what it was."""
    view = PoolView("p", (), 3, 0, (Replica("w", "c", Phase.READY, 0.0, 4, 1),), (), 0.0, (), Flow(at=1.0))

    made = again(view)

    assert (view, 1) == (made, made.busy)
    with pytest.raises(FrozenInstanceError):
        made.waiting = 4


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_wrong_number_of_arguments_is_refused(arguments):
    """As in a call of any class."""
    with pytest.raises(TypeError, match=r"Box\.__new__\(\)"):
        Box(*arguments)


def test_default_made_anew_is_no_ones_else():
    """Each value gets a default of its own where the field says so."""
    first, second = Memory(), Memory()

    first.pools["p"] = PoolMemory()

    assert second == Memory(pools={})


def test_fields_stay_those_of_the_dataclass():
    """Whoever writes a value down finds every field of it, in order."""
    assert [f.name for f in fields(Box)] == ["width", "height", "area"]
