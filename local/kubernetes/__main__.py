"""`make cluster`: a real Kubernetes with the chart installed, and everything that the gateway needs beside it."""

import argparse
import os
import sys
import time
from typing import Final

from local.failures import exit_code
from local.image.__main__ import build as build_image
from local.image.requirements import require
from local.kubernetes import binaries, sandbox
from local.kubernetes.paths import ARCHIVE, ROOT, is_current
from runtime.version import VERSION

NEEDS: Final = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "unshare": "util-linux",
    "mount": "mount",
}


def run(module: str, arguments: list[str], *, has_images: bool = False) -> int:
    """Build what is missing, then run a module inside the sandbox; return its exit code. Raises LocalError.

    `has_images`: the module loads other images than this tree's.
    """
    require("make cluster", NEEDS)
    began = time.monotonic()
    programs = binaries.build()
    if not has_images and not is_current(ARCHIVE):
        build_image(None, VERSION, ROOT / "dist")
    print(f"the programs and the images are there after {time.monotonic() - began:.0f} s", flush=True)
    os.environ["COLLATE_GATEWAY_CLUSTER_PROGRAMS"] = str(programs)
    return sandbox.run(module, arguments)


def main() -> int:
    """Run the cluster; return the exit code."""
    parser = argparse.ArgumentParser(prog="make cluster", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C, and print the kubeconfig")
    options = parser.parse_args()
    return exit_code(lambda: run("local.kubernetes.show", ["--keep"] if options.keep else []))


if __name__ == "__main__":
    sys.exit(main())
