"""Everything that an operator can set, in one frozen object.

Sources, the first that names a setting wins: command-line flags; ``REVIVA_*`` environment variables (groups with two
underscores: ``REVIVA_LIMITS__MAX_EVENTS``); one TOML file (``--config``, ``REVIVA_CONFIG``, ``./reviva.toml`` or
``reviva.toml`` in the data directory); the defaults below, which work on one machine with nothing installed.
"""

import json
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from reviva._engine import check_rules
from reviva.errors import ConfigError

PREFIX = "REVIVA_"

_MAX_PORT = 65535

_NOT_SETTINGS = ("REVIVA_API_KEY", "REVIVA_CLIENT_", "REVIVA_TEST_", "REVIVA_FAULTS")
"""Variables (or their beginnings) that belong to clients, to commands that act as one, and to tests."""


class Address(str):
    """Where a server listens: ``host:port``; IPv6 hosts are written in brackets, ``[::1]:8080``."""

    __slots__ = ("host", "port")

    host: str
    port: int

    def __new__(cls, text: str) -> Self:
        """Raises ``ValueError`` where ``text`` is of another form."""
        host, _, port = str(text).rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        if not bare or not port.isdecimal() or int(port) > _MAX_PORT or (":" in bare) != host.startswith("["):
            raise ValueError(f"{text!r} is not an address of the form host:port, such as 127.0.0.1:8080")
        address = super().__new__(cls, text)
        address.host, address.port = bare, int(port)
        return address

    @property
    def client_host(self) -> str:
        """By which this machine's clients reach the server: loopback where it listens on all addresses."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 — compared, not bound

    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def without_credentials(url: str) -> str:
    """A URL, or ``host:port``, as it may be shown: without user, password and query, which may hold them too."""
    return re.sub(r"^([\w+.-]+://)?.*@", r"\1", url.partition("?")[0])


def _split(value: object) -> object:
    """A list as one variable gives it: by commas, or as JSON."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]


