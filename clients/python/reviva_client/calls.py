"""The calls that both clients have: short ways to :meth:`send`."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from reviva_client.event import JsonEvent

Sent = TypeVar("Sent")


class Calls(Generic[Sent]):
    """``Sent`` is what ``send`` returns: the event's id, or an awaitable of it.

    All take further fields of an event by name, such as ``timestamp``, ``page`` or ``event_id``.
    """

    @abstractmethod
    def send(self, event: Mapping[str, Any] | JsonEvent) -> Sent:
        """Takes an event in native form: the field names of ``proto/reviva/v1/event.proto``."""

    def track(self, event_type: str, **fields: Any) -> Sent:
        """Something happened: ``track("booking_complete", user_id="ann", revenue=129.0, currency="EUR")``."""
        return self.send({"event_type": event_type, **fields})

    def page_view(self, url: str, *, title: str = "", referrer: str = "", **fields: Any) -> Sent:
        """A page was seen."""
        page = {"url": url, "title": title, "referrer": referrer}
        return self.send({"event_type": "page_view", "page": page, **fields})

    def identify(self, user_id: str, traits: Mapping[str, Any] | None = None, **fields: Any) -> Sent:
        """Who the visitor is, and what is known of them."""
        return self.send({"event_type": "identify", "user_id": user_id, "traits": traits or {}, **fields})

    def group(self, group_id: str, traits: Mapping[str, Any] | None = None, **fields: Any) -> Sent:
        """The visitor belongs to a group, such as a company."""
        return self.send({"event_type": "group", "group_id": group_id, "traits": traits or {}, **fields})

    def alias(self, user_id: str, previous_id: str, **fields: Any) -> Sent:
        """``user_id`` is the same person as ``previous_id``."""
        return self.send({"event_type": "alias", "user_id": user_id, "previous_id": previous_id, **fields})
