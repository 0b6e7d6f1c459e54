"""The rules and patterns that the gateway hands to the engine."""

import re

import orjson

from reviva.gateway import user_agents


def test_rules_have_the_names_of_uap_core() -> None:
    rules = orjson.loads(user_agents.rules())
    assert rules.keys() == {"user_agent_parsers", "os_parsers", "device_parsers"}
    assert all(len(group) > 100 for group in rules.values())
    for group in rules.values():
        for rule in group:
            assert isinstance(rule["regex"], str)
            assert all(isinstance(value, str) for value in rule.values())
    assert {rule.get("regex_flag") for rule in rules["device_parsers"]} <= {None, "i"}


def test_rules_keep_each_argument_in_its_place() -> None:
    rules = orjson.loads(user_agents.rules())
    donut = next(rule for rule in rules["user_agent_parsers"] if rule["regex"] == "(Android) Donut")
    assert donut == {"regex": "(Android) Donut", "v1_replacement": "1", "v2_replacement": "2"}
    windows = next(rule for rule in rules["os_parsers"] if rule.get("os_replacement") == "Windows")
    assert "os_v1_replacement" in windows
    spider = rules["device_parsers"][0]
    assert spider["regex_flag"] == "i"
    assert spider["brand_replacement"] == "Spider"


def test_bot_patterns_know_robots_from_people() -> None:
    patterns = [re.compile(pattern) for pattern in user_agents.bot_patterns()]
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36"
    assert any(pattern.search("Mozilla/5.0 (compatible; Googlebot/2.1)") for pattern in patterns)
    assert not any(pattern.search(chrome) for pattern in patterns)
