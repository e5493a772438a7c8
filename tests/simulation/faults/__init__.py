"""The catalogue: everything that can go wrong in a story, as data.

    catalogue.py   what a fault is, and the list of all
    neighbours.py  Flower, the broker and the engine
    daemon.py      the daemon itself, its clock and its disk
    configuration.py
    workers.py     workers, and whoever else is on the host
    people.py      orders, and other daemons

To add one, write it into one of these: stories draw from all that are listed.
"""

from . import configuration, daemon, neighbours, people, workers
from .catalogue import FAULTS, weights

__all__ = ["FAULTS", "configuration", "daemon", "neighbours", "people", "weights", "workers"]