AddressSetting = Annotated[Address, PlainValidator(Address), PlainSerializer(str)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Group(BaseModel):
    """Settings that belong together: a table of the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(Group):
    """What the gateway takes from one request and from one API key."""

    max_body_bytes: int = Field(default=16 << 20, gt=0, description="request body as sent")
    max_inflated_bytes: int = Field(default=64 << 20, gt=0, description="request body after decompression")
    max_events: int = Field(default=10_000, gt=0, description="events of one request")
    max_event_bytes: int = Field(default=1 << 20, gt=0, description="one event")
    max_depth: int = Field(default=32, gt=0, description="nesting of properties, traits and context")
    events_per_s: float = Field(default=0, ge=0, description="per API key, on average; 0: no limit")
    burst_events: int = Field(default=100_000, gt=0, description="per API key, at once, where events_per_s is set")
    max_inflight_bytes: int = Field(
        default=512 << 20, gt=0, description="bodies being read, decoded or written, per gateway process"
    )
    max_connections: int = Field(
        default=4_096,
        gt=0,
        description="open HTTP connections per gateway process; the engine's listener takes as many of gRPC",
    )
    stream_window_batches: int = Field(default=64, gt=0, description="unacknowledged batches per gRPC stream")
    stream_window_bytes: int = Field(
        default=32 << 20, gt=0, lt=1 << 32, description="unacknowledged bytes per gRPC stream"
    )


class Journal(Group):
    """The files between gateway and processor."""

    segment_bytes: int = Field(default=64 << 20, gt=0, description="a segment file is closed at this size")
    max_backlog_bytes: int = Field(
        default=8 << 30, gt=0, description="unprocessed data per gateway process before it refuses more"
    )
    tick_interval_ms: int = Field(default=1_000, gt=0, description="how often a gateway writes the time into its lane")


class ProcessorSettings(Group):
    """How the processor cuts batches, and what it may hold."""

    http: AddressSetting = Field(default=Address("127.0.0.1:8081"), description="its own /metrics and /health")
    max_batch_records: int = Field(default=100_000, gt=0, description="records of one batch")
    max_batch_bytes: int = Field(default=64 << 20, gt=0, description="bytes of one batch")
    known_ids_bytes: int = Field(
        default=2 << 30, gt=0, description="memory for event ids, about 30 bytes each; further ones go to disk"
    )
    shards: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 1) // 2),
        gt=0,
        le=256,
        description="threads, each with a part of the visitors; by default half as many as there are cores",
    )
    insert_interval_ms: int = Field(default=150, ge=0, description="at low load, least time between two inserts")
    retry_max_s: float = Field(default=10, gt=0, description="longest pause between two tries while the store is away")


class Analyst(Group):
    """Limits of the read-only ``analyst`` user of the embedded ClickHouse."""

    max_execution_s: float = Field(default=60, gt=0, description="of one query")
    max_memory_bytes: int = Field(default=2 << 30, gt=0, description="of one query")
    max_result_rows: int = Field(default=10_000_000, gt=0, description="of one query")
    max_result_bytes: int = Field(default=1 << 30, gt=0, description="of one query")
    max_threads: int = Field(default=2, gt=0, description="of one query")
    max_concurrent_queries: int = Field(default=16, gt=0, description="at the same time; further ones are refused")


class Rules(Group):
    """How events of a project become sessions and conclusions; what is left out is as in ``[rules.default]``."""

    dedupe_hours: int | None = Field(default=None, ge=1, le=168, description="24: an event id is known for this long")
    session_timeout_s: int | None = Field(default=None, ge=1, description="1800: a longer gap ends a session")
    session_cap_s: int | None = Field(default=None, ge=1, description="86400: longest session")
    session_new_campaign: bool | None = Field(
        default=None, description="false: another campaign starts another session"
    )
    lateness_s: int | None = Field(
        None, ge=1, description="86400: an event older than this against its visitor's newest is late"
    )
    visitor_memory_s: int | None = Field(
        default=None, ge=1, description="259200: a silent visitor is forgotten after this"
    )
    rage_clicks: int | None = Field(default=None, ge=2, description="3: clicks of a burst")
    rage_gap_ms: int | None = Field(default=None, ge=1, description="500: between two of them")
    rage_distance_px: int | None = Field(default=None, ge=0, description="30: between two of them")


class Settings(BaseSettings):
    """All settings. Make it with :func:`load`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    config: Path | None = Field(
        default=None, description="the TOML file; its own name can only be a flag or REVIVA_CONFIG"
    )
    data_dir: Path = Field(default=Path("var/reviva"), description="journal, checkpoint, embedded databases, secrets")

    http: AddressSetting = Field(default=Address("127.0.0.1:8080"), description="where the gateways take HTTP")
    grpc: AddressSetting = Field(default=Address("127.0.0.1:50051"), description="where the gateways take gRPC")
    listener: Literal["engine", "python"] = Field(
        default="engine",
        description="who reads the gateways' sockets: the engine, which hands on what is not plain, or Python alone",
    )
    gateways: int = Field(default=1, ge=1, le=64, description="gateway processes, which share both ports")
    clickhouse: str = Field(
        default="127.0.0.1:8123",
        description="host:port, where the embedded ClickHouse listens; or http(s)://user:password@host:port",
    )
    database: str = Field(default="default", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="database of all tables")
    cluster: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]*$", description="ClickHouse cluster; empty: one server")
    state: str = Field(default="", description="redis://, rediss:// or unix:// URL; empty: an embedded Valkey")
    control_url: str = Field(
        default="", description="SQLAlchemy URL of projects and keys; empty: SQLite in the data directory"
    )

    geo_database: Path | None = Field(default=None, description="an MMDB file; none: no country, region, city")
    keep_ip: Literal["none", "truncated", "full"] = Field(
        default="truncated", description="what is stored of client addresses"
    )
    trusted_proxies: Networks = Field(default=(), description="networks whose X-Forwarded-For is believed")
    cors_origins: Texts = Field(default=("*",), description="origins of web pages that may send events")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )
    log_format: Literal["auto", "text", "json"] = Field(
        default="auto", description="auto: text on a terminal, else JSON"
    )

    writer_password: SecretStr | None = Field(
        default=None,
        description="of the embedded ClickHouse's user writer; none: one is made and kept in the data directory",
    )
    analyst_password: SecretStr | None = Field(
        default=None,
        description="of its user analyst; none: no password, neither for the user default; allowed on loopback only",
    )

    limits: Limits = Limits()
    journal: Journal = Journal()
    processor: ProcessorSettings = ProcessorSettings()
    analyst: Analyst = Analyst()
    rules: dict[str, Rules] = Field(default={}, description="``default``, and overrides by project id")

    @property
    def clickhouse_is_embedded(self) -> bool:
        """Whether the store role runs here."""
        return not self.clickhouse.startswith(("http://", "https://"))

    @property
    def clickhouse_address(self) -> Address:
        """Where the embedded ClickHouse listens; only where there is one."""
        return Address(self.clickhouse)

    @property
    def clickhouse_url(self) -> str:
        """URL of the ClickHouse HTTP interface, with user and password where an external one's were given."""
        return f"http://{self.clickhouse}" if self.clickhouse_is_embedded else self.clickhouse

    @property
    def journal_dir(self) -> Path:
        """The journal's lanes."""
        return self.data_dir / "journal"

    @property
    def store_dir(self) -> Path:
        """The embedded ClickHouse's tables."""
        return self.data_dir / "clickhouse"

    @property
    def known_ids_dir(self) -> Path:
        """Event ids that find no place in memory; nothing is in it that is needed later."""
        return self.data_dir / "known-ids"

    @property
    def checkpoint_file(self) -> Path:
        """What the processor has done."""
        return self.data_dir / "checkpoint.json"

    @property
    def control_database_url(self) -> str:
        """``control_url``, or the SQLite file in the data directory."""
        return self.control_url or f"sqlite:///{self.data_dir.absolute() / 'control.db'}"

    @property
    def rules_json(self) -> str:
        """The rules as the engine's Processor takes them."""
        return json.dumps({project: rules.model_dump(exclude_none=True) for project, rules in self.rules.items()})

    def environment(self) -> dict[str, str]:
        """These settings as variables for child processes; passwords are left to their own source."""
        dumped = self.model_dump(mode="json", exclude_none=True, exclude={"writer_password", "analyst_password"})
        return {
            PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
            for name, value in dumped.items()
        }

    @model_validator(mode="after")
    def _rules_can_be_used(self) -> Self:
        check_rules(self.rules_json)
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.clickhouse_is_embedded:
            address = self.clickhouse_address
            if self.analyst_password is None and not address.is_loopback():
                raise ValueError(
                    f"analyst_password is required where clickhouse ({address}) can be reached from outside"
                )
            if self.cluster:
                raise ValueError("cluster needs an external ClickHouse: set clickhouse to its http:// URL")
        elif not urlsplit(self.clickhouse).hostname:
            raise ValueError(f"clickhouse: {without_credentials(self.clickhouse)!r} names no host")
        if self.state and urlsplit(self.state).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError(
                "state: a redis://, rediss:// or unix:// URL is needed, or nothing for the embedded Valkey"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the one file."""
        file = _find_file(env_settings() | init_settings())
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def load(**flags: Any) -> Settings:
    """The settings in force; ``flags`` that are ``None`` were not given. Raises :class:`ConfigError`."""
    given = {name: value for name, value in flags.items() if value is not None}
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(detail) for detail in error.errors())) from None
    except (SettingsError, TOMLDecodeError) as error:
        raise ConfigError(f"the configuration cannot be read: {error}") from None


def _find_file(named: dict[str, Any]) -> Path | None:
    if named.get("config"):
        file = Path(named["config"])
        if not file.is_file():
            raise ConfigError(f"there is no configuration file {file}")
        return file
    data_dir = Path(named.get("data_dir") or Settings.model_fields["data_dir"].default)
    candidates = (Path("reviva.toml"), data_dir / "reviva.toml")
    return next((file for file in candidates if file.is_file()), None)


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    for name in names:
        if not name.startswith(PREFIX) or name.startswith(_NOT_SETTINGS):
            continue
        setting = name.removeprefix(PREFIX).split("__")[0].lower()
        if setting not in Settings.model_fields:
            raise ConfigError(f"environment variable {name}: there is no setting {setting!r}{_hint(setting, Settings)}")


def _explain(detail: Any) -> str:
    keys = [str(key) for key in detail["loc"]]
    if not keys:
        return str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] != "extra_forbidden":
        return (
            f"setting {'.'.join(keys)}: {str(detail['msg']).removeprefix('Value error, ')} (it is {detail['input']!r})"
        )
    return f"there is no setting {'.'.join(keys)!r}{_hint(keys[-1], _group_of(keys))}"


def _group_of(keys: list[str]) -> type[BaseModel]:
    if len(keys) == 1:
        return Settings
    annotation = Settings.model_fields[keys[0]].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else Rules


def _hint(name: str, group: type[BaseModel]) -> str:
    near = get_close_matches(name, group.model_fields, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
