"""Settings in a file, `trinch.toml`: its keys, where it lies, and the value of each setting with its origin.

Each key is the default of an environment variable, which in turn is the default of a command's option: an option wins
over the environment, the environment over the file. Secrets belong into the environment; a string of the file may name
one as `${NAME}`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec
import platformdirs

from trinch.errors import TrinchError
from trinch.sources.address import has_credentials

FILE = "trinch.toml"
VARIABLE = "TRINCH_CONFIG"
"""Environment variable that names the file."""


class ConfigError(TrinchError, ValueError):
    """A settings file that cannot be used; the message names the file and the key."""


def _key(variable: str, description: str, secret: bool = False) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra={"variable": variable, "secret": secret})


class _Section(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A table of the file; None is a key that the file leaves out."""


class Server(_Section):
    host: Annotated[str | None, _key("TRINCH_HOST", "Address to listen on.")] = None
    port: Annotated[int | None, _key("TRINCH_PORT", "Port; 0 takes any free one.")] = None
    unix_socket: Annotated[str | None, _key("TRINCH_UNIX_SOCKET", "Unix socket to listen on instead.")] = None
    require_keys: Annotated[bool | None, _key("TRINCH_REQUIRE_KEYS", "Accept API keys only.")] = None
    allow_hosts: Annotated[
        list[str] | None, _key("TRINCH_ALLOW_HOST", "Further host names under which browsers reach it.")
    ] = None
    cors: Annotated[list[str] | None, _key("TRINCH_CORS", "Origins whose web pages may call the API.")] = None
    rate: Annotated[float | None, _key("TRINCH_RATE", "Requests per second and key.")] = None
    budget_ms: Annotated[
        int | None, _key("TRINCH_BUDGET_MS", "Processor time of a search, in milliseconds.")
    ] = None
    token: Annotated[
        str | None, _key("TRINCH_TOKEN", "Start-up token; the environment only.", secret=True)
    ] = None


class Model(_Section):
    address: Annotated[
        str | None, _key("TRINCH_MODEL", "Address, GGUF file or folder of the model that writes answers.")
    ] = None
    name: Annotated[str | None, _key("TRINCH_MODEL_NAME", "Which model of that server.")] = None
    seconds: Annotated[float | None, _key("TRINCH_MODEL_SECONDS", "Longest time for an answer.")] = None
    tokens: Annotated[int | None, _key("TRINCH_MODEL_TOKENS", "Most tokens of an answer.")] = None
    posts: Annotated[int | None, _key("TRINCH_MODEL_POSTS", "Most posts it reads for an answer.")] = None
    searches: Annotated[
        int | None, _key("TRINCH_MODEL_SEARCHES", "Most searches of its own for an answer; 0 is none.")
    ] = None
    tokens_per_day: Annotated[
        int | None, _key("TRINCH_MODEL_TOKENS_PER_DAY", "Most tokens for a key in a day; 0 is no limit.")
    ] = None
    key: Annotated[
        str | None, _key("TRINCH_LLM_KEY", "Key of the model's server; the environment only.", secret=True)
    ] = None


class Alerts(_Section):
    smtp: Annotated[str | None, _key("TRINCH_SMTP", "Mail server, as smtp://host:587.")] = None
    mail_from: Annotated[str | None, _key("TRINCH_MAIL_FROM", "Sender of mail.")] = None
    private_webhooks: Annotated[
        bool | None, _key("TRINCH_PRIVATE_WEBHOOKS", "Let webhooks go to private addresses.")
    ] = None
    per_key: Annotated[int | None, _key("TRINCH_ALERTS_PER_KEY", "Most alerts of a key.")] = None


class Cluster(_Section):
    log: Annotated[
        str | None, _key("TRINCH_LOG", "NATS server with the log of a cluster, as nats://HOST:4222.")
    ] = None
    nodes: Annotated[list[str] | None, _key("TRINCH_NODES", "Nodes to search, as http://HOST:PORT.")] = None
    partitions: Annotated[
        str | None, _key("TRINCH_PARTITIONS", "Partitions that this node holds, as 0-31 or 0/3.")
    ] = None


class Source(_Section):
    """One live source: its address, and for X's filtered stream the rules."""

    source: str
    rules: list[str] = []


class Config(_Section):
    """The whole file."""

    data: Annotated[str | None, _key("TRINCH_DATA", "Folder of the store.")] = None
    reader: Annotated[str | None, _key("TRINCH_READER", "Reader of a package that answers use.")] = None
    sources: Annotated[
        list[Source] | None,
        _key("TRINCH_LISTEN", "Live sources, each a table [[sources]] with its `source`."),
    ] = None
    server: Server = msgspec.field(default_factory=Server)
    model: Model = msgspec.field(default_factory=Model)
    alerts: Alerts = msgspec.field(default_factory=Alerts)
    cluster: Cluster = msgspec.field(default_factory=Cluster)


