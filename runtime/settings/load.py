"""Loading of a process' settings from the environment, with all problems in one exception."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, SecretStr

from runtime.environ import Section, SettingsInvalid, file_problem, nest, setting_paths, validate, variable_name
from runtime.settings.processes import (
    AccessSettings,
    ClusterSettings,
    ConsoleProcessSettings,
    DelivererProcessSettings,
    ProcessSettings,
    Settings,
)

Loaded = TypeVar("Loaded", bound=Section)

# Settings that one process requires although they are optional for the others.
_NEEDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ingress": (("ingress", "callers_file"), ("topics", "phi_key_file")),
    "worker": (("worker", "digest_key_file"), ("topics", "phi_key_file")),
    "projector": (("readmodel", "dsn_file"),),
    "migrate": (("readmodel", "dsn_file"),),
    "deliverer": (("deliverer", "subscriptions_file"),),
    "console": (("console", "public_url"), ("console", "api_url")),
}
# Files that only one process opens; they need not be mounted for the others.
_ONLY_FOR: Mapping[tuple[str, ...], str] = {
    ("ingress", "callers_file"): "ingress",
    ("ingress", "jwks_proxy_credentials_file"): "ingress",
    ("worker", "digest_key_file"): "worker",
    ("deliverer", "subscriptions_file"): "deliverer",
    ("console", "api_ca_file"): "console",
    ("console", "cookie_key_file"): "console",
    ("console", "oidc_client_secret_file"): "console",
}


def load_settings(environ: Mapping[str, str], process: Literal["ingress", "worker"] | None = None) -> Settings:
    """Load the settings of a process; None skips the checks that only one process needs.

    Raises SettingsInvalid with all problems: unknown GATEWAY_ keys, missing and wrong values, contradictions, files.
    """
    return _load(Settings, environ, process)


def load_process_settings(environ: Mapping[str, str], process: Literal["projector", "migrate"]) -> ProcessSettings:
    """Load the settings of the projector or `gateway migrate`; the values of other settings are not checked."""
    return _load(ProcessSettings, environ, process)


def load_console_settings(environ: Mapping[str, str]) -> ConsoleProcessSettings:
    """Load the settings of the console; the values of other settings are not checked."""
    return _load(ConsoleProcessSettings, environ, "console")


def load_deliverer_settings(environ: Mapping[str, str]) -> DelivererProcessSettings:
    """Load the settings of the deliverer; the values of other settings are not checked."""
    return _load(DelivererProcessSettings, environ, "deliverer")


def load_cluster_settings(environ: Mapping[str, str]) -> ClusterSettings:
    """Load the settings of `gateway topics`; the values of other settings are not checked."""
    return _load(ClusterSettings, environ, None)


def load_access_settings(environ: Mapping[str, str]) -> AccessSettings:
    """Load the settings of `gateway topics acls`; the values of other settings are not checked."""
    return _load(AccessSettings, environ, "topics")


def read_secret(path: Path) -> SecretStr:
    """Read a secret from its file, without the line end that editors add."""
    return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))


def value_at(settings: BaseModel, path: tuple[str, ...]) -> object:
    """Return the value of the setting at the path."""
    found: object = settings
    for part in path:
        found = getattr(found, part)
    return found


def _load(model: type[Loaded], environ: Mapping[str, str], process: str | None) -> Loaded:
    nested, problems = nest(environ, known=Settings)
    mine = {name: value for name, value in nested.items() if name in model.model_fields}
    built = validate(model, mine)
    if isinstance(built, list):
        problems += built
    problems += [
        f"{variable_name((section, name))}: required for `gateway {process}` but not set"
        for section, name in _NEEDED.get(process or "", ())
        if name not in mine.get(section, {})
    ]
    problems += [
        f"{variable_name(path)}: {problem}"
        for path, file in _files(model, mine)
        if _ONLY_FOR.get(path, process) == process and (problem := file_problem(file))
    ]
    if isinstance(built, list) or problems:
        raise SettingsInvalid(problems)
    return built


def _files(model: type[BaseModel], nested: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for path in setting_paths(model):
        section, name = path[0], path[-1]
        if name.endswith("_file") and name in nested.get(section, {}):
            yield path, Path(nested[section][name])
