"""Visitors who browse, compare, rage-click, abandon, book and come back.

The truth is known by construction, not by the rules that are to be tested: inside a visit no pause is longer than
20 minutes, between two visits of one visitor lie at least 40; clicks of a burst are at most 450 ms and 20 px apart, all
other clicks at least 2 seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from random import Random
from typing import Any, Final

from reviva.simulate.site import DEVICES, HOST, LANDINGS, LOCALES, SERVICES, Device

Event = dict[str, Any]
"""An event in the native JSON form; ``timestamp`` in milliseconds since 1970 UTC."""

_MINUTE_MS: Final = 60_000
_LONGEST_PAUSE_MS: Final = 20 * _MINUTE_MS
_SHORTEST_ABSENCE_MS: Final = 40 * _MINUTE_MS
_SLOW_CLICK_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Site:
    """What to simulate."""

    seed: int = 1
    visitors: int = 1_000
    start_ms: int = 0
    """Time of the first visit, about."""
    span_ms: int = 6 * 60 * _MINUTE_MS
    """Visits begin within this time."""
    rage_share: float = 0.08
    """Of the page views."""
    visits_per_visitor: float = 1.6


@dataclass(slots=True)
class Visit:
    """One visit and what is true of it."""

    anonymous_id: str
    start_ms: int
    end_ms: int = 0
    events: list[Event] = field(default_factory=list)
    page_views: int = 0
    rage_clicks: list[dict[str, Any]] = field(default_factory=list)
    booking: str = ""
    """``started`` (and so abandoned), ``completed`` or empty."""
    forms_abandoned: list[str] = field(default_factory=list)


def plan(site: Site) -> Iterator[list[Visit]]:
    """The visits of each visitor in turn; the same for the same ``site``."""
    for number in range(site.visitors):
        yield _Visitor(site, number).visits()


def events(visits: list[Visit]) -> Iterator[Event]:
    """The events of many visits in the order of their times."""
    return merge(*(visit.events for visit in visits), key=lambda event: event["timestamp"])


class _Visitor:
    """Makes the visits of one visitor."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        self._random = Random(f"{site.seed}/{number}")
        self._anonymous_id = f"visitor-{site.seed}-{number}"
        self._user_id = f"customer-{site.seed}-{number}" if self._random.random() < 0.2 else ""
        self._device = self._random.choice(DEVICES)
        self._locale, self._timezone = self._random.choice(LOCALES)

    def visits(self) -> list[Visit]:
        random, site = self._random, self._site
        count = 1 + min(int(random.expovariate(1 / max(site.visits_per_visitor - 1, 1e-9))), 8)
        visits: list[Visit] = []
        for start_ms in sorted(site.start_ms + int(random.random() * site.span_ms) for _ in range(count)):
            free_ms = visits[-1].end_ms + _SHORTEST_ABSENCE_MS if visits else start_ms
            visits.append(
                _Walk(self._anonymous_id, self._user_id, self._device, random, max(start_ms, free_ms)).walk(
                    site.rage_share, returning=bool(visits), locale=self._locale, timezone=self._timezone
                )
            )
        return visits


