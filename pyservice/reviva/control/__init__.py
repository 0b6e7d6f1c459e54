"""Projects, their API keys and tracking plans, in SQL: SQLite in the data directory, or PostgreSQL by URL."""

from reviva.control.change import ControlError, version
from reviva.control.database import connect
from reviva.control.keys import ApiKey, NewKey, create_key, list_keys, live_keys, revoke_key
from reviva.control.plans import Mode, Plan, Subject, check_plan, find_plan, list_plans, remove_plan, set_plan

__all__ = [
    "ApiKey",
    "ControlError",
    "Mode",
    "NewKey",
    "Plan",
    "Subject",
    "check_plan",
    "connect",
    "create_key",
    "find_plan",
    "list_keys",
    "list_plans",
    "live_keys",
    "remove_plan",
    "revoke_key",
    "set_plan",
    "version",
]
