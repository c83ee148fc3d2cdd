"""The generated clients: how each is made from the document and compiled, and the command of its walk.

Each function receives the document and the folder of the client, which it makes.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.clients import tools

_PACKAGE: Final = "generated_client"
_PYTHON: Final = tools.HERE / "python"


def openapi_python_client(document: Path, client: Path) -> None:
    """Generate with openapi-python-client, and check the types of the client and of its walk."""
    programs = tools.python_tools()
    path = {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    configuration = _PYTHON / "openapi_python_client.yml"
    client.mkdir(parents=True)
    generate: list[str | Path] = [programs / "openapi-python-client", "generate", "--meta", "none", "--overwrite"]
    places = ["--path", document, "--output-path", client / _PACKAGE, "--config", configuration]
    tools.run([*generate, *places], client, path)
    shutil.copy(_PYTHON / "walk_openapi_python_client.py", client / "walk.py")
    _check_types(client, [_PACKAGE, "walk.py"])


def python_walk(client: Path) -> list[str | Path]:
    """Return the command."""
    return [tools.python_tools() / "python", client / "walk.py"]


def generator_python(document: Path, client: Path) -> None:
    """Generate with OpenAPI Generator for Python, and compile."""
    _generate(document, client, "python", f"packageName={_PACKAGE}")
    shutil.copy(_PYTHON / "walk_openapi_generator.py", client / "walk.py")
    tools.run([tools.python_tools() / "python", "-m", "compileall", "-q", _PACKAGE, "walk.py"], client)


def typescript(document: Path, client: Path) -> None:
    """Generate types with openapi-typescript, and compile the walk, which sends with openapi-fetch."""
    modules, node = tools.node_modules(), tools.node()
    client.mkdir(parents=True)
    (client / "node_modules").symlink_to(modules / "node_modules")
    programs = modules / "node_modules"
    tools.run([node, programs / "openapi-typescript" / "bin" / "cli.js", document, "-o", client / "api.d.ts"], client)
    for name in ("walk.ts", "tsconfig.json"):
        shutil.copy(tools.NPM / name, client)
    (client / "package.json").write_text('{"type": "module"}\n', encoding="utf-8")
    tools.run([node, programs / "typescript" / "bin" / "tsc", "--project", client / "tsconfig.json"], client)


def typescript_walk(client: Path) -> list[str | Path]:
    """Return the command."""
    return [tools.node(), client / "out" / "walk.js"]


def go(document: Path, client: Path) -> None:
    """Generate with OpenAPI Generator for Go; build and vet the client and its walk."""
    programs = tools.python_tools()
    _generate(document, client / "gateway", "go", "packageName=gateway,withGoMod=false")
    shutil.rmtree(client / "gateway" / "test")  # they import a module of a name that nobody has
    for source in (tools.GO / "walk").iterdir():
        shutil.copy(source, client)
    tools.go(programs, ["build", "-o", client / "walk", "."], client)
    tools.go(programs, ["vet", "./..."], client)


def go_walk(client: Path) -> list[str | Path]:
    """Return the command."""
    return [client / "walk"]


def _generate(document: Path, client: Path, target: str, properties: str) -> None:
    client.mkdir(parents=True)
    command = [*tools.generator(), "generate", "-i", str(document), "-g", target, "-o", str(client)]
    tools.run([*command, "--additional-properties", properties], client)


def _check_types(client: Path, places: list[str]) -> None:
    mypy = [sys.executable, "-m", "mypy", "--no-incremental", "--config-file", str(_PYTHON / "mypy.ini")]
    tools.run([*mypy, "--python-executable", str(tools.python_tools() / "python"), *places], client)
