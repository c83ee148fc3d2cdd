"""The chart's README: every value with its default and its description, from values.yaml and values.schema.json."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).parents[1] / "helm" / "gateway"
_HEAD: Final = """# The chart of the gateway

<!-- Made by `make docs` from values.yaml and values.schema.json; don't edit. -->

The chart installs ingress, workers and, as options, projector, deliverer and console, and Jobs that create topics and
tables. It installs no Kafka, no PostgreSQL and no Secret. [docs/deploy.md](../../docs/deploy.md) leads from nothing
to the first command.

These values have no default: `settings.environment`, `settings.kafka.bootstrap`, `settings.collate.base_url`,
`secrets.existingSecret`. An empty default is an empty text, list or map. `ci/` has complete files:

"""
_HABITS: Final = """
**`ingress` is a process of the gateway.** For access from outside set `expose.ingress`. `console.expose` has the same
values as `expose`, and sets no timeouts by default.

**Variables.** `settings` becomes the environment of every process. `extraEnv` is for variables of the platform,
such as `HTTPS_PROXY`. Unknown `GATEWAY_` variables are fatal.

**Security contexts.** The defaults meet the restricted Pod Security Standard.

"""
PROCESSES: Final = ("ingress", "worker", "projector", "deliverer", "console")
_EACH: Final = f"PROCESS: {', '.join(PROCESSES)}; jobs, topics and promises where it fits"
_TABLE: Final = "| value | default | meaning |\n|---|---|---|\n"
_SETTINGS: Final = (
    "Settings of the gateway by section and name: [configuration](../../docs/configuration.md), in lower case."
)


class ValueUndescribed(Exception):
    """A value of values.yaml has no description in values.schema.json."""


def page() -> str:
    """Return the page. Raises ValueUndescribed."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    examples = "".join(_example(file) for file in sorted((CHART / "ci").glob("*-values.yaml")))
    return _HEAD + examples + _HABITS + "".join(_tables(schema, values))


def described(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield each value as its path, its default and its description. Raises ValueUndescribed."""
    definitions = schema["$defs"]

    def walk(path: str, shape: Mapping[str, Any], default: Any, of: str = "") -> Iterator[tuple[str, Any, str]]:
        whole = {**definitions[shape["$ref"].rpartition("/")[2]], **shape} if "$ref" in shape else shape
        if path == "settings":
            yield path, {}, _SETTINGS
            return
        if isinstance(default, dict) and default and whole.get("properties"):
            # A shared definition says what its parts are; the value that uses it says once what they are for.
            use = shape.get("description", "") if "$ref" in shape else ""
            for name, value in default.items():
                yield from walk(f"{path}.{name}" if path else name, whole["properties"].get(name, {}), value, use)
                use = ""
            return
        if not whole.get("description"):
            raise ValueUndescribed(f"{path} has no description in values.schema.json")
        yield path, default, f"{of} {whole['description']}".strip()

    yield from walk("", schema, values)


def _tables(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    rows = list(described(schema, values))
    told = {(path, description) for path, _, description in rows}
    defaults: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for path, default, description in rows:
        process, _, name = path.partition(".")
        if process in PROCESSES:
            defaults[name, description][process] = _shown(default)
    alike = {key: of for key, of in defaults.items() if len(of) >= len(PROCESSES) - 1}
    # Values of one section with the same default and description have one row.
    sections: dict[str, dict[str, list[str]]] = {"Common": {}, _EACH: {}}
    for (name, description), of in alike.items():
        sections[_EACH].setdefault(_cells(description, of), []).append(f"`PROCESS.{name}`")
    for path, default, description in rows:
        section, _, name = path.partition(".")
        fits = section in (*PROCESSES, "jobs", "topics", "promises")
        if fits and _shown(default) in alike.get((name, description), {}).values():
            continue
        if (name, description) not in told:
            cells = f"{_shown(default)} | {description}"
            sections.setdefault(section if name else "Common", {}).setdefault(cells, []).append(f"`{path}`")
    for section, alike_paths in sections.items():
        lines = "".join(f"| {', '.join(paths)} | {cells} |\n" for cells, paths in alike_paths.items())
        yield f"\n## {section}\n\n{_TABLE}{lines}"


def _cells(description: str, of: Mapping[str, str]) -> str:
    """Return default and meaning of a value that all processes have, or all but one; `of` has the default of each."""
    default = ", ".join(f"{process} {text}" for process, text in of.items())
    if len(set(of.values())) == 1:
        default = next(iter(of.values()))
    others = "".join(f" Not of {process}." for process in PROCESSES if process not in of)
    return f"{default} | {description}{others}"


def _shown(default: Any) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return "" if default in ("", [], {}) else f"`{text.strip(chr(34))}`"


def _example(file: Path) -> str:
    first = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    return f"- [`{file.name}`](ci/{file.name}): {first}\n"
