"""Connections by the settings: to the embedded ClickHouse or an external one."""

from reviva.config import Settings
from reviva.secrets import writer_password
from reviva.store.client import StoreClient


def connect_writer(settings: Settings) -> StoreClient:
    """As the user who may do everything."""
    if not settings.clickhouse_is_embedded:
        return StoreClient(settings.clickhouse_url, settings.database)
    return StoreClient(settings.clickhouse_url, settings.database, user="writer", password=writer_password(settings))
