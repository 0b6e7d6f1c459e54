"""The site that simulated visitors walk through: pages, campaigns, devices."""

from dataclasses import dataclass
from typing import Final

HOST: Final = "https://repair.example"

SERVICES: Final = (
    ("screen", "Screen repair", 129.0),
    ("battery", "Battery replacement", 69.0),
    ("water-damage", "Water damage", 149.0),
    ("camera", "Camera repair", 99.0),
    ("charging-port", "Charging port", 79.0),
)


@dataclass(frozen=True, slots=True)
class Device:
    """What a visitor browses with."""

    user_agent: str
    screen: tuple[int, int]
    viewport: tuple[int, int]


DEVICES: Final = (
    Device(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36",
        (1920, 1080),
        (1903, 947),
    ),
    Device(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
        "Mobile/15E148 Safari/604.1",
        (393, 852),
        (393, 659),
    ),
    Device(
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Mobile Safari/537.36",
        (412, 915),
        (412, 785),
    ),
    Device(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Safari/605.1.15",
        (1512, 982),
        (1512, 860),
    ),
)

LOCALES: Final = (("de-DE", "Europe/Berlin"), ("en-GB", "Europe/London"), ("fr-FR", "Europe/Paris"))

LANDINGS: Final = (
    ("/", "", ""),
    ("/", "https://www.google.com/", ""),
    ("/services/screen", "https://www.bing.com/", ""),
    ("/services/battery", "", "utm_source=newsletter&utm_medium=email&utm_campaign=autumn"),
    ("/", "https://www.google.com/", "gclid=Cj0KCQ"),
    ("/pricing", "https://www.facebook.com/", "utm_source=facebook&utm_medium=cpc&utm_campaign=fix-it"),
    ("/", "https://news.example.org/best-repair-shops", ""),
)
"""Path, referrer and query with which a visit begins."""
