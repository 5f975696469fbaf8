"""The hosts that `make chaos` stands on: they reach one another, and one that is cut off is silent.

The faults themselves take minutes, and run from `make chaos`.
"""

import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.chaos.network import PREFIX, Network, why_not

ANSWERING = """
import socket, sys
door = socket.create_server((sys.argv[1], 7000))
print("ready", flush=True)
while True:
    door.accept()[0].sendall(b"here")
"""


@pytest.fixture
def network():
    reason = why_not()
    if reason is not None:
        warnings.warn(f"Not tried: several hosts, since {reason}", stacklevel=1)
        pytest.skip(f"several hosts were NOT tried: {reason}")
    with Network(["people", "shop"]) as network:
        yield network
    assert not left_over()


def left_over():
    folder = Path("/run/netns")
    return list(folder.glob(f"{PREFIX}{os.getpid()}-*")) if folder.is_dir() else []


def answer_of(address, patience):
    with socket.create_connection((address, 7000), timeout=patience) as line:
        return line.recv(4)


def reached(address):
    try:
        return answer_of(address, 0.2) == b"here"
    except OSError:
        return False


def test_a_host_that_is_cut_off_says_nothing_and_is_back_when_it_is_joined(network):
    shop = network.address("shop")
    command = network.command("shop", [sys.executable, "-c", ANSWERING, shop])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as answering:
        try:
            assert answering.stdout.readline() == "ready\n"
            with network.inside("people"):
                assert answer_of(shop, 5) == b"here"
                network.cut("shop")
                with pytest.raises(TimeoutError):
                    answer_of(shop, 0.2)
                network.join("shop")
                assert answer_of(shop, 5) == b"here"
            assert not reached(shop)  # from outside there is no way in
        finally:
            answering.kill()
