"""Made-up visitors: what their browsers would send, seeded, with everything that the engine draws conclusions from.

Times lie within half a day before the start and come in no order, so that sessions are joined and cut anew again and
again.
"""

import random
from dataclasses import dataclass, replace
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from reviva._pb.v1.event_pb2 import Element, Event, Page

SPAN_MS = 10 * 3600 * 1000
_VISITS_OF_A_CROWD = 4_000
_HOST = "shop.example"
_PAGES = ("/", "/prices", "/repair/phone", "/repair/laptop", "/contact")


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as a client sends it, whatever the protocol."""

    event_id: str
    event_type: str
    time_ms: int
    anonymous_id: str
    path: str
    revenue: float = 0.0
    position: tuple[int, int] | None = None
    form_id: str = ""

    @property
    def is_good(self) -> bool:
        """Events that name nobody are refused."""
        return bool(self.anonymous_id)

    def as_json(self) -> dict[str, object]:
        """For the native HTTP path."""
        time_s, ms = divmod(self.time_ms, 1000)
        event: dict[str, object] = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "timestamp": f"{Timestamp(seconds=time_s).ToJsonString()[:-1]}.{ms:03d}Z",
            "anonymous_id": self.anonymous_id,
            "page": {"url": f"https://{_HOST}{self.path}"},
            "revenue": self.revenue,
            "form_id": self.form_id,
        }
        if self.position:
            event["element"] = {"x": self.position[0], "y": self.position[1]}
        return event

    def as_proto(self) -> Event:
        """For gRPC."""
        time_s, ms = divmod(self.time_ms, 1000)
        event = Event(
            event_id=self.event_id,
            event_type=self.event_type,
            timestamp=Timestamp(seconds=time_s, nanos=ms * 1_000_000),
            anonymous_id=self.anonymous_id,
            page=Page(url=f"https://{_HOST}{self.path}"),
            revenue=self.revenue,
            form_id=self.form_id,
        )
        if self.position:
            event.element.CopyFrom(Element(x=self.position[0], y=self.position[1]))
        return event

    def stored(self) -> tuple[object, ...]:
        """Its row, as :data:`STORED` selects it."""
        x, y = self.position or (None, None)
        return self.event_type, self.time_ms, self.anonymous_id, _HOST, self.path, self.revenue, x, y, self.form_id


STORED = (
    "event_type, toUnixTimestamp64Milli(timestamp), anonymous_id, page_host, page_path, revenue, click_x, click_y, "
    "form_id"
)


class Traffic:
    """An endless row of visits; events of one ``Traffic`` have ids and visitors of their own."""

    def __init__(self, seed: str, now_ms: int, visitors: int = 40) -> None:
        self._random = random.Random(seed)
        self._start_ms = now_ms - SPAN_MS - 3600 * 1000
        self._seed = seed
        self._visitors = visitors
        self._visits = 0

    def visit(self) -> list[Sent]:
        """What one visitor does within some minutes, in no order; now and then an event that must be refused."""
        rng = self._random
        visitor = self._visitor()
        time_ms = self._start_ms + rng.randrange(SPAN_MS)
        path = rng.choice(_PAGES)
        events = [self._event("page_view", visitor, time_ms, path)]
        for _ in range(rng.randrange(4)):
            time_ms += rng.randrange(1_000, 600_000)
            path = rng.choice(_PAGES)
            events.append(self._event("page_view", visitor, time_ms, path))
        if rng.random() < 0.3:
            events += self._clicks(visitor, time_ms + 2_000, path)
        if rng.random() < 0.2:
            events.append(self._event("booking_start", visitor, time_ms + 20_000, path))
            if rng.random() < 0.6:
                paid = rng.randrange(1, 50_000) / 100
                events.append(replace(self._event("booking_complete", visitor, time_ms + 90_000, path), revenue=paid))
        if rng.random() < 0.1:
            events.append(self._event("page_view", "", time_ms, path))
        rng.shuffle(events)
        return events

    def _visitor(self) -> str:
        """One of those who are about: never for so long that they click more than the engine remembers."""
        crowd, self._visits = self._visits // _VISITS_OF_A_CROWD, self._visits + 1
        return f"{self._seed}-visitor-{crowd}-{self._random.randrange(self._visitors)}"

    def _clicks(self, visitor: str, time_ms: int, path: str) -> list[Sent]:
        """A burst that is a rage click, or nearly one: too few, too slow or too far apart."""
        rng = self._random
        x, y = rng.randrange(1_000), rng.randrange(1_000)
        clicks = []
        for _ in range(rng.randrange(1, 7)):
            x, y = x + rng.randrange(-12, 13) + 40 * (rng.random() < 0.1), y + rng.randrange(-12, 13)
            clicks.append(replace(self._event("click_event", visitor, time_ms, path), position=(x, y)))
            time_ms += rng.randrange(50, 550)
        return clicks

    def _event(self, event_type: str, visitor: str, time_ms: int, path: str) -> Sent:
        return Sent(str(UUID(int=self._random.getrandbits(128), version=4)), event_type, time_ms, visitor, path)
