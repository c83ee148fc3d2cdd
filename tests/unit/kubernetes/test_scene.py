import pytest

from tests.cluster.scene import row_of


def pod(state, *, ready=False, restarts=0, deleted=False):
    status = {"ready": ready, "restartCount": restarts, "state": state}
    return {
        "metadata": {"name": "worker-0"} | ({"deletionTimestamp": "now"} if deleted else {}),
        "spec": {"containers": [{}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (pod({"running": {}}, ready=True), ("worker-0", "1/1", "Running", 0)),
        (pod({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=3), ("worker-0", "0/1", "CrashLoopBackOff", 3)),
        (pod({"terminated": {"reason": "OOMKilled"}}), ("worker-0", "0/1", "OOMKilled", 0)),
        (pod({"running": {}}, deleted=True), ("worker-0", "0/1", "Terminating", 0)),
    ],
)
def test_a_row_shows_what_kubectl_shows(given, shown):
    assert row_of(given) == shown
