"""`make cluster`: a real Kubernetes with the chart installed, and everything that the gateway needs beside it."""

import os
import sys
import time
from typing import Final

from local.failures import exit_code
from local.image import __main__ as image
from local.image.requirements import require
from local.kubernetes import binaries, sandbox
from local.kubernetes.paths import ARCHIVE, ROOT, is_current
from local.kubernetes.show import parser
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
    "nsenter": "util-linux",
}


def run(module: str, arguments: list[str], *, has_images: bool = False) -> int:
    """Build what is missing, then run a module inside the sandbox; return its exit code. Raises LocalError.

    `has_images`: the module loads other images than this tree's.
    """
    builds_image = not has_images and not is_current(ARCHIVE)
    of_the_image = image.PROGRAMS | image.OF_THE_BASES if builds_image else {}
    require("make cluster", NEEDS | of_the_image, others=binaries.needs())
    began = time.monotonic()
    programs = binaries.build()
    if builds_image:
        image.build(None, VERSION, ROOT / "dist")
    print(f"the programs and the images are there after {time.monotonic() - began:.0f} s", flush=True)
    os.environ["COLLATE_GATEWAY_CLUSTER_PROGRAMS"] = str(programs)
    return sandbox.run(module, arguments)


def main() -> int:
    """Run the cluster; return the exit code."""
    parser("make cluster").parse_args()
    return exit_code(lambda: run("local.kubernetes.show", sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
