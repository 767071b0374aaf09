"""The engine as a process: killed, stalled, inherited, orphaned."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers import alive, wait_until
from minilm_client import Client, EngineDied, Settings

HOST = str(Path(__file__).with_name("host.py"))
TEXTS = [f"Text number {number}." for number in range(400)]


def start_host(ending):
    host = subprocess.Popen(
        [sys.executable, HOST, ending], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return host, int(host.stdout.readline())


def test_killed_in_the_middle_of_work_nothing_is_lost(program, client):
    expected = client.embed(TEXTS)
    with Client(settings=Settings(program=program, batch_size=8)) as victim:
        victim.embed("warm up")
        killed = []

        def kill():
            time.sleep(0.05)
            killed.append(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)

        threading.Thread(target=kill).start()
        assert np.allclose(victim.embed(TEXTS), expected, atol=1e-6)
        assert victim.pid != killed[0]


def test_killed_while_idle_it_is_started_again(program):
    with Client(program) as victim:
        first = victim.embed("a")
        os.kill(victim.pid, signal.SIGKILL)
        assert np.allclose(victim.embed("a"), first, atol=1e-6)


def test_killed_each_time_it_is_an_error(program):
    with Client(program) as victim:
        victim.embed("warm up")
        done = threading.Event()

        def kill():
            while not done.is_set():
                pid = victim.pid
                if pid is not None and alive(pid):
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(EngineDied) as caught:
            victim.embed(["word " * 250] * 64)
        done.set()
        killer.join()
        assert caught.value.returncode == -signal.SIGKILL
        assert victim.embed("and again").shape == (384,)


def test_a_stopped_engine_is_replaced(program):
    with Client(settings=Settings(program=program, stall_timeout=4.0)) as victim:
        victim.embed("warm up")
        stopped = victim.pid
        os.kill(stopped, signal.SIGSTOP)
        assert victim.embed("a").shape == (384,)
        assert victim.pid != stopped and not alive(stopped)


def test_a_stopped_engine_does_not_outlive_close(program):
    victim = Client(settings=Settings(program=program, close_timeout=0.2))
    victim.embed("warm up")
    pid = victim.pid
    os.kill(pid, signal.SIGSTOP)
    victim.close()
    assert not alive(pid)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan_when_the_host_is_killed_at_work(program, signal_number):
    host, engine = start_host("busy")
    assert alive(engine)
    time.sleep(0.3)
    host.send_signal(signal_number)
    host.wait()
    # It may finish the requests it has taken before it ends.
    wait_until(lambda: not alive(engine), 60)


@pytest.mark.parametrize("ending", ["exit", "exit-busy", "raise", "stop-engine"])
def test_no_orphan_when_the_host_ends_without_closing(program, ending):
    host, engine = start_host(ending)
    host.wait(60)
    wait_until(lambda: not alive(engine))


def test_a_forgotten_client_ends_its_engine(program):
    host, engine = start_host("forget")
    wait_until(lambda: not alive(engine))
    host.kill()
    host.wait()


def test_other_children_do_not_keep_the_engine_alive(program):
    client = Client(program, start=True)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    pid = client.pid
    client.close()
    assert not alive(pid)
    other.kill()
    other.wait()


def in_child(client, expected, parents_engine, results):
    assert client.pid is None
    vector = client.embed("A cat sleeps.")
    results.put((bool(np.allclose(vector, expected, atol=1e-6)), client.pid != parents_engine, client.pid))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_has_an_engine_of_its_own(program):
    context = multiprocessing.get_context("fork")
    with Client(program) as client:
        expected = client.embed("A cat sleeps.")
        parents_engine = client.pid
        results = context.Queue()
        child = context.Process(target=in_child, args=(client, expected, parents_engine, results))
        child.start()
        equal, own, childs_engine = results.get(timeout=60)
        child.join(60)
        assert equal and own and child.exitcode == 0
        wait_until(lambda: not alive(childs_engine))
        assert client.pid == parents_engine and np.allclose(client.embed("A cat sleeps."), expected, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_parents_engine_alive(program):
    client = Client(program, start=True)
    pid = client.pid
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        client.close()
        assert not alive(pid)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_pickled_client_has_an_engine_of_its_own(program, client):
    client.embed("warm up")
    with pickle.loads(pickle.dumps(client)) as copy:
        assert np.allclose(copy.embed("a"), client.embed("a"), atol=1e-6)
        assert copy.pid != client.pid


def test_no_descriptor_or_thread_is_left_behind(program):
    def count():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    with Client(program) as client:
        client.embed("warm up")
    before = count()
    for _ in range(5):
        with Client(program) as client:
            client.embed("a")
    wait_until(lambda: count() <= before)
