"""`make release`: build every artifact of this commit into dist/release, with checksums and provenance.

Nothing is uploaded and nothing is signed: docs/changing.md says who does that, and how.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import helm_python

from local.failures import StartFailed, exit_code
from local.image.__main__ import build as build_image
from local.npm.clients import build as build_clients
from local.release import archive
from local.release.provenance import Build, sha256, statement
from runtime.version import VERSION

ROOT: Final = Path(__file__).parents[2]
TARGET: Final = ROOT / "dist" / "release"
_CHART: Final = ROOT / "helm" / "gateway"


def release(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Build the artifacts and print them. Raises LocalError."""
    for path in build(options, arguments):
        print(f"  {path.stat().st_size / 1e6:8.2f} MB  {path.relative_to(ROOT)}")
    print("nothing is signed: docs/changing.md#sign-and-verify")


def build(options: argparse.Namespace, arguments: Sequence[str]) -> list[Path]:
    """Build the artifacts; return them with their checksums and their provenance. Raises LocalError."""
    if changed := _git("status", "--porcelain"):
        raise StartFailed(f"Commit first: the provenance names a commit, and these files differ from it.\n{changed}")
    commit, began = _git("rev-parse", "HEAD"), datetime.now(UTC)
    at = os.environ["SOURCE_DATE_EPOCH"] = _git("log", "-1", "--format=%ct")  # the dates of the files in the wheels
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    _say("wheel of the gateway")
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(TARGET))
    _say("clients: wheel and npm archive")
    build_clients(TARGET)
    _say("chart")
    archive.write_again(Path(helm_python.package(_CHART, destination=TARGET)), at=int(at))
    _say("site of the documents")
    _run(sys.executable, "-m", "docs_build", "--site")
    archive.write_folder(TARGET / f"collate-gateway-site-{VERSION}.tgz", ROOT / "dist" / "site", at=int(at))
    _say("bill of materials")
    _run("make", "sbom")
    shutil.copy(ROOT / "dist" / "sbom.json", TARGET)
    if options.image:
        _say("image (minutes)")
        build_image(options.base, VERSION, ROOT / "dist")
        for name in ("image.tar", "image-sbom.json", "image-licences.md"):
            shutil.move(ROOT / "dist" / name, TARGET)
    artifacts = sorted(TARGET.iterdir())
    (TARGET / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in artifacts))
    run = Build(commit, options.builder, f"{began:%FT%TZ}", f"{datetime.now(UTC):%FT%TZ}", tuple(arguments))
    pinned = [(f"requirements/{path.name}", path) for path in sorted((ROOT / "requirements").glob("*.txt"))]
    pinned.append(("clients/typescript/package-lock.json", ROOT / "clients" / "typescript" / "package-lock.json"))
    (TARGET / "provenance.json").write_text(json.dumps(statement(run, artifacts, pinned), indent=2) + "\n")
    return [*artifacts, TARGET / "SHA256SUMS", TARGET / "provenance.json"]


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"git {arguments[0]} failed: make release needs a git checkout.\n{done.stderr}")
    return done.stdout.strip()


def _say(part: str) -> None:
    print(f"building: {part}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Build; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="make release", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--image", action="store_true", help="build the image too (root, Debian)")
    parser.add_argument("--base", help="as for `make image`: an image with Python 3.11 and venv")
    parser.add_argument(
        "--builder", default="urn:collate-gateway:somebodys-machine", help="a URI that names the builder"
    )
    options = parser.parse_args(given)
    return exit_code(lambda: release(options, given))


if __name__ == "__main__":
    sys.exit(main())
