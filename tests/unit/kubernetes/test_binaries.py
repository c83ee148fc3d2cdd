import re

import yaml

from local.kubernetes.binaries import KUBERNETES, MODULES
from tests.chart.conftest import CHART


def test_every_library_of_kubernetes_has_the_version_of_kubernetes():
    replaced = re.findall(r"^\t(k8s.io/\S+) => (\S+) (\S+)$", (MODULES / "go.mod").read_text(), re.MULTILINE)
    assert len(replaced) > 20
    assert {version for _, _, version in replaced} == {f"v0.{KUBERNETES.removeprefix('1.')}"}


def test_the_chart_accepts_the_version():
    wanted = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    (least,) = re.fullmatch(r">=(1\.\d+)\.0-0", wanted).groups()
    assert [int(part) for part in KUBERNETES.split(".")[:2]] >= [int(part) for part in least.split(".")]
