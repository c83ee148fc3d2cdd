import hashlib
import json
import tarfile

import yaml

from local.kubernetes import node
from local.kubernetes.node import write_image


def test_the_image_of_a_program_names_its_layer_by_its_digest(tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(b"program")
    write_image(tmp_path / "image.tar", "localhost/pause:1", program)
    with tarfile.open(tmp_path / "image.tar") as archive:
        parts = {name: archive.extractfile(name).read() for name in archive.getnames()}
    (image,) = json.loads(parts["manifest.json"])
    configuration = json.loads(parts[image["Config"]])
    (layer,) = image["Layers"]
    assert image["RepoTags"] == ["localhost/pause:1"]
    assert configuration["config"]["Entrypoint"] == ["/pause"]
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(parts[layer]).hexdigest()}"]
    (tmp_path / "layer.tar").write_bytes(parts[layer])
    with tarfile.open(tmp_path / "layer.tar") as files:
        (entry,) = files.getmembers()
        assert (entry.name, entry.mode, entry.size) == ("pause", 0o755, 7)


def test_the_kubelet_uses_the_cluster_group_of_the_run_alone():
    written = yaml.safe_load(node._KUBELET.format(socket="/s", address="10.244.0.1", group="/cgk-1"))
    assert (written["cgroupRoot"], written["clusterDNS"]) == ("/cgk-1", ["10.244.0.1"])
