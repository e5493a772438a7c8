"""The parts of `config.yaml` that name the outside world: Flower, brokers, the engine, the API, the log.

Addresses are checked here and credentials are taken out of them, so that no `url` that is text can ever show a password.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr, WithJsonSchema, model_validator

from autoscaler.config.part import Name, Part, TextList
from autoscaler.config.units import Duration, Flag, Whole


def _flower_url(url: str) -> str:
    # The text is never quoted back: an address that could not be read may hold a password.
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("is not an address of Flower: write it like http://flower:5555")
    if "?" in url or "#" in url:
        raise ValueError("must end with the path: leave out everything from ? or # on")
    return url.rstrip("/")


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{value!r} is not host:port: write it like 127.0.0.1:8090, or 0.0.0.0:8090 for every interface")
    return value


FlowerUrl = Annotated[str, AfterValidator(_flower_url)]
Listen = Annotated[
    str, AfterValidator(_listen), WithJsonSchema({"type": "string", "format": "host:port", "pattern": r"^([^:]+|\[[0-9a-fA-F:]+\]):\d+$"})
]


class FlowerSettings(Part):
    """Where Flower is and how to speak to it."""

    url: FlowerUrl = Field(examples=["http://flower:5555"])
    """Address of Flower, with its `url_prefix` as the path. `http://user:password@...` is understood and taken apart at once."""
    enabled: Flag = Field(True, examples=["${FLOWER_ENABLED:-true}"])
    """Whether it is asked at all. Without it a broker tells what waits, and the workers' own pages (`worker.metrics_port`) who works."""
    username: str | None = Field(None, examples=["autoscaler"])
    """User of Flower's basic auth."""
    password: SecretStr | None = Field(None, examples=["${FLOWER_PASSWORD}"])
    """Password of Flower's basic auth; better given by a variable or by `password_file`."""
    password_file: str | None = Field(None, examples=["/run/secrets/flower_password"])
    """File that holds the password; read again when it changes."""
    token: SecretStr | None = Field(None, examples=["${FLOWER_TOKEN}"])
    """Bearer token, for a Flower behind a proxy that asks for one; instead of username and password."""
    token_file: str | None = Field(None, examples=["/run/secrets/flower_token"])
    """File that holds the bearer token; read again when it changes."""
    timeout: Duration = Field(5.0, examples=["5s"])
    """Overall deadline of one question to Flower."""
    max_age: Duration = Field(60.0, examples=["60s"])
    """What Flower says about workers counts as missing when it is older than this."""

    @model_validator(mode="before")
    @classmethod
    def _take_credentials_out(cls, data: Any) -> Any:
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or "@" not in url:
            return data
        try:
            netloc = urlsplit(url).netloc
        except ValueError:
            return data
        found, _, host = netloc.rpartition("@")
        user, _, password = found.partition(":")
        if data.get("username") or data.get("password") or data.get("token"):
            raise ValueError("credentials stand in the url and beside it: keep one of them")
        return {**data, "url": url.replace(netloc, host, 1), "username": unquote(user), "password": unquote(password)}

    @model_validator(mode="after")
    def _one_way_in(self) -> FlowerSettings:
        if self.token and (self.username or self.password):
            raise ValueError("a token and a username or password are given: keep one of them")
        if bool(self.username) != bool(self.password):
            raise ValueError("basic auth needs both: write username and password (or password_file)")
        return self


class Budget(Part):
    """Commands that the whole fleet may use in a period."""

    commands: int = Field(gt=0)
    period: Literal["day", "month"]


