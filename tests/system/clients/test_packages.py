"""The packages of the clients: what is in them, and what they need."""

import json
from email.parser import Parser
from pathlib import Path

from runtime.version import VERSION

ROOT = Path(__file__).parents[3]


def test_the_wheel_has_the_package_its_marker_of_types_and_one_dependency(packed):
    source = ROOT / "clients" / "python"
    expected = packed.files(source / "collate_gateway_client")
    expected = {f"collate_gateway_client/{path}" for path in expected if "__pycache__" not in path}
    (described,) = packed.wheel.glob("*.dist-info/METADATA")
    assert {path for path in packed.files(packed.wheel) if ".dist-info/" not in path} == expected
    assert "collate_gateway_client/py.typed" in expected
    metadata = Parser().parsestr(described.read_text())
    assert metadata.get_all("Requires-Dist") == ["httpx<1,>=0.27"]
    assert metadata["Version"] == VERSION


def test_the_npm_package_has_modules_with_types_and_no_dependency(packed):
    package = json.loads((packed.npm_package / "package.json").read_text())
    assert package["version"] == VERSION
    assert not {"dependencies", "peerDependencies", "bundledDependencies"} & package.keys()
    names = {path.stem for path in (ROOT / "clients/typescript/src").glob("*.ts")}
    built = {f"dist/{name}{ending}" for name in names for ending in (".js", ".d.ts")}
    assert packed.files(packed.npm_package) == built | {"README.md", "package.json"}
    assert not any("node:" in path.read_text() for path in (packed.npm_package / "dist").glob("*.js"))
