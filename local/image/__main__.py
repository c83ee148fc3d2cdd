"""`make image`: build the image, check it, write dist/image.tar, its bill of materials and its licences."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from local.failures import exit_code
from local.image import contents
from local.image.base_image import BUILD_BASE, RUN_BASE, make_bases
from local.image.buildah import Buildah, BuildFailed
from local.image.requirements import require
from runtime.version import VERSION

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "localhost/collate-gateway"
PROGRAMS: Final = {"buildah": "buildah", "chroot": "coreutils"}
OF_THE_BASES: Final = {"debootstrap": "debootstrap"}


def build(base: str | None, tag: str, target: Path) -> None:
    """Build the image and write its archive, its bill of materials and its licences. Raises LocalError."""
    require("make image", PROGRAMS | ({} if base else OF_THE_BASES))
    buildah, began = Buildah(), time.monotonic()
    if base is None:
        make_bases(buildah)
    based = time.monotonic()
    arguments = {"VERSION": tag, "REVISION": _git("rev-parse", "HEAD") or "unknown"}
    at = _git("log", "-1", "--format=%ct") or "0"
    if base is None:
        arguments["RUN_BASE"] = RUN_BASE
    name = f"{NAME}:{tag}"
    buildah.build(ROOT, name, base=base or BUILD_BASE, is_local=base is None, arguments=arguments, at=at)
    built = time.monotonic()
    target.mkdir(exist_ok=True)
    with buildah.mounted(name) as root:
        if found := contents.forbidden(root):
            raise BuildFailed(f"The image has a package installer: {', '.join(found[:10])}")
        listed = contents.packages(root)
        size = contents.size_in_bytes(root)
    bill = contents.bill(NAME, tag, listed)
    (target / "image-sbom.json").write_text(json.dumps(bill, indent=2) + "\n")
    (target / "image-licences.md").write_text(contents.licences(listed))
    buildah.save(name, target / "image.tar")
    buildah.remove_dangling()
    sources = {source: sum(package.source == source for package in listed) for source in ("pypi", "deb")}
    print(f"{name}: {size / 1e6:.0f} MB, without pip")
    print(f"{sources['pypi']} Python and {sources['deb']} Debian packages: {target}/image-sbom.json, image-licences.md")
    print(f"{target}/image.tar: for `docker load` or `ctr images import`")
    print(f"base {based - began:.0f} s, build {built - based:.0f} s, in all {time.monotonic() - began:.0f} s")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> int:
    """Build the image; return the exit code."""
    parser = argparse.ArgumentParser(prog="make image", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", help="an image with Python 3.11 and venv; default: one that debootstrap makes")
    parser.add_argument("--tag", default=VERSION)
    options = parser.parse_args()
    return exit_code(lambda: build(options.base, options.tag, ROOT / "dist"))


if __name__ == "__main__":
    sys.exit(main())
