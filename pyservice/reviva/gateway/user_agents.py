"""What the engine knows user agents by: uap-core's rules and patterns of robots, from installed packages."""

import ast
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

_ARGUMENTS = {
    "UserAgentMatcher": ("regex", "family_replacement", "v1_replacement", "v2_replacement", "v3_replacement"),
    "OSMatcher": (
        "regex",
        "os_replacement",
        "os_v1_replacement",
        "os_v2_replacement",
        "os_v3_replacement",
        "os_v4_replacement",
    ),
    "DeviceMatcher": ("regex", "regex_flag", "device_replacement", "brand_replacement", "model_replacement"),
}
"""By matcher class, the names that uap-core's regexes.yaml gives to its constructor's arguments."""


@cache
def rules() -> bytes:
    """uap-core's rules as JSON, for ``Intake(user_agent_rules=...)``.

    ``ua_parser_builtins`` carries them as Python source that makes matchers of the package ``ua_parser``. Compiling
    them is the engine's job, so the source is read instead of run, and that package is not needed.
    """
    source = files("ua_parser_builtins").joinpath("matchers.py").read_text(encoding="utf-8")
    matchers = next(
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Tuple)
    )
    browsers, systems, devices = (
        [_rule(call) for call in group.elts if isinstance(call, ast.Call)]
        for group in matchers.elts
        if isinstance(group, ast.List)
    )
    return orjson.dumps({"user_agent_parsers": browsers, "os_parsers": systems, "device_parsers": devices})


def _rule(call: ast.Call) -> dict[str, Any]:
    names = _ARGUMENTS[ast.unparse(call.func)]
    arguments = [ast.literal_eval(argument) for argument in call.args]
    return {name: value for name, value in zip(names, arguments, strict=False) if value is not None}


@cache
def bot_patterns() -> list[str]:
    """Regular expressions that match the user agents of well-known robots, for ``Intake(bot_patterns=...)``."""
    text = files("crawleruseragents").joinpath("crawler-user-agents.json").read_bytes()
    return [crawler["pattern"] for crawler in orjson.loads(text)]
