"""The first program in the sandbox: prepares mounts and the network, then runs a module in the same process.

python -m local.kubernetes.inside MODULE ARGUMENTS…
"""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

from local.kubernetes import sandbox

BRIDGE: Final = "cni0"
NODE_ADDRESS: Final = "10.244.0.1"
POD_NETWORK: Final = "10.244.0.0/24"
# The machine's name servers cannot be reached from here. For each login Kafka looks up the name of its own address, and
# would wait for them each time.
_NAMES: Final = {
    "/etc/hosts": f"127.0.0.1 localhost\n{NODE_ADDRESS} node1\n",
    "/etc/resolv.conf": f"nameserver {NODE_ADDRESS}\n",
}


def prepare() -> None:
    """Make the private directories, the kernel's values, the bridge, and the rules of its network."""
    work = sandbox.work_directory()
    for place in sandbox.PRIVATE:
        own = work / "private" / place.strip("/").replace("/", "-")
        own.mkdir(parents=True)
        _run("mount", "--bind", str(own), place)
    (work / "kernel").mkdir()
    for number, (name, value) in enumerate(sandbox.KERNEL.items()):
        file = work / "kernel" / str(number)
        file.write_text(f"{value}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{name}")
    for place, content in _NAMES.items():
        file = work / Path(place).name
        file.write_text(content)
        _run("mount", "--bind", str(file), place)
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    # There is no way out of the sandbox. The route is there because programs look for one.
    _run("ip", "route", "add", "default", "dev", BRIDGE)
    for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        Path("/proc/sys/net", name).write_text("1")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    """Prepare, then become the module."""
    prepare()
    module = sys.argv[1]
    sys.argv = [module, *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
