"""The tables of the control database. Times are milliseconds since 1970 UTC."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()

versions = Table(
    "control_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    comment="One row, whose number rises with every change of any table: what gateways look at to notice one.",
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at_ms", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True, comment="SHA-256, hex; the key itself is not kept"),
    Column("prefix", String(16), nullable=False, comment="the key's first characters, to tell keys apart"),
    Column("events_per_s", Float, comment="null: as the settings say; 0: no limit"),
    Column("burst_events", Integer, comment="null: as the settings say"),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger, comment="null: it was not revoked"),
    Column("expires_at_ms", BigInteger, comment="null: never"),
)

tracking_plans = Table(
    "tracking_plans",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("event_type", String(200), primary_key=True, comment="of the vocabulary, or the name of custom events"),
    Column("mode", String(16), nullable=False, comment="off, report or enforce"),
    Column("subject", String(16), nullable=False, comment="what the schema describes: properties or event"),
    Column("schema", Text, nullable=False, comment="JSON Schema"),
    Column("updated_at_ms", BigInteger, nullable=False),
)
