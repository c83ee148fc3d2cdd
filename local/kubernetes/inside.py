"""The first program in the namespaces of a node: prepares mounts and the network, then runs a module, or only waits.

python -m local.kubernetes.inside NUMBER [MODULE ARGUMENTS…]
"""

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from local.kubernetes import sandbox

BRIDGE: Final = "cni0"
POD_NETWORK: Final = "10.244.0.0/16"


def address_of(number: int) -> str:
    """Return the address of a node: its bridge's. The pods of the node have the others of the same /24."""
    return f"10.244.{number - 1}.1"


def name_of(number: int) -> str:
    """Return the name of a node."""
    return f"node{number}"


# Of the first node, where the control plane and the servers are.
NODE_ADDRESS: Final = address_of(1)


def prepare(number: int) -> None:
    """Make a node's private directories, the kernel's values, the bridge, and the rules of its network."""
    name, address = name_of(number), address_of(number)
    own = sandbox.work_directory() / name
    own.mkdir()
    for place in sandbox.PRIVATE:
        private = own / place.strip("/").replace("/", "-")
        private.mkdir()
        _run("mount", "--bind", str(private), place)
    (own / "kernel").mkdir()
    for index, (value_name, value) in enumerate(sandbox.KERNEL.items()):
        file = own / "kernel" / str(index)
        file.write_text(f"{value}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{value_name}")
    # The machine's name servers cannot be reached from here. For each login Kafka looks up the name of its own address,
    # and would wait for them each time.
    names = {
        "/etc/hosts": f"127.0.0.1 localhost\n{address} {name}\n",
        "/etc/resolv.conf": f"nameserver {address}\n",
    }
    for place, content in names.items():
        file = own / Path(place).name
        file.write_text(content)
        _run("mount", "--bind", str(file), place)
    _run("ip", "link", "set", "lo", "up")
    # Without an address of its own a bridge takes its ports', and nodes would send to an old one.
    _run("ip", "link", "add", BRIDGE, "address", f"02:00:0a:f4:{number - 1:02x}:01", "type", "bridge")
    _run("ip", "address", "add", f"{address}/16", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    # There is no way out of the sandbox. The route is there because programs look for one.
    _run("ip", "route", "add", "default", "dev", BRIDGE)
    for switch in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        Path("/proc/sys/net", switch).write_text("1")
    (own / sandbox.PREPARED).touch()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    """Prepare, then become the module. Without one, hold the namespaces until killed."""
    prepare(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    while not sys.argv:
        signal.pause()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
