#!/usr/bin/env python3
"""The cluster as a user runs it: coordinator, workers, client and verifier as separate processes on loopback.

Usage: cluster_test.py BIN_DIR SOURCE_DIR TEST_NAME
Each test starts its own services in a scratch folder, and fails if anything is left behind.
"""

import glob
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

BIN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SHARD_LOG2 = "13"


def fail(message):
    raise AssertionError(message)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*argv, check=True, timeout=300):
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout)
    if check and p.returncode != 0:
        fail(f"{' '.join(map(str, argv))} exited {p.returncode}\n{p.stdout}\n{p.stderr}")
    return p


class Cluster:
    """A coordinator and workers. transports: one of "http", "tcp", "ipc" per worker; three workers share their tables."""

    def __init__(self, transports, elf, capacity=4, checked_elf=None):
        self.scratch = tempfile.TemporaryDirectory(prefix="venus-e2e-")
        self.dir = self.scratch.name
        self.inputs = os.path.join(self.dir, "inputs")
        self.proofs = os.path.join(self.dir, "proofs")
        os.mkdir(self.inputs)
        self.elf, self.capacity = elf, capacity
        self.port, self.bus_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes, self.logs = [], []
        self.transports = transports
        config = os.path.join(self.dir, "coordinator.ini")
        with open(config, "w") as f:
            f.write(f'[bus]\ndirectory = "{self.bus_dir()}"\n')
        try:
            self.spawn("coordinator", "zisk-coordinator", "--config", config, "--host", "127.0.0.1", "--port", self.port, "--proofs-dir",
                       self.proofs, "--bus", f"tcp://127.0.0.1:{self.bus_port}", *(["--elf", checked_elf] if checked_elf else []))
            self.wait_idle(0)
            for n, transport in enumerate(transports):
                self.add_worker(n, transport)
            self.wait_idle(len(transports))
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def bus_dir(self):
        return os.path.join(self.dir, "bus")

    def spawn(self, name, program, *argv):
        log = open(os.path.join(self.dir, name + ".log"), "wb")
        self.logs.append(log)
        p = subprocess.Popen([os.path.join(BIN, program)] + [str(a) for a in argv], stdout=log, stderr=log)
        self.processes.append(p)
        return p

    def add_worker(self, n, transport):
        url = {"http": self.url, "tcp": f"tcp://127.0.0.1:{self.bus_port}", "ipc": f"ipc://{self.bus_dir()}/bus.sock"}[transport]
        return self.spawn(f"worker-{n}", "zisk-worker", "--coordinator-url", url, "--worker-id", f"w{n}", "--compute-capacity", self.capacity,
                          "--elf", self.elf, "--proving-key", os.path.join(self.dir, "cache"), "--inputs-folder", self.inputs,
                          "--shard-log2", SHARD_LOG2, "-n", "1", *(["--shared-tables"] if len(self.transports) == 3 else []))

    def client(self, *argv, check=True, timeout=300):
        return run(os.path.join(BIN, "zisk-coordinator"), argv[0], "--coordinator-url", self.url, *argv[1:], check=check, timeout=timeout)

    def status(self):
        p = self.client("status", "--json", check=False)
        return json.loads(p.stdout) if p.returncode == 0 else None

    def wait_idle(self, workers, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            for p in self.processes:
                if p.poll() is not None:
                    fail(f"a service ended with {p.returncode}\n{self.log_tails()}")
            status = self.status()
            if status and status["idle_workers"] == workers and status["active_jobs"] == 0:
                return
            time.sleep(0.1)
        fail(f"no {workers} idle workers after {seconds} s: {self.status()}\n{self.log_tails()}")

    def log_tails(self):
        text = ""
        for path in sorted(glob.glob(os.path.join(self.dir, "*.log"))):
            with open(path, errors="replace") as f:
                text += f"--- {os.path.basename(path)}\n" + "".join(f.readlines()[-15:])
        return text

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            sys.stderr.write(self.log_tails())
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        codes = []
        for p in reversed(self.processes):
            try:
                codes.append(p.wait(20))
            except subprocess.TimeoutExpired:
                p.kill()
                codes.append("did not stop")
        for log in self.logs:
            log.close()
        left = [path for p in self.processes for path in glob.glob(f"/dev/shm/venus-{p.pid}-*")]
        left += glob.glob("/dev/shm/venus-tables-*") if len(self.transports) == 3 else []
        sockets = glob.glob(os.path.join(self.bus_dir(), "*"))
        self.scratch.cleanup()
        if not kind:
            if any(codes):
                fail(f"exit codes after SIGTERM: {codes}")
            if left or sockets:
                fail(f"left behind: {left} {sockets}")


def guest(name, directory):
    elf = os.path.join(directory, name + ".elf")
    source = name if name.endswith(".c") else os.path.join(SOURCE, "guest/examples", name + ".c")
    run(os.path.join(SOURCE, "scripts/guest-cc"), source, "-o", elf)
    return elf


def guest_from(text, directory, name):
    path = os.path.join(directory, name + ".c")
    with open(path, "w") as f:
        f.write(text)
    elf = os.path.join(directory, name + ".elf")
    run(os.path.join(SOURCE, "scripts/guest-cc"), path, "-o", elf)
    return elf


def pack(data, path):
    raw = path + ".raw"
    with open(raw, "wb") as f:
        f.write(data)
    run(os.path.join(BIN, "venus-engine"), "pack-input", raw, "-o", path)


def verify(proof, elf, check=True):
    return run(os.path.join(BIN, "venus-engine"), "verify", proof, "--elf", elf, "--json", check=check)


DATA = random.Random(7).randbytes(300)


def test_same_proof_from_any_cluster(tmp):
    """1, 2 and 3 workers over every transport, path and direct inputs, and prove-all give the same bytes; the digest is right."""
    elf = guest("sha256", tmp)
    proofs = []
    for n, transports in enumerate((["http"], ["tcp", "http"], ["ipc", "http", "tcp"])):
        with Cluster(transports, elf, checked_elf=elf if n else None) as c:
            source = os.path.join(c.inputs if n != 1 else tmp, "in.bin")
            pack(DATA, source)
            out = os.path.join(tmp, f"{n}.proof")
            how = ["--inputs-uri", "in.bin"] if n != 1 else ["--inputs-uri", source, "-x"]
            c.client("prove", *how, "--compute-capacity", 4 * len(transports), "-o", out)
            c.wait_idle(len(transports))
            saved = glob.glob(os.path.join(c.proofs, "*.proof"))
            if len(saved) != 1 or open(saved[0], "rb").read() != open(out, "rb").read():
                fail(f"the saved proof is not the returned one: {saved}")
            report = json.loads(verify(out, elf).stdout)
            if report["public_outputs"][:64] != hashlib.sha256(DATA).hexdigest():
                fail(f"wrong digest in {report}")
            proofs.append(open(out, "rb").read())
    packed = os.path.join(tmp, "all.bin")
    pack(DATA, packed)
    out = os.path.join(tmp, "all.proof")
    run(os.path.join(BIN, "venus-engine"), "prove-all", "--elf", elf, "--input", packed, "-o", out, "--shard-log2", SHARD_LOG2, "-q")
    proofs.append(open(out, "rb").read())
    if len(set(proofs)) != 1:
        fail(f"{len(set(proofs))} different proofs")
    broken = bytearray(proofs[0])
    broken[len(broken) // 2] ^= 1
    with open(out, "wb") as f:
        f.write(broken)
    p = verify(out, elf, check=False)
    if p.returncode == 0 or json.loads(p.stdout)["valid"]:
        fail("a proof with a flipped bit was accepted")
    with open(out, "wb") as f:
        f.write(proofs[0])
    other = guest("fibonacci", tmp)
    if verify(out, other, check=False).returncode == 0:
        fail("a proof was accepted for another program")


def test_errors_reach_the_client(tmp):
    """Bad requests and bad guests: a clear error for the one who caused it, everything else goes on."""
    elf = guest_from('#include <venus.h>\nint main(void) { size_t n; const uint8_t *p = venus_read_input(&n);\n'
                     'if (n && p[0] == 1) return 1;\nif (n && p[0] == 2) for (;;) ;\nif (n && p[0] == 3) *(volatile int *)16 = 1;\n'
                     'venus_write_output("fine", 4); return 0; }\n', tmp, "moody")
    with Cluster(["http", "tcp"], elf) as c:
        for name, byte in (("good", 0), ("panic", 1), ("loop", 2), ("fault", 3)):
            pack(bytes([byte]), os.path.join(c.inputs, name))
        pack(bytes([0]), os.path.join(tmp, "outside"))

        def refused(text, *argv, code=None):
            p = c.client(*argv, check=False)
            if p.returncode == 0:
                fail(f"{argv} was not refused")
            if text.lower() not in (p.stdout + p.stderr).lower():
                fail(f"{argv}: '{text}' is not in\n{p.stdout}{p.stderr}")
            if code is not None and p.returncode != code:
                fail(f"{argv}: exit code {p.returncode}, not {code}")

        refused("insufficient compute capacity", "prove", "--inputs-uri", "good", "--compute-capacity", 100)
        refused("input file not found", "prove", "--inputs-uri", "nowhere", "--compute-capacity", 8)
        refused("nowhere", "prove", "--inputs-uri", os.path.join(tmp, "nowhere"), "-x", "--compute-capacity", 8)
        refused("input", "prove", "--inputs-uri", "../../" + os.path.basename(tmp) + "/outside", "--compute-capacity", 8)
        refused("panic", "prove", "--inputs-uri", "panic", "--compute-capacity", 8)
        refused("pc", "prove", "--inputs-uri", "fault", "--compute-capacity", 8)
        refused("not found", "watch", "11111111-2222-4333-8444-555555555555")
        refused("greater than zero", "prove", "--inputs-uri", "good", "--compute-capacity", 0)
        for port in (c.port, c.bus_port):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(random.Random(port).randbytes(5000))
        job = c.client("prove", "--inputs-uri", "loop", "--compute-capacity", 8, "--detach").stdout.strip()
        c.client("cancel", job)
        c.wait_idle(2)
        c.client("prove", "--inputs-uri", "good", "--compute-capacity", 8, "-o", os.path.join(tmp, "good.proof"))
        report = json.loads(verify(os.path.join(tmp, "good.proof"), elf).stdout)
        if bytes.fromhex(report["public_outputs"])[:4] != b"fine":
            fail(f"wrong output in {report}")


def test_another_program_is_rejected(tmp):
    """A coordinator that knows the program calls nothing a proof that workers made of another one."""
    elf, other = guest("fibonacci", tmp), guest("sort", tmp)
    with Cluster(["http"], elf, checked_elf=other) as c:
        pack(bytes([9] + [0] * 7), os.path.join(c.inputs, "in.bin"))
        p = c.client("prove", "--inputs-uri", "in.bin", "--compute-capacity", 4, "-o", os.path.join(tmp, "out"), check=False)
        if p.returncode == 0 or os.path.exists(os.path.join(tmp, "out")) or glob.glob(os.path.join(c.proofs, "*.proof")):
            fail(f"it was accepted: {p.stdout}{p.stderr}")
        if "another program" not in p.stderr:
            fail(f"no reason: {p.stderr}")
        c.wait_idle(1)


def test_worker_lost(tmp):
    """A worker killed in the middle of a job fails that job with its name; the other one is free for the next."""
    elf = guest("sha256", tmp)
    with Cluster(["http", "tcp"], elf) as c:
        pack(DATA * 8, os.path.join(c.inputs, "in.bin"))
        client = subprocess.Popen([os.path.join(BIN, "zisk-coordinator"), "prove", "--coordinator-url", c.url, "--inputs-uri", "in.bin",
                                   "--compute-capacity", "8"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(3)
        victim = c.processes.pop()
        victim.kill()
        victim.wait()
        text, _ = client.communicate(timeout=120)
        if client.returncode == 0 or "w1" not in text:
            fail(f"the client did not hear of the lost worker: {client.returncode}\n{text}")
        c.wait_idle(1)
        for path in glob.glob(f"/dev/shm/venus-{victim.pid}-*"):
            for name in os.listdir(path):
                os.unlink(os.path.join(path, name))
            os.rmdir(path)


def main():
    test = globals().get("test_" + sys.argv[3])
    if not test:
        sys.exit(f"no test {sys.argv[3]}")
    with tempfile.TemporaryDirectory(prefix="venus-e2e-") as tmp:
        test(tmp)
    print(f"{sys.argv[3]}: passed")


main()