class Key(NamedTuple):
    """One key of the file, and the environment variable it is the default of."""

    name: str
    variable: str
    description: str
    is_secret: bool


class Value(NamedTuple):
    """What a setting is before the options of a command, and where that comes from."""

    key: Key
    value: str
    """As the environment variable would hold it; "" where it is not set."""
    origin: str
    """`environment`, the path of the file, or `default`."""


def keys(section: type[_Section] = Config, prefix: str = "") -> Iterator[Key]:
    """Every key of the file, in its order."""
    for name, hint in get_type_hints(section, include_extras=True).items():
        if isinstance(hint, type) and issubclass(hint, _Section):
            yield from keys(hint, f"{name}.")
        elif extra := _meta(hint).extra:
            yield Key(
                f"{prefix}{name}", extra["variable"], _meta(hint).description or "", bool(extra["secret"])
            )


def _meta(hint: Any) -> msgspec.Meta:
    return next(
        (one for one in getattr(hint, "__metadata__", ()) if isinstance(one, msgspec.Meta)), msgspec.Meta()
    )


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that TRINCH_CONFIG names, else `trinch.toml` in the current folder, else in the user's folder of settings.

    Raises ConfigError where TRINCH_CONFIG names none that exists."""
    if named := environment.get(VARIABLE):
        if not Path(named).is_file():
            raise ConfigError(f"{VARIABLE} names {named}, but there is no such file")
        return Path(named)
    folder = Path(platformdirs.user_config_dir("trinch", appauthor=False))
    return next((path for path in (Path(FILE), folder / FILE) if path.is_file()), None)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variable -> value of each key in a file. Raises ConfigError, naming the key, and OSError."""
    try:
        raw = msgspec.toml.decode(path.read_bytes(), type=Config)
        config = msgspec.convert(_expanded(msgspec.to_builtins(raw), environment), Config)
        _check_secrets(raw)
        return {
            key.variable: _written(value) for key in keys() if (value := _at(config, key.name)) is not None
        }
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {str(error).replace('`$.', '`')}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _check_secrets(raw: Config) -> None:
    """Raises ConfigError where a secret is in the file in plain text."""
    for key in keys():
        if key.is_secret and _at(raw, key.name) is not None:
            raise ConfigError(f"{key.name}: put a secret into the environment, as {key.variable}")
    addresses = [("sources", source.source) for source in raw.sources or ()]
    addresses += [("alerts.smtp", raw.alerts.smtp)] if raw.alerts.smtp else []
    addresses += [("cluster.log", raw.cluster.log)] if raw.cluster.log else []
    for name, address in addresses:
        if has_credentials(address) and "${" not in address:
            raise ConfigError(f"{name}: an address with credentials; write them as ${{NAME}}")


def _at(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return " ".join(_address(one) if isinstance(one, Source) else one for one in value)
    return str(value)


def _address(source: Source) -> str:
    """A source as `--listen` takes it. Raises ConfigError."""
    if not source.source or any(c.isspace() for c in source.source):
        raise ConfigError(f"sources: {source.source!r} is no address of a source; a space is written +")
    if source.rules and source.source not in ("x", "x:filter"):
        raise ConfigError("sources: rules are for x alone")
    return filtered_stream(source.rules) if source.rules else source.source


def filtered_stream(rules: list[str] | tuple[str, ...]) -> str:
    """The address of X's filtered stream with these rules."""
    from urllib.parse import quote_plus

    return "x:filter?" + "&".join(f"rule={quote_plus(rule)}" for rule in rules)


_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _expanded(value: Any, environment: Mapping[str, str]) -> Any:
    """The value with `${NAME}` in its strings replaced from the environment. Raises ConfigError where NAME is not set."""
    if isinstance(value, dict):
        return {name: _expanded(one, environment) for name, one in value.items()}
    if isinstance(value, list):
        return [_expanded(one, environment) for one in value]
    if not isinstance(value, str):
        return value

    def named(found: "re.Match[str]") -> str:
        if found[1] not in environment:
            raise ConfigError(f"${{{found[1]}}} is not set in the environment")
        return environment[found[1]]

    return _REFERENCE.sub(named, value)


def values(path: Path | None, environment: Mapping[str, str] = os.environ) -> list[Value]:
    """Every setting with its value and origin. Raises ConfigError."""
    file = load(path, environment) if path else {}
    found = []
    for key in keys():
        if key.variable in environment:
            found.append(Value(key, environment[key.variable], "environment"))
        elif key.variable in file:
            found.append(Value(key, file[key.variable], str(path)))
        else:
            found.append(Value(key, "", "default"))
    return found


def data_folder() -> Path:
    """The folder of the store where nothing names one: TRINCH_DATA, `data` of the file, the platform's folder for data."""
    named = os.environ.get("TRINCH_DATA") or ((path := find()) and load(path).get("TRINCH_DATA"))
    return Path(named) if named else Path(platformdirs.user_data_dir("trinch", appauthor=False))
