"""The node: containerd, the kubelet, kube-proxy, the cluster's DNS and the enforcement of NetworkPolicies."""

import hashlib
import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from local.failures import StartFailed
from local.kubernetes import sandbox
from local.kubernetes.control_plane import SERVICE_NETWORK
from local.kubernetes.inside import BRIDGE, POD_NETWORK
from local.kubernetes.machine import Machine
from local.processes.logs import failure
from local.processes.run import Run

PAUSE: Final = "localhost/pause:1"
_CNI_PROGRAMS: Final = "/usr/lib/cni"
_STARTED_WITHIN_SECONDS: Final = 30.0
_CONTAINERD: Final = """version = 2
root = "{at}/containerd"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without it runc ends with "can't get final child's PID" where the machine's own score is limited.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni}"
  conf_dir = "{networks}"
"""
_KUBELET: Final = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
address: {address}
cgroupDriver: cgroupfs
cgroupRoot: {group}
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://{socket}
imageServiceEndpoint: unix://{socket}
enforceNodeAllocatable: [pods]
clusterDNS: [{address}]
clusterDomain: cluster.local
resolvConf: ""
# The disk belongs to the machine, so its filling is not this node's pressure.
evictionHard: {{memory.available: "100Mi"}}
imageGCHighThresholdPercent: 100
maxPods: 60
"""
_COREFILE: Final = """.:53 {{
  bind {address}
  ready {address}:8181
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    ttl 5
  }}
}}
"""


class Node:
    """Starts the node's processes on its machine."""

    def __init__(self, run: Run, programs: Path, kubeconfig: Path, machine: Machine) -> None:
        self._run, self._programs, self._kubeconfig, self.machine = run, programs, kubeconfig, machine
        self.directory = run.directory / machine.name
        self.directory.mkdir()
        self.socket = self.directory / "containerd.sock"

    def start_containers(self, images: Iterable[Path]) -> None:
        """Start containerd and load images; return when they are loaded. Raises StartFailed."""
        network, _, _ = self.machine.address.rpartition(".")
        addresses = {"rangeStart": f"{network}.2", "rangeEnd": f"{network}.254", "gateway": self.machine.address}
        plugins = [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_NETWORK} | addresses]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ]
        networks = self.directory / "networks"
        networks.mkdir()
        pods = {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}
        (networks / "10-bridge.conflist").write_text(json.dumps(pods))
        configuration = self.directory / "containerd.toml"
        configuration.write_text(
            _CONTAINERD.format(at=self.directory, socket=self.socket, pause=PAUSE, cni=_CNI_PROGRAMS, networks=networks)
        )
        self._spawn("containerd", ["containerd", "--config", configuration])
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while self._ctr("version").returncode:
            if time.monotonic() > deadline:
                raise failure("containerd", "it does not answer", self.logs())
            time.sleep(0.1)
        pause = self.directory / "pause.tar"
        write_image(pause, PAUSE, self._programs / "pause")
        for image in (pause, *images):
            loaded = self._ctr("images", "import", str(image))
            if loaded.returncode:
                raise StartFailed(f"The image {image} could not be loaded: {loaded.stderr}")

    def start(self) -> None:
        """Start the other processes."""
        configuration = self.directory / "kubelet.yaml"
        name, address = self.machine.name, self.machine.address
        configuration.write_text(
            _KUBELET.format(socket=self.socket, address=address, group=sandbox.control_group(name))
        )
        login = f"--kubeconfig={self._kubeconfig}"
        self._spawn(
            "kubelet",
            [
                self._programs / "kubelet",
                login,
                f"--config={configuration}",
                f"--hostname-override={name}",
                f"--node-ip={address}",
            ],
        )
        self._spawn(
            "kube-proxy",
            [
                self._programs / "kube-proxy",
                login,
                f"--hostname-override={name}",
                "--proxy-mode=iptables",
                f"--cluster-cidr={POD_NETWORK}",
                # The machine's table of connections keeps its size.
                "--conntrack-max-per-core=0",
                "--conntrack-tcp-timeout-established=0",
                "--conntrack-tcp-timeout-close-wait=0",
            ],
        )
        corefile = self.directory / "Corefile"
        corefile.write_text(_COREFILE.format(address=address, kubeconfig=self._kubeconfig))
        self._spawn("dns", [self._programs / "dns", "-conf", corefile])

    def start_policies(self) -> None:
        """Start to enforce NetworkPolicies. The node must be registered."""
        command = ["--kubeconfig", str(self._kubeconfig), "--services", SERVICE_NETWORK, "--node", self.machine.name]
        self._spawn("policies", [self._programs / "policies", *command])

    def tag(self, name: str, other: str) -> None:
        """Give an image another name. Raises StartFailed."""
        tagged = self._ctr("images", "tag", "--force", name, other)
        if tagged.returncode:
            raise StartFailed(f"The image {name} could not be tagged as {other}: {tagged.stderr}")

    def logs(self) -> list[Path]:
        """Return the logs of all processes."""
        return sorted(self.directory.glob("*.log"))

    def _ctr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self.machine.enter, "ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _spawn(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        return self._run.spawn([*self.machine.enter, *command], log=self.directory / f"{name}.log")


def write_image(target: Path, name: str, program: Path) -> None:
    """Write an image of one static program as an archive of `docker save`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo(program.name)
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as source:
            files.addfile(entry, source)
    content = layer.getvalue()
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(target, "w") as archive:
        parts = {"config.json": configuration, "layer.tar": content, "manifest.json": manifest}
        for part, data in parts.items():
            entry = tarfile.TarInfo(part)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
