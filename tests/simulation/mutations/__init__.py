"""Deliberate faults of the product, each of which some story must catch: the proof that the invariants bite.

A mutation puts something wrong in the place of something right for as long as a story is played; the source stays as it is. Most of
them stand at a seam that the rooms agree on (`seams.py`), so that they live on while the inside of a room changes. `caught` is
where it must show; `faults` are made frequent to make it show sooner.
"""

from . import power, tasks, word
from .seams import MUTATIONS, Mutation

__all__ = ["MUTATIONS", "Mutation", "power", "tasks", "word"]
