"""What a changing request may say: one JSON object per action, unknown keys refused, everything bounded, mistakes told in words.

`orders.py` makes orders of them; `docs/openapi.yaml` is held to these models by a test.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.exceptions import HTTPException

from autoscaler.config.units import quoted, seconds
from autoscaler.model import Direction
from autoscaler.report.sentence import line

MOST_REPLICAS = 10_000
MOST_TASKS = 1_000_000_000
MOST_QUEUES = 1000
MOST_MISTAKES = 8
PERIOD = "^([1-9][0-9]{0,2}d)?([1-9][0-9]{0,2}h)?([1-9][0-9]{0,2}m)?([1-9][0-9]{0,2}s)?$"
"""From a second to about three years: a duration as in `config.yaml`, but bounded by its form."""


def _duration(value: Any) -> float:
    if not (isinstance(value, str) and len(value) >= 2 and re.fullmatch(PERIOD.rstrip("$"), value.strip())):
        raise ValueError(f'{quoted(value)} is not how long an order can stand: write it like "30s", "1h30m" or "7d"')
    return seconds(value)


Period = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "minLength": 2, "pattern": PERIOD, "examples": ["1h", "1h30m", "7d"]}),
]


def _integer(value: Any) -> Any:
    """JSON does not tell 3.0 from 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_integer)]


class Body(BaseModel):
    """What every action may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, title=None)

    why: Annotated[str, Field(max_length=200), AfterValidator(line)] = Field(
        "", description="Why, in a few words: it is shown wherever the order is."
    )
    by: Annotated[str, Field(max_length=80), AfterValidator(line)] = Field("", description="Who asks, where the token does not say it.")


class Pause(Body):
    """Hold a pool: in one direction or in both."""

    for_: Period | None = Field(None, alias="for", description="How long; until it is resumed where it is left out.")
    direction: Direction = Field(Direction.BOTH, strict=False, description="Which changes are held.")


class Resume(Body):
    """Give a pool back to the autoscaler: no pause, no count set by hand, no drain of the whole pool."""


class Scale(Body):
    """Set the count by hand."""

    replicas: Whole = Field(ge=0, le=MOST_REPLICAS, description="How many; bounds and the cap over all pools hold.")
    for_: Period | None = Field(None, alias="for", description="How long; until it is resumed where it is left out.")


class Drain(Body):
    """Send all workers of a pool home, or one of them."""

    worker: str = Field("", max_length=200, description="The one worker that is to leave; all of the pool where it is left out.")
    for_: Period | None = Field(None, alias="for", description="How long; until it is resumed where it is left out.")


class Wake(Body):
    """Say that work was sent."""

    count: Whole = Field(0, ge=0, le=MOST_TASKS, description="How many tasks were sent; 0 where nobody counted.")


class WakeQueues(Body):
    """Say to which queues work was sent."""

    queues: dict[str, Annotated[int, Field(ge=0, le=MOST_TASKS), BeforeValidator(_integer)]] = Field(
        min_length=1, max_length=MOST_QUEUES, description="How many tasks were sent to each queue; 0 where nobody counted."
    )


class Reload(Body):
    """Read config.yaml now."""


B = TypeVar("B", bound=Body)


def parse(kind: type[B], text: bytes) -> B:
    """The body, empty where there is none; raises an HTTPException that names every mistake."""
    try:
        data = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not JSON: {line(str(error))}") from error
    if not isinstance(data, dict):
        raise HTTPException(400, 'the body must be a JSON object, like {"why": "the move"}')
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise HTTPException(400, "; ".join(_told(each, kind) for each in error.errors(include_url=False)[:MOST_MISTAKES])) from error


def _told(error: Any, kind: type[Body]) -> str:
    name = line(".".join(str(step) for step in error["loc"]))[:60]
    match error["type"]:
        case "extra_forbidden":
            known = ", ".join(field.alias or key for key, field in kind.model_fields.items())
            return f"{name}: unknown key; there are {known}"
        case "missing":
            return f"{name}: is missing"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
