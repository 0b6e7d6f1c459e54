"""Projects and their API keys, in SQL: SQLite in the data directory, or PostgreSQL by URL."""

from reviva.control.database import connect
from reviva.control.keys import ApiKey, NewKey, create_key, list_keys, live_keys, revoke_key, version

__all__ = ["ApiKey", "NewKey", "connect", "create_key", "list_keys", "live_keys", "revoke_key", "version"]
