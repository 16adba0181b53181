#!/usr/bin/env python3
"""The container image: what its files promise, and the public page's commands against a real image.

Usage: containers_test.py SOURCE_DIR test_files
       containers_test.py SOURCE_DIR test_commands_of_the_page

The second builds the image and needs a container engine: CONTAINER_ENGINE (podman unless set), and VENUS_CONTAINER_BASE, the name of a
Debian 12 base image that this engine has or may fetch. Without the latter it is skipped (exit code 77).
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.abspath(sys.argv[1])
ENGINE = os.environ.get("CONTAINER_ENGINE", "podman")
DOCKERFILE = os.path.join(SOURCE, "distributed/Dockerfile")
COMPOSE = os.path.join(SOURCE, "distributed/compose.yaml")


def read(path):
    with open(path) as f:
        return f.read()


def test_files():
    """Paths and names of the page, and nothing copied that is not there."""
    text = read(DOCKERFILE).replace("\\\n", " ")
    for path in ("/app/config/coordinator/dev.toml", "/app/config/worker/dev.toml", "/app/bin", "/app/.zisk/cache", "/var/log/distributed"):
        assert path in text, path
    assert re.search(r"^ARG GPU=false$", text, re.M)
    allowed = [line[1:] for line in read(os.path.join(SOURCE, ".dockerignore")).splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
        for name in line.split()[:-1]:
            assert os.path.exists(os.path.join(SOURCE, name)), name
            assert name == "." or any(name == a or name.startswith(a + "/") for a in allowed), f"{name} is not in the build context"
    for name in allowed:
        assert os.path.exists(os.path.join(SOURCE, name)), name
    compose = read(COMPOSE)
    for word in ("venus-distributed:latest", "venus-net", "shm_size: 20g", "distributed/Dockerfile", "container_name: venus-coordinator"):
        assert word in compose, word


def run(*argv, check=True, timeout=600):
    p = subprocess.run([ENGINE, *argv], capture_output=True, text=True, timeout=timeout)
    assert not check or p.returncode == 0, f"{ENGINE} {' '.join(argv)}: {p.returncode}\n{p.stdout}{p.stderr}"
    return p.stdout + p.stderr


def until(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def test_commands_of_the_page():
    base = os.environ.get("VENUS_CONTAINER_BASE")
    if not base or not shutil.which(ENGINE):
        print(f"skipped: needs {ENGINE} and VENUS_CONTAINER_BASE, a Debian 12 base image")
        sys.exit(77)
    own = f"-test-{os.getpid()}"  # beside whatever runs here already
    network, image = "venus-net" + own, "venus-distributed:test" + own
    coordinator, workers = "venus-coordinator" + own, [f"venus-worker-{i}{own}" for i in (1, 2)]
    with tempfile.TemporaryDirectory(prefix="venus-containers-") as tmp:
        folder = lambda name: os.path.join(tmp, name)
        os.chmod(tmp, 0o755)
        for name in ("logs", "cache", "key", "elf", "inputs"):
            os.mkdir(folder(name))
        subprocess.run([os.path.join(SOURCE, "scripts/guest-cc"), os.path.join(SOURCE, "guest/examples/fibonacci.c"), "-o", folder("elf/zec.elf")], check=True)
        with open(folder("inputs/n"), "wb") as f:
            f.write(struct.pack("<QQ", 8, 600))
        run("build", "--network=host", "--build-arg", "BASE_IMAGE=" + base, "-t", image, "-f", DOCKERFILE, SOURCE, timeout=1800)
        run("network", "create", network)
        try:
            run("run", "-d", "--rm", "--name", coordinator, "--network", network, "-v", folder("logs") + ":/var/log/distributed",
                "-e", "RUST_LOG=info", image, "zisk-coordinator", "--config", "/app/config/coordinator/dev.toml")
            for name in workers:
                run("run", "-d", "--rm", "--name", name, "--network", network, "--shm-size=20g", "-v", folder("logs") + ":/var/log/distributed",
                    "-v", folder("cache") + ":/app/.zisk/cache:ro", "-v", folder("key") + ":/app/proving-keys:ro",
                    "-v", folder("elf") + ":/app/elf:ro", "-v", folder("inputs") + ":/app/inputs:ro", "-e", "RUST_LOG=info",
                    image, "zisk-worker", "--coordinator-url", f"http://{coordinator}:50051",
                    "--elf", "/app/elf/zec.elf", "--proving-key", "/app/proving-keys", "--inputs-folder", "/app/inputs")
            until("both workers are there", lambda: run("exec", coordinator, "zisk-coordinator", "workers", check=False).count("Idle") == 2)
            for name in [coordinator, *workers]:
                run("exec", name, "healthcheck")
            said = run("exec", coordinator, "zisk-coordinator", "prove", "--inputs-uri", "n", "--compute-capacity", "10", "--json", timeout=900)
            assert any(json.loads(line).get("proof_bytes") for line in said.splitlines() if line.startswith("{")), said
            saved = run("exec", coordinator, "sh", "-c", "ls /app/proofs/*.proof").split()
            assert len(saved) == 1, saved
            run("cp", f"{coordinator}:{saved[0]}", folder("inputs/final.proof"))
            os.chmod(folder("inputs/final.proof"), 0o644)
            verdict = json.loads(run("exec", workers[0], "zisk-coordinator", "verify", "/app/inputs/final.proof", "--elf", "/app/elf/zec.elf", "--json"))
            assert verdict["valid"] is True, verdict
            assert "worker" in run("logs", coordinator)
            drained = next(line.split()[0] for line in run("exec", coordinator, "venusctl", "workers").splitlines() if "Idle" in line)
            run("exec", coordinator, "venusctl", "drain", drained)
            until("it is drained", lambda: "Drained" in run("exec", coordinator, "venusctl", "workers"))
            assert run("exec", coordinator, "id", "-u").strip() != "0"
            for name in workers + [coordinator]:
                run("stop", "-t", "60", name)
            left = run("ps", "-a", "--format", "{{.Names}}").split()
            assert not set(left) & {coordinator, *workers}, left
        finally:
            for name in [coordinator, *workers]:
                run("rm", "-f", name, check=False)
            run("network", "rm", network, check=False)
            run("rmi", image, check=False)


if __name__ == "__main__":
    globals()[sys.argv[2]]()
