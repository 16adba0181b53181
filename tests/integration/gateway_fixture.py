"""A gateway on a port of its own, with the scheduler of tests/integration/gateway_scheduler.c behind it."""

import os
import shutil
import subprocess
import tempfile


def start(cls, scheduler, gateway):
    """For setUpClass: sets cls.dir (a folder), cls.scheduler and cls.gateway (processes); all of it ends with the class. Returns host:port."""
    cls.dir = tempfile.mkdtemp(prefix="venus-client-")
    cls.addClassCleanup(shutil.rmtree, cls.dir)
    cls.scheduler = subprocess.Popen([scheduler, f"ipc://{cls.dir}/bus"])
    cls.addClassCleanup(cls.scheduler.wait, 10)
    cls.addClassCleanup(cls.scheduler.kill)
    r, w = os.pipe()
    cls.gateway = subprocess.Popen([gateway, "--listen", "127.0.0.1:0", "--bus", f"ipc://{cls.dir}/bus", "--ready-fd", str(w), "--log-level", "error"], pass_fds=[w])
    cls.addClassCleanup(cls.gateway.wait, 10)
    cls.addClassCleanup(cls.gateway.kill)
    os.close(w)
    with os.fdopen(r) as ready:
        address = f"127.0.0.1:{ready.readline().split()[1]}"
        assert ready.readline() == "READY\n"
    return address
