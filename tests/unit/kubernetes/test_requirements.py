import pytest

from local.failures import NotPossible
from local.image.requirements import require
from local.kubernetes import binaries


def test_everything_that_is_missing_is_named_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(binaries, "cache_directory", lambda: tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotPossible) as missing:
        require("make cluster", {"etcd": "etcd-server", "ip": "iproute2"}, others=binaries.needs(), is_root=False)
    assert [line.split()[1].rstrip(",") for line in str(missing.value).splitlines()[1:]] == ["root", "programs", "Go"]
    assert "etcd-server iproute2" in str(missing.value)
