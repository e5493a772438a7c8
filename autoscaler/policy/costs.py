"""Learns what Flower, an idle worker, a busy one, a task and a start cost a broker, from the server's own counter.

Each reading says: so many commands for so much of each. That is a line of a linear system, and the answer is the least squares
solution that stays near the usual values where the readings say nothing: a ridge towards them, with each cost first believed to
within its own size and each reading to within a tenth. Old readings fade, so that a change of flags is learned within hours.

A sixth unknown stands for everybody else: producers, consoles, other clients, so and so many commands a second. A counter alone
cannot tell them from workers that are always there, so beyond the usual they are believed first: flags make a worker cheaper than
the default, seldom dearer. Only a fleet that comes and goes shows the difference. Nothing but the five costs is handed on: what
they do not explain `meter.py` calls unexplained.
"""

from __future__ import annotations

from dataclasses import astuple, fields

from autoscaler.model.spending import USUAL, Exposure

NAMES = tuple(field.name for field in fields(Exposure))
SIZE = len(NAMES) + 1
TRIANGLE = SIZE * (SIZE + 1) // 2
FADE = 0.97
READING_ERROR = 0.1
LEAST_COMMANDS = 50.0
"""Fewer commands than this are not told apart by a tenth."""
LEARNED_PRECISION = 25.0
"""Evidence that pins a cost five times as narrowly as the first belief did."""
OTHERS_PER_SECOND = 5.0
"""How much of everybody else is believed without evidence; three times an idle worker."""
EXPECTED = (*astuple(USUAL), 0.0)
DOUBT = (*astuple(USUAL), OTHERS_PER_SECOND)
"""The ridge: what is believed first, and to within how much."""


def learn(evidence: tuple[float, ...], units: Exposure, seconds: float, commands: float) -> tuple[float, ...]:
    """The evidence with one more reading: so many commands for so many units within so many seconds."""
    error = READING_ERROR * max(LEAST_COMMANDS, commands)
    x = [value / error for value in (*astuple(units), seconds)]
    products = [x[i] * x[j] for i in range(SIZE) for j in range(i, SIZE)] + [x_i * commands / error for x_i in x]
    return tuple(FADE * kept + new for kept, new in zip(_sound(evidence), products, strict=True))


def solve(evidence: tuple[float, ...]) -> tuple[Exposure, tuple[str, ...]]:
    """The costs that fit the evidence best, none below zero, and the names of those that it pins down.

    >>> evidence = ()
    >>> for workers in (1, 3, 0, 2):
    ...     evidence = learn(evidence, Exposure(flower=600, idle=600 * workers), 600, 160 + 720 * workers)
    >>> costs, learned = solve(evidence)
    >>> round(costs.idle, 1), learned
    (1.2, ('flower', 'idle'))
    """
    if not evidence:
        return USUAL, ()
    matrix = [[0.0] * SIZE for _ in range(SIZE)]
    entries = iter(_sound(evidence))
    for i in range(SIZE):
        for j in range(i, SIZE):
            matrix[i][j] = matrix[j][i] = next(entries)
    learned = tuple(name for i, name in enumerate(NAMES) if matrix[i][i] * DOUBT[i] ** 2 >= LEARNED_PRECISION)
    right = [b + EXPECTED[i] / DOUBT[i] ** 2 for i, b in enumerate(entries)]
    for i in range(SIZE):
        matrix[i][i] += 1.0 / DOUBT[i] ** 2
    *costs, _ = _without_negatives(matrix, right)
    return Exposure(*costs), learned


def _sound(evidence: tuple[float, ...]) -> tuple[float, ...]:
    """None where it is of another shape: an older version's, out of the journal."""
    return evidence if len(evidence) == TRIANGLE + SIZE else (0.0,) * (TRIANGLE + SIZE)


def _without_negatives(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution with what would come out below zero set to zero and the rest solved anew."""
    free = list(range(SIZE))
    while True:
        values = _eliminate([[matrix[i][j] for j in free] for i in free], [right[i] for i in free])
        below = [i for i, value in zip(free, values, strict=True) if value < 0]
        if not below:
            solution = dict(zip(free, values, strict=True))
            return [solution.get(i, 0.0) for i in range(SIZE)]
        free = [i for i in free if i not in below]


def _eliminate(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss without pivots, which a symmetric matrix with a ridge does not need."""
    n = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(n):
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    values = [0.0] * n
    for i in reversed(range(n)):
        values[i] = (rows[i][n] - sum(rows[i][j] * values[j] for j in range(i + 1, n))) / rows[i][i]
    return values
