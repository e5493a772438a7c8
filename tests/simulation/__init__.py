"""The whole daemon on a machine that does not exist, in a world where everything goes wrong by a seed.

    machine.py      threads that take turns and clocks that move only when all of them wait
    doors.py        puts the machine and the world in the place of the operating system and the network, and back
    broker.py engine.py flower.py worker.py tasks.py     the world behind the doors; every task is accounted for
    faults.py       the catalogue: what can go wrong, as data
    story.py        what a seed means: a configuration, work, and faults with their times
    invariants.py   what must hold, as data, with the promise that it belongs to
    run.py          plays a story and checks
    shrink.py       finds the shortest story that still fails
    mutations.py    deliberate faults of the product, each of which some seed must catch

`python -m tests.simulation` plays many seeds, or one; `make simulate` does the same.
"""
