"""All roles on one machine: each a process of its own, started, watched, restarted and stopped in order."""

from reviva.serve.orphans import die_with_parent
from reviva.serve.ports import why_not_free
from reviva.serve.roles import roles_of
from reviva.serve.run import serve

__all__ = ["die_with_parent", "roles_of", "serve", "why_not_free"]
