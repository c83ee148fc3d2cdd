"""A run leaves no process and no file, however its parent ends."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from local.processes.run import Run, until_interrupted

SERVE_KAFKA = [
    sys.executable,
    "-c",
    """import signal
from local.kafka.nodes import Cluster
from local.processes.run import until_interrupted
with until_interrupted(), Cluster() as cluster:
    print(cluster.bootstrap, flush=True)
    signal.pause()
""",
]


def start_kafka():
    parent = subprocess.Popen(SERVE_KAFKA, stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline().startswith("127.0.0.1:")
    return parent


def test_ctrl_c_ends_kafka_and_leaves_nothing(temporary, processes_in):
    with start_kafka() as parent:
        assert any("java" in arguments for arguments in processes_in(temporary))
        parent.send_signal(signal.SIGINT)

        assert parent.wait(120) == 0
        assert processes_in(temporary) == []
        assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_act_like_ctrl_c(sig):
    with until_interrupted():
        os.kill(os.getpid(), sig)
        pytest.fail("the block continued")


def test_a_parent_killed_while_kafka_starts_leaves_nothing(temporary, processes_in, eventually_blocking):
    with subprocess.Popen(SERVE_KAFKA, stdout=subprocess.DEVNULL) as parent:
        try:
            eventually_blocking(lambda: any("kafka.Kafka" in arguments for arguments in processes_in(temporary)))
        finally:
            parent.kill()
        parent.wait()

        eventually_blocking(lambda: not processes_in(temporary) and not list(temporary.iterdir()))


def test_a_child_that_ignores_sigterm_is_killed(temporary, eventually_blocking):
    with Run("test") as run:
        deaf = run.spawn(
            [
                sys.executable,
                "-c",
                "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
            ],
            log=temporary / "log",
        )
        while "deaf" not in (temporary / "log").read_text():
            assert deaf.poll() is None
        run.close(grace_seconds=0.1)

    assert deaf.returncode == -signal.SIGKILL
    assert not run.directory.exists()


def test_grandchildren_end_too(temporary, processes_in, eventually_blocking):
    with Run("test") as run:
        run.spawn(["sh", "-c", f"sleep 1000 {run.directory} & echo started; exit"], log=temporary / "log")
        eventually_blocking(lambda: "started" in (temporary / "log").read_text())

    eventually_blocking(lambda: not processes_in(run.directory))


def test_close_removes_everything_after_its_supervisor_was_killed(temporary):
    with Run("test") as run:
        psutil.Process(run._supervisor.pid).kill()

    assert not run.directory.exists()
