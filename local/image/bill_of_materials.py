"""Add the console's vendored npm packages to a CycloneDX bill of materials.

Called by `make sbom` as `python -m local.image.bill_of_materials FILE`. The tool that writes the bill
sees Python packages only.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from local.npm.vendor import Lock, read_lock


def with_vendored(bill: dict[str, Any], lock: Lock) -> dict[str, Any]:
    """Return the bill with a component for each vendored package. Each component lists its files and their digests."""
    added = [_component(lock, index) for index in range(len(lock.packages))]
    references = [{"ref": component["bom-ref"]} for component in added]
    return bill | {
        "components": [*bill.get("components", []), *added],
        "dependencies": [*bill.get("dependencies", []), *references],
    }


def _component(lock: Lock, index: int) -> dict[str, Any]:
    package = lock.packages[index]
    digest = base64.b64decode(package.integrity.removeprefix("sha512-")).hex()
    return {
        "type": "library",
        "bom-ref": f"{package.name}@{package.version}",
        "name": package.name,
        "version": package.version,
        "licenses": [{"license": {"name": package.licence}}],
        "purl": f"pkg:npm/{package.name.replace('@', '%40')}@{package.version}",
        "hashes": [{"alg": "SHA-512", "content": digest}],
        "components": [
            {"type": "file", "name": file.path, "hashes": [{"alg": "SHA-256", "content": file.sha256}]}
            for file in lock.files
            if file.package == package.name
        ],
    }


def main() -> None:
    """Rewrite the bill of materials that the first argument names."""
    path = Path(sys.argv[1])
    bill = with_vendored(json.loads(path.read_text(encoding="utf-8")), read_lock())
    path.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
