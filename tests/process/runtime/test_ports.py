"""Ports for servers: two processes that draw at the same time never get the same port."""

import multiprocessing
import socket

import pytest

from local.failures import StartFailed
from local.processes import ports
from local.processes.ports import BLOCK_SIZE, free_ports

DRAWS = BLOCK_SIZE // 4


def _draw(connection):
    connection.send([port for _ in range(DRAWS) for port in free_ports(2)])
    connection.recv()  # keep the process alive: its ports are its own for as long


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_draw_at_the_same_time_get_different_ports(method):
    context = multiprocessing.get_context(method)
    drawn = list(free_ports(DRAWS))
    processes = []
    for _ in range(3):
        connection, theirs = context.Pipe()
        process = context.Process(target=_draw, args=(theirs,))
        process.start()
        processes.append((process, connection))
    for _, connection in processes:
        drawn += connection.recv()
    for process, connection in processes:
        connection.send(None)
        process.join()
        assert process.exitcode == 0
    assert len(drawn) == DRAWS * 7
    assert len(set(drawn)) == len(drawn)


def test_a_port_with_a_server_is_not_drawn_and_a_full_block_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(ports, "_own_ports", ports._OwnPorts())
    taken = free_ports(1)[0]
    with socket.create_server(("127.0.0.1", taken)):
        drawn = free_ports(2 * BLOCK_SIZE)
    assert len(set(drawn)) == 2 * BLOCK_SIZE
    assert taken not in drawn


def test_too_few_free_ports_are_an_error_that_names_the_range(monkeypatch):
    monkeypatch.setattr(ports, "_own_ports", ports._OwnPorts())
    monkeypatch.setattr(ports, "LAST", ports.FIRST + BLOCK_SIZE - 1)
    with pytest.raises(StartFailed, match=rf"ports {ports.FIRST}-{ports.LAST} are free on 127\.0\.0\.1"):
        free_ports(BLOCK_SIZE)
