"""Where settings come from, and how wrong ones are told."""

from pathlib import Path

import pytest

from reviva.config import Address, load, without_credentials
from reviva.errors import ConfigError


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_work_with_nothing_installed():
    settings = load()
    assert settings.clickhouse_is_embedded
    assert settings.http == Address("127.0.0.1:8080")
    assert settings.rules_json == "{}"


def test_flags_win_over_environment_over_file_over_defaults(monkeypatch: pytest.MonkeyPatch):
    Path("reviva.toml").write_text(
        'http = "127.0.0.1:1"\ngrpc = "127.0.0.1:1"\ngateways = 4\n[limits]\nmax_events = 7\n'
    )
    monkeypatch.setenv("REVIVA_HTTP", "127.0.0.1:2")
    monkeypatch.setenv("REVIVA_GRPC", "127.0.0.1:2")
    settings = load(http="127.0.0.1:3", grpc=None)
    assert (settings.http.port, settings.grpc.port, settings.gateways) == (3, 2, 4)
    assert settings.limits.max_events == 7
    assert settings.limits.max_depth == 32


def test_the_file_is_found_by_name_here_or_in_the_data_directory(monkeypatch: pytest.MonkeyPatch):
    Path("data").mkdir()
    Path("data/reviva.toml").write_text("gateways = 2")
    assert load(data_dir="data").gateways == 2
    Path("reviva.toml").write_text("gateways = 3")
    assert load(data_dir="data").gateways == 3
    Path("other.toml").write_text("gateways = 4")
    monkeypatch.setenv("REVIVA_CONFIG", "other.toml")
    assert load(data_dir="data").gateways == 4
    Path("flag.toml").write_text("gateways = 5")
    assert load(config="flag.toml").gateways == 5


def test_a_group_can_be_set_by_one_variable_or_one_by_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REVIVA_LIMITS", '{"max_events": 5}')
    monkeypatch.setenv("REVIVA_LIMITS__MAX_DEPTH", "6")
    limits = load().limits
    assert (limits.max_events, limits.max_depth) == (5, 6)


@pytest.mark.parametrize(
    "value", ["https://a.example, https://b.example", '["https://a.example", "https://b.example"]']
)
def test_a_variable_gives_a_list_by_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("REVIVA_CORS_ORIGINS", value)
    assert load().cors_origins == ("https://a.example", "https://b.example")


def test_rules_keep_only_what_was_set():
    Path("reviva.toml").write_text("[rules.default]\nsession_timeout_s = 900\n[rules.shop]\nrage_clicks = 4\n")
    assert load().rules_json == '{"default": {"session_timeout_s": 900}, "shop": {"rage_clicks": 4}}'


def test_the_most_that_rules_may_ask_for():
    Path("reviva.toml").write_text("[rules.default]\ndedupe_hours = 168\nlateness_s = 1985400\n")
    assert load().rules["default"].dedupe_hours == 168


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("gatewais = 2", "'gatewais'; did you mean 'gateways'?"),
        ("[limits]\nmax_event = 2", "'limits.max_event'; did you mean 'max_events'?"),
        ("[rules.shop]\nrage_click = 2", "'rules.shop.rage_click'; did you mean 'rage_clicks'?"),
        ('http = "8080"', "setting http: '8080' is not an address"),
        ("gateways = 0", "setting gateways: .* greater than or equal to 1"),
        ('clickhouse = "0.0.0.0:8123"', "analyst_password is required"),
        ('cluster = "main"', "cluster needs an external ClickHouse"),
        ('state = "http://x"', "state: a redis://"),
        ("http =", "cannot be read"),
        ("[rules.shop]\ndedupe_hours = 169", "setting rules.shop.dedupe_hours: .* less than or equal to 168"),
        ("[rules.default]\nlateness_s = 2592000", "rules of project default: lateness_s, .* at most 24 days"),
        ("[rules.shop]\nvisitor_memory_s = 1799", "rules of project shop: visitor_memory_s must be at least"),
        ("[rules.shop]\nrage_gap_ms = 4294967296", "rules cannot be read: .*4294967296"),
    ],
)
def test_wrong_settings_are_named(file: str, told: str):
    Path("reviva.toml").write_text(file)
    with pytest.raises(ConfigError, match=told):
        load()


def test_unknown_variables_and_missing_files_are_named(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match=r"no configuration file nowhere\.toml"):
        load(config="nowhere.toml")
    monkeypatch.setenv("REVIVA_API_KEY", "belongs to clients")
    load()
    monkeypatch.setenv("REVIVA_HTPP", "127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"REVIVA_HTPP: .* did you mean 'http'"):
        load()


def test_children_get_the_same_settings(monkeypatch: pytest.MonkeyPatch):
    Path("reviva.toml").write_text(
        'trusted_proxies = ["10.0.0.0/8"]\n[limits]\nmax_events = 7\n[rules.default]\nrage_clicks = 9\n'
    )
    settings = load(http="[::1]:9", data_dir="elsewhere", analyst_password="secret")  # noqa: S106
    environment = settings.environment()
    assert not any("secret" in value for value in environment.values())
    Path("reviva.toml").unlink()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REVIVA_ANALYST_PASSWORD", "secret")
    assert load() == settings


@pytest.mark.parametrize("text", ["", ":1", "host", "host:x", "host:70000", "::1:80", "[host:1"])
def test_malformed_addresses_are_refused(text: str):
    with pytest.raises(ValueError, match="not an address"):
        Address(text)


@pytest.mark.parametrize(
    ("text", "loopback"), [("[::1]:80", True), ("localhost:1", True), ("10.0.0.1:1", False), ("db:1", False)]
)
def test_addresses_are_written_as_they_are_read(text: str, loopback: bool):
    assert str(Address(text)) == text
    assert Address(text).is_loopback() == loopback


def test_servers_on_all_addresses_are_reached_on_loopback():
    addresses = [Address(text) for text in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1")]
    assert [address.client_host for address in addresses] == ["127.0.0.1", "::1", "10.0.0.1"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("127.0.0.1:8123", "127.0.0.1:8123"),
        ("http://db:8123", "http://db:8123"),
        ("https://ann:hush@db:8443/path", "https://db:8443/path"),
        ("https://ann@db", "https://db"),
        ("redis://:hu@sh/#@cache:6379/0", "redis://cache:6379/0"),
        ("unix://ann@/run/valkey.sock?db=0&password=hush@", "unix:///run/valkey.sock"),
        ("postgresql+psycopg://ann:hush@[::1]/reviva", "postgresql+psycopg://[::1]/reviva"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str):
    assert without_credentials(url) == shown


def test_a_url_without_a_host_is_told_without_its_password():
    with pytest.raises(ConfigError, match="'http://:8123' names no host"):
        load(clickhouse="http://ann:hush@:8123")