class _Walk:
    """One visit, step by step."""

    def __init__(self, anonymous_id: str, user_id: str, device: Device, random: Random, start_ms: int) -> None:
        self._visit = Visit(anonymous_id, start_ms)
        self._user_id = user_id
        self._device = device
        self._random = random
        self._now_ms = start_ms
        self._page: dict[str, str] = {}

    def walk(self, rage_share: float, *, returning: bool, locale: str, timezone: str) -> Visit:
        self._client = {
            "user_agent": self._device.user_agent,
            "locale": locale,
            "timezone": timezone,
            "screen_width": self._device.screen[0],
            "screen_height": self._device.screen[1],
            "viewport_width": self._device.viewport[0],
            "viewport_height": self._device.viewport[1],
        }
        path, referrer, query = self._random.choice(LANDINGS)
        self._view(path, referrer, query)
        if returning:
            self._add("return_visit")
        for _ in range(self._random.randint(0, 6)):
            self._pause()
            self._browse()
            if self._random.random() < rage_share:
                self._rage()
        if self._random.random() < 0.35:
            self._book()
        elif self._random.random() < 0.2:
            self._ask()
        self._visit.end_ms = self._now_ms
        return self._visit

    def _browse(self) -> None:
        slug, name, price = self._random.choice(SERVICES)
        step = self._random.random()
        if step < 0.4:
            self._view(f"/services/{slug}")
            self._add("service_view", properties={"service": slug, "name": name, "price": price})
        elif step < 0.6:
            self._view("/pricing")
            self._add("pricing_check", properties={"service": slug, "price": price, "currency": "EUR"})
        elif step < 0.75:
            other = self._random.choice(SERVICES)[0]
            self._add("comparison_view", properties={"services": [slug, other]})
        elif step < 0.9:
            self._add("scroll_milestone", properties={"percent": self._random.choice((25, 50, 75, 100))})
        else:
            self._click(".nav a", self._random.randint(50, 380))

    def _book(self) -> None:
        self._pause()
        slug, _, price = self._random.choice(SERVICES)
        self._view("/booking")
        self._add("booking_start", properties={"service": slug})
        self._visit.booking = "started"
        self._pause(60_000)
        self._add("form_focus", form_id="booking")
        if self._random.random() < 0.5:
            self._visit.forms_abandoned.append("booking")
            return
        self._pause(90_000)
        self._add("form_submit", form_id="booking")
        if self._random.random() < 0.9:
            self._pause(20_000)
            self._add("booking_complete", revenue=price, currency="EUR", properties={"service": slug})
            self._visit.booking = "completed"

    def _ask(self) -> None:
        self._pause()
        self._view("/contact")
        self._add("contact_view")
        self._add("form_focus", form_id="quote")
        if self._random.random() < 0.6:
            self._pause(60_000)
            self._add("form_submit", form_id="quote")
            self._add("quote_request", properties={"service": self._random.choice(SERVICES)[0]})
        else:
            self._visit.forms_abandoned.append("quote")

    def _rage(self) -> None:
        self._now_ms += _SLOW_CLICK_MS
        x, y = self._random.randint(40, 360), self._random.randint(80, 640)
        start_ms, count = self._now_ms, self._random.randint(3, 7)
        for click in range(count):
            if click:
                self._now_ms += self._random.randint(80, 450)
            self._add_click("#book-now", x + self._random.randint(-7, 7), y + self._random.randint(-7, 7))
        self._visit.rage_clicks.append(
            {
                "start_ms": start_ms,
                "end_ms": self._now_ms,
                "count": count,
                "path": self._page["path"],
            }
        )
        self._now_ms += _SLOW_CLICK_MS

    def _click(self, element: str, x: int) -> None:
        self._now_ms += _SLOW_CLICK_MS
        self._add_click(element, x, 40)
        self._now_ms += _SLOW_CLICK_MS

    def _add_click(self, element: str, x: int, y: int) -> None:
        self._add("click_event", element={"selector": element, "x": x, "y": y})

    def _view(self, path: str, referrer: str = "", query: str = "") -> None:
        before = self._page.get("url", "")
        url = f"{HOST}{path}?{query}" if query else HOST + path
        self._page = {
            "url": url,
            "path": path,
            "title": path.strip("/").title() or "Home",
            "referrer": referrer or before,
        }
        self._visit.page_views += 1
        self._add("page_view")

    def _pause(self, mean_ms: int = 25_000) -> None:
        self._now_ms += min(1_000 + int(self._random.expovariate(1 / mean_ms)), _LONGEST_PAUSE_MS)

    def _add(self, event_type: str, **fields: Any) -> None:
        visit = self._visit
        event: Event = {
            "event_id": f"{visit.anonymous_id}-{visit.start_ms}-{len(visit.events)}",
            "event_type": event_type,
            "timestamp": self._now_ms,
            "anonymous_id": visit.anonymous_id,
            "page": self._page,
            "client": self._client,
        }
        if self._user_id:
            event["user_id"] = self._user_id
        event.update(fields)
        visit.events.append(event)
