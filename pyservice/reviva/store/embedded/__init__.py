"""ClickHouse's HTTP interface, served over chDB: the store of a machine on which no ClickHouse is installed.

chDB is the ClickHouse engine as a library. It opens no ports and knows no passwords, and only one process may use a
data directory, so one process holds it and this package speaks HTTP for it, as a ClickHouse server would.
"""

from reviva.store.embedded.limits import Limits
from reviva.store.embedded.server import serve

__all__ = ["Limits", "serve"]
