"""Builds Kubernetes, the cluster's DNS and the enforcement of NetworkPolicies from their Go modules, once.

`modules/go.mod` pins the versions and `go.sum` the content. The programs stay in the cache, under a digest of both.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from local.failures import LocalError
from local.processes.cache import cache_directory

MODULES: Final = Path(__file__).with_name("modules")
# `go.mod` requires this version of k8s.io/kubernetes.
KUBERNETES: Final = "1.34.4"
# One program has all processes of Kubernetes; its name selects one.
PROCESSES: Final = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
_PROGRAMS: Final = {
    "pause": "./pause",
    "policies": "./policies",
    "dns": "./dns",
    "kubernetes": "./node",
}


class NotBuilt(LocalError):
    """A program could not be built. The message has the end of the compiler's output."""


def needs() -> list[str]:
    """Return what the build needs and this machine does not have."""
    if directory().exists() or shutil.which("go"):
        return []
    return ["Go 1.24 or newer, which builds Kubernetes from its module; Debian 12 has an older one"]


def build() -> Path:
    """Return the directory of the programs; build them if the cache has none. Raises NotBuilt."""
    built = directory()
    if built.exists():
        return built
    built.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=built.parent))
    try:
        for name, package in _PROGRAMS.items():
            began = time.monotonic()
            print(f"  building {name} ...", end=" ", flush=True)
            _build(package, work / name)
            print(f"{time.monotonic() - began:.0f} s", flush=True)
        for name in PROCESSES:
            (work / name).symlink_to("kubernetes")
        work.chmod(0o755)
        work.rename(built)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return built


def directory() -> Path:
    """Return where the programs of these inputs are, or will be."""
    return cache_directory() / "kubernetes" / digest()


def digest() -> str:
    """Return a digest of all inputs of the build. The linker's flags follow from KUBERNETES."""
    content = hashlib.sha256(repr((KUBERNETES, PROCESSES, _PROGRAMS)).encode())
    for file in sorted(MODULES.rglob("*")):
        if file.is_file():
            content.update(f"{file.relative_to(MODULES)}\0".encode() + file.read_bytes())
    return content.hexdigest()[:16]


def linker_flags() -> str:
    """Return the flags that give Kubernetes its version. The chart's `kubeVersion` refuses a cluster without one."""
    major, minor, _ = KUBERNETES.split(".")
    fields = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in fields.items()]
    return " ".join(["-s", "-w", *stamps])


def _build(package: str, target: Path) -> None:
    done = subprocess.run(
        ["go", "build", "-trimpath", "-ldflags", linker_flags(), "-o", target, package],
        cwd=MODULES,
        env=os.environ | {"CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotBuilt(f"`go build {package}` ended with exit code {done.returncode}: {done.stderr[-3000:]}")
