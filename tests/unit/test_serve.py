"""What `reviva serve` makes sure of before and after its roles run."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reviva.config import Address, load
from reviva.gateway.metrics import Metrics
from reviva.lock import LockedError, exclusive, owner
from reviva.serve import ports
from reviva.serve.ports import PortInUseError, check_free, why_not_free
from reviva.serve.roles import roles_of


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


def address_of(listener: socket.socket) -> Address:
    return Address("{}:{}".format(*listener.getsockname()))


def test_a_shared_port_counts_as_taken(listener: socket.socket):
    address = address_of(listener)
    assert why_not_free(address) == "Address already in use"
    listener.close()
    assert why_not_free(address) is None


def test_a_taken_address_is_named_with_its_setting(listener: socket.socket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "_PATIENCE_S", 0)
    address = address_of(listener)
    with pytest.raises(PortInUseError, match=rf"{address}: Address already in use; .* 'grpc'"):
        check_free(load(http="127.0.0.1:0", grpc=address, clickhouse="127.0.0.1:0", processor={"http": "127.0.0.1:0"}))


def test_addresses_of_other_machines_are_told():
    assert why_not_free(Address("192.0.2.1:80")) == "Cannot assign requested address"
    assert why_not_free(Address("no.such.host.invalid:80"))


def test_a_data_directory_has_one_owner(tmp_path: Path):
    lock = tmp_path / "data" / "serve.lock"
    assert owner(lock) is None
    with exclusive(lock, "serve"):
        assert owner(lock) == os.getpid()
        with pytest.raises(LockedError, match=rf"already running on {lock.parent} \(process {os.getpid()}\)"):
            exclusive(lock, "serve").__enter__()
    assert owner(lock) is None
    with exclusive(lock, "serve"):
        pass


def test_external_servers_need_no_role():
    assert [role.name for role in roles_of(load(gateways=2))] == [
        "gateway 0",
        "gateway 1",
        "processor",
        "store",
        "state",
    ]
    external = load(clickhouse="http://db:8123", state="redis://cache")
    assert [role.name for role in roles_of(external)] == ["gateway 0", "processor"]


def test_no_child_outlives_a_killed_parent():
    child = (
        "import signal; from reviva.serve.orphans import die_with_parent; die_with_parent();"
        "print(1, flush=True); signal.pause()"
    )
    parent = (
        "import os, subprocess, sys; from reviva.serve.orphans import PARENT_VARIABLE;"
        f"os.environ[PARENT_VARIABLE] = str(os.getpid()); child = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = sorted(int(process.stdout.readline()) for _ in range(2))
        os.kill(process.pid, signal.SIGKILL)
        # The pipe ends once the last process that holds it is gone: the child, which would otherwise wait for ever.
        assert process.stdout.read() == ""
    assert printed[0] == 1


def test_gateways_that_share_a_port_are_each_looked_at(tmp_path: Path):
    heartbeat = Metrics(tmp_path / "metrics", 0)
    heartbeat.is_ready = True
    heartbeat.save()
    gateways = [role for role in roles_of(load(gateways=2, data_dir=tmp_path)) if role.kind == "gateway"]
    assert [(role.name, role.is_ready()) for role in gateways] == [("gateway 0", True), ("gateway 1", False)]
