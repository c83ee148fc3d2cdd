"""Write every file that is made from code: `make docs`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from docs_build import (
    cadence_page,
    chart_inventory,
    chart_readme,
    chart_schema,
    collate_errors,
    decide_page,
    decisions,
    faults,
    licences,
    matrix,
    promises,
    reference,
    support,
    ways,
)
from docs_build.capacity import formulas, measured
from docs_build.clients import models, operations, synchronous
from docs_build.dashboard import grafana
from docs_build.documents import publish
from docs_build.markdown import put_into

ROOT: Final = Path(__file__).parents[1]
PUBLISHED: Final = "schemas/published"


def pages(root: Path) -> dict[str, str]:
    """Return the expected text of each generated file by its path below the root, without schemas/published."""
    found = {
        "docs/configuration.md": reference.configuration_page(),
        "docs/metrics.md": reference.metrics_page(),
        "docs/decide.md": decide_page.page(),
        "docs/licences.md": licences.page(),
        decisions.PATH: decisions.text(),
        "docs/collate-errors.md": collate_errors.page(),
        "helm/gateway/README.md": chart_readme.page(),
        "helm/gateway/files/dashboard.json": grafana.dashboard(),
        "helm/gateway/values.schema.json": chart_schema.put_into(
            (root / "helm/gateway/values.schema.json").read_text(encoding="utf-8")
        ),
    }
    # In these, only one part is generated.
    for path, *parts in (
        ("docs/subscribing.md", cadence_page.part()),
        ("docs/capacity.md", formulas.part(), measured.part()),
        ("docs/disaster.md", ways.part()),
        ("docs/operations.md", faults.part()),
        ("docs/architecture.md", promises.part()),
        ("docs/compliance.md", chart_inventory.part()),
        ("docs/support.md", support.part()),
        ("README.md", matrix.claims(matrix.runs())),
    ):
        found[path] = put_into((root / path).read_text(encoding="utf-8"), *parts)
    published = publish.rendered()
    found[models.PATH] = models.models_module(
        json.loads(published["openapi.json"]), json.loads(published["asyncapi.json"])
    )
    found[operations.PATH] = operations.operations_module(json.loads(published["openapi.json"]))
    found |= synchronous.synchronous_files()
    return found


def stale(root: Path = ROOT) -> list[str]:
    """Return the paths of files that are missing, differ from the code, or are published without a model."""
    changed = [
        path
        for path, text in pages(root).items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    ]
    return changed + [f"{PUBLISHED}/{path}" for path in publish.stale(root / PUBLISHED)]


def write(root: Path = ROOT) -> None:
    """Write every generated file, and remove published schemas that have no model."""
    for path, text in pages(root).items():
        (root / path).write_text(text, encoding="utf-8")
    publish.write(root / PUBLISHED)


def main() -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs_build", description=__doc__)
    parser.add_argument(
        "--site", nargs="?", type=Path, const=ROOT / "dist/site", help="build the site of the documents: dist/site"
    )
    given = parser.parse_args()
    if given.site:
        return _site(given.site)
    write()
    return 0


def _site(target: Path) -> int:
    from docs_build.site import build  # noqa: PLC0415 -- the other files need no Sphinx

    try:
        build.build(ROOT, target)
    except build.SiteFailed as failure:
        print(failure, end="")  # noqa: T201 -- the command's output
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
