"""trinch.toml: options win over the environment, the environment over the file; every key is read and documented."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from trinch.cli.main import main
from trinch.service import config
from trinch.service.config import ConfigError, keys, load

ROOT = Path(__file__).parents[2]

WHOLE = """
data = "store"
reader = "built-in"

[server]
host = "0.0.0.0"
port = 9000
unix_socket = "/run/trinch.sock"
require_keys = true
allow_hosts = ["trinch.example", "www.trinch.example"]
cors = ["https://page.example"]
rate = 5.5
budget_ms = 200

[model]
address = "http://127.0.0.1:8080/v1"
name = "grok"
seconds = 30.0
tokens = 800
posts = 20
searches = 2
tokens_per_day = 100000

[alerts]
smtp = "smtp://mail.example:587"
mail_from = "trinch@example.org"
private_webhooks = true
per_key = 7

[cluster]
log = "nats://10.0.0.5:4222"
nodes = ["http://10.0.0.6:8377", "http://10.0.0.7:8377"]
partitions = "0/2"

[[sources]]
source = "jetstream"

[[sources]]
source = "x"
rules = ["storm lang:en", "#lund"]
"""


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no setting in the environment."""
    for key in keys():
        monkeypatch.delenv(key.variable, raising=False)
    monkeypatch.delenv("TRINCH_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file(text: str, path: str = "trinch.toml") -> Path:
    Path(path).write_text(text)
    return Path(path)


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env=environment)


def shown(**environment: str) -> dict[str, tuple[Any, str]]:
    result = run("config", "show", "--json", **environment)
    assert result.exit_code == 0, result.output
    return {one["key"]: (one["value"], one["origin"]) for one in json.loads(result.stdout)["settings"]}


def test_every_key_can_be_set_and_is_shown() -> None:
    assert {value for value, _ in shown().values()} == {None}
    file(WHOLE)
    found = shown()
    assert {name for name, (value, _) in found.items() if value is None} == {"server.token", "model.key"}
    assert {origin for value, origin in found.values() if value is not None} == {"trinch.toml"}
    assert found["server.port"] == ("9000", "trinch.toml")
    assert found["sources"][0] == "jetstream x:filter?rule=storm+lang%3Aen&rule=%23lund"


def test_the_environment_wins_over_the_file_and_secrets_are_hidden() -> None:
    file(WHOLE)
    found = shown(TRINCH_PORT="1234", TRINCH_TOKEN="a-secret-of-the-operator")
    assert found["server.port"] == ("1234", "environment")
    assert found["server.token"] == ("(set)", "environment")
    assert found["server.host"] == ("0.0.0.0", "trinch.toml")


def test_options_win_over_the_environment_and_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    command = main.commands["serve"]
    monkeypatch.setattr(command, "callback", lambda **options: seen.update(options))

    def serve(*arguments: str, **environment: str) -> dict[str, Any]:
        result = run("serve", *arguments, **environment)
        assert result.exit_code == 0, result.output
        return dict(seen)

    assert serve()["port"] == 8377
    file(WHOLE)
    assert serve()["port"] == 9000
    assert serve(TRINCH_PORT="1234")["port"] == 1234
    assert serve("--port", "5", TRINCH_PORT="1234")["port"] == 5
    options = serve()
    assert (options["host"], options["require_keys"], options["rate"]) == ("0.0.0.0", True, 5.5)
    assert (options["allow_host"], options["cors"]) == (
        ("trinch.example", "www.trinch.example"),
        ("https://page.example",),
    )
    assert options["listen"] == ("jetstream", "x:filter?rule=storm+lang%3Aen&rule=%23lund")
    assert options["data"] == Path("store")
    assert (options["model"], options["model_tokens"], options["model_tokens_per_day"]) == (
        ("http://127.0.0.1:8080/v1",), 800, 100_000,
    )  # fmt: skip
    assert not any(key.variable in config.os.environ for key in keys())  # nothing is left behind


def test_every_key_is_the_default_of_an_option_or_read_from_the_environment() -> None:
    variables = {
        str(one.envvar)
        for command in main.commands.values()
        for one in command.params
        if isinstance(one, click.Parameter) and one.envvar
    }
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py") if path.name != "config.py")
    for key in keys():
        assert key.variable in variables or f'"{key.variable}"' in source, f"nothing reads {key.name}"


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for key in keys():
        name = key.name.rpartition(".")[2]
        assert f"`{key.variable}`" in page, key.variable
        assert f"`{key.name}`" in page or f"`{name}`" in page, key.name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prot = 5", "prot"),
        ("[server]\nport = 'x'", "server.port"),
        ("[server]\nprot = 5", "prot"),
        ("data = ", "trinch.toml"),
        ("[server]\ntoken = 'abc'", "TRINCH_TOKEN"),
        ("[[sources]]\nsource = 'wss://user:word@relay.example'", "credentials"),
        ("[alerts]\nsmtp = 'smtp://user:word@mail.example:587'", "alerts.smtp"),
        ("[[sources]]\nsource = 'wss://user:${NOT_SET}@relay.example'", "NOT_SET"),
        ("[[sources]]\nsource = 'x:search?query=a b'", "space"),
        ("[[sources]]\nsource = 'jetstream'\nrules = ['a']", "rules"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(text: str, reason: str) -> None:
    path = file(text)
    with pytest.raises(ConfigError, match=reason):
        load(path, {})
    result = run("stats")
    assert result.exit_code == 2
    assert "trinch.toml" in result.output
    assert "Traceback" not in result.output


def test_secrets_come_from_the_environment() -> None:
    path = file("[[sources]]\nsource = 'wss://user:${WORD}@relay.example/subscribe'\n")
    assert load(path, {"WORD": "s3cret"})["TRINCH_LISTEN"] == "wss://user:s3cret@relay.example/subscribe"
    assert "s3cret" not in json.dumps(shown(WORD="s3cret"))


def test_which_file_is_read(bare: Path) -> None:
    assert config.find({}) is None
    home = bare / "home" / "trinch"
    home.mkdir(parents=True)
    file("data = 'a'", str(home / "trinch.toml"))
    assert config.find({}) == home / "trinch.toml"
    file("data = 'b'")
    assert config.find({}) == Path("trinch.toml")
    other = file("data = 'c'", "other.toml")
    assert config.find({"TRINCH_CONFIG": str(other)}) == other
    with pytest.raises(ConfigError, match="no such file"):
        config.find({"TRINCH_CONFIG": "absent.toml"})


def test_the_data_folder_of_the_library_and_of_the_commands() -> None:
    file("data = 'here'")
    assert config.data_folder() == Path("here")
    result = run("stats")
    assert (result.exit_code, "no store in here" in result.output) == (1, True)