def _budget(value: Any) -> Any:
    if isinstance(value, (Budget, dict)):
        return value
    match = re.fullmatch(r"([1-9][0-9]{0,14})\s*/\s*(day|month)", str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is not a budget: write it like 500000/month or 10000/day")
    return {"commands": int(match[1]), "period": match[2]}


BudgetText = Annotated[
    Budget,
    BeforeValidator(_budget),
    PlainSerializer(lambda budget: f"{budget.commands}/{budget.period}", when_used="json"),
    WithJsonSchema({"type": "string", "format": "budget", "pattern": r"^\d+\s*/\s*(day|month)$"}),
]


def _broker_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    if url and (not re.match(r"[a-z][a-z0-9+]*://", url) or re.search(r"[\s;]", url)):
        raise ValueError("is not an address of one broker: write it like redis://redis:6379/0, with rediss:// for TLS")
    return secret


def _url_or_file(schema: dict[str, Any]) -> None:
    schema["required"].remove("url")
    schema["anyOf"] = [{"required": ["url"]}, {"required": ["url_file"]}]


class BrokerSettings(Part):
    """A broker that is read directly and that workers are started for."""

    model_config = ConfigDict(json_schema_extra=_url_or_file)

    name: Name = Field(examples=["primary"])
    """Name of the broker in metrics and messages."""
    url: Annotated[SecretStr, AfterValidator(_broker_url)] = Field(examples=["redis://redis:6379/0"])
    """Address of the broker, `rediss://` for TLS. Empty (say, `${REDIS_URL:-}` unset) turns this broker off. One of `url` and
    `url_file` is needed."""
    url_file: str | None = Field(None, examples=["/run/secrets/redis_url"])
    """File that holds the address; read again when it changes."""
    budget: BudgetText | None = Field(None, examples=["500000/month"])
    """Commands that the whole fleet may use on this broker, per `day` or `month` (of UTC). To keep within it the daemon looks more
    rarely while nothing is to do, and idle workers leave sooner; it warns at 50, 80 and 95 %. Work is done all the same."""
    on_exhausted: Literal["continue", "stop"] = Field("continue", examples=["stop"])
    """What becomes of work when the budget is used up: `continue` does it, `stop` drains the workers of this broker, `replicas.min`
    included, and starts none until the next period."""
    enabled: Flag = Field(True, examples=["${REDIS_FALLBACK_ENABLED:-false}"])
    """`false` turns this broker off without removing it."""
    timeout: Duration = Field(5.0, examples=["5s"])
    """Overall deadline of one question to the broker."""
    global_keyprefix: str = Field("", examples=["myapp:"])
    """The same as `global_keyprefix` in Celery's `broker_transport_options`."""
    priority_steps: tuple[Whole, ...] = Field((0, 3, 6, 9), examples=[[0, 3, 6, 9]])
    """The same as `priority_steps` in Celery's `broker_transport_options`."""
    sep: str = Field("\x06\x16", examples=[":"])
    """The same as `sep` in Celery's `broker_transport_options`."""
    unacked_key: str = Field("unacked", examples=["unacked"])
    """The same as `unacked_key` in Celery's `broker_transport_options`."""
    visibility_timeout: Duration = Field(3600.0, examples=["6h"])
    """The same as `visibility_timeout` in Celery's `broker_transport_options`: a task that is held longer without being acknowledged is
    given to a second worker. Only to warn of it."""


class FleetSettings(Part):
    """Where workers run."""

    type: Literal["docker", "swarm", "process"] = Field("docker", examples=["docker"])
    """`docker`: containers on one host. `process`: plain processes beside the autoscaler, for a try without Docker. `swarm` is not
    built yet."""
    host: str = Field("unix:///var/run/docker.sock", examples=["tcp://socket-proxy:2375"])
    """Address of the Docker engine: `unix://` or `tcp://`."""
    timeout: Duration = Field(30.0, examples=["30s"])
    """Overall deadline of one call to the engine."""


class Token(Part):
    """One token and whose it is: the name of the file that it stands in."""

    name: str
    secret: SecretStr


class ApiSettings(Part):
    """The HTTP side: where to listen, under which names, and which tokens may change things."""

    listen: Listen = Field("127.0.0.1:8090", examples=["0.0.0.0:8090"])
    """Host and port of the page, the API and the metrics."""
    allowed_hosts: TextList = Field((), examples=[["autoscaler.example.com"]])
    """Names under which this server may be asked, `*.example.com` for all below one. IP addresses, `localhost`, names without a dot and
    `host.docker.internal` are always allowed; any other name is refused, because it may be one that a hostile page has pointed here."""
    token_file: TextList = Field((), examples=["/run/secrets/api_token"])
    """File (or list of files) with the tokens that may change something, one per line: several lines let you change a token without a gap.
    An order is remembered with the name of the file its token stands in, so give each person or program a file. Without a token every
    changing request is refused."""
    wake_token_file: TextList = Field((), examples=["/run/secrets/wake_token"])
    """The same for tokens that may wake a pool and nothing else: what producers get."""
    tokens: tuple[Token, ...] = Field((), json_schema_extra={"internal": True})
    """The tokens that were read; set by the loader, never in the file."""
    wake_tokens: tuple[Token, ...] = Field((), json_schema_extra={"internal": True})
    """The same of `wake_token_file`."""


class LogSettings(Part):
    """How much is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", examples=["debug"])
    """The least important lines that are still written."""
    format: Literal["auto", "console", "json"] = Field("auto", examples=["json"])
    """`console` for people, `json` for machines; `auto` takes console on a terminal and JSON otherwise."""
