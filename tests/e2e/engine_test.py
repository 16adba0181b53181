#!/usr/bin/env python3
"""venus-engine by hand: its fixed forms, the pieces one by one, and what bad input gets.

Usage: engine_test.py BIN_DIR SOURCE_DIR
"""

import glob
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

ENGINE = os.path.join(os.path.abspath(sys.argv[1]), "venus-engine")
SOURCE = os.path.abspath(sys.argv[2])


def run(*argv):
    return subprocess.run([ENGINE] + [str(a) for a in argv], capture_output=True, text=True, timeout=300)


def ok(*argv):
    p = run(*argv)
    assert p.returncode == 0, f"{argv}: {p.returncode}\n{p.stdout}{p.stderr}"
    return p.stdout


def refused(code, text, *argv):
    p = run(*argv)
    assert p.returncode == code and text.lower() in (p.stdout + p.stderr).lower(), f"{argv}: {p.returncode} instead of {code}\n{p.stdout}{p.stderr}"


def guest(tmp, name, text=None):
    source = os.path.join(SOURCE, "guest/examples", name + ".c")
    if text:
        source = os.path.join(tmp, name + ".c")
        with open(source, "w") as f:
            f.write("#include <venus.h>\n" + text)
    elf = os.path.join(tmp, name + ".elf")
    subprocess.run([os.path.join(SOURCE, "scripts/guest-cc"), source, "-march=rv64imac", "-o", elf], check=True)
    return elf


def scratch_of(process):
    """The folder in shared memory that it works in, once there is one."""
    for link in glob.glob(f"/proc/{process.pid}/fd/*"):
        try:
            if os.readlink(link).startswith("/dev/shm/venus-prove-"):
                return os.readlink(link)
        except FileNotFoundError:
            pass
    return None


def main():
    with tempfile.TemporaryDirectory(prefix="venus-e2e-") as tmp:
        path = lambda name: os.path.join(tmp, name)
        elf = guest(tmp, "fibonacci")
        with open(path("n"), "wb") as f:
            f.write(struct.pack("<Q", 600))
        ok("pack-input", path("n"), "-o", path("in"))
        assert open(path("in"), "rb").read() == struct.pack("<QQ", 8, 600)
        ok("pack-input", path("n"), elf, "-o", path("two"))
        assert os.path.getsize(path("two")) == 16 + 8 + (os.path.getsize(elf) + 7) // 8 * 8

        a = b = 0
        b = 1
        for _ in range(600):
            a, b = b, a + b
        run1 = json.loads(ok("execute", "--elf", elf, "--input", path("in"), "--json"))
        output = bytes.fromhex(run1["public_outputs"])
        assert len(output) == 256 and struct.unpack_from("<Q", output)[0] == a % 2**64, run1
        assert json.loads(ok("execute", "--elf", elf, "--input", path("in"), "--abi", "B", "--json"))["public_outputs"] == run1["public_outputs"]

        # The pieces one by one give what prove-all gives, whatever the threads and the order.
        ok("prove-all", "--elf", elf, "--input", path("in"), "-o", path("all"), "--shard-log2", 12, "--threads", 1, "-q")
        os.mkdir(path("job"))
        ok("execute", "--elf", elf, "--input", path("in"), "--dir", path("job"), "--shard-log2", 12)
        shards = sorted(int(os.path.basename(p)[6:-4]) for p in glob.glob(path("job/shard-*.pkg")))
        assert len(shards) >= 3, shards
        ok("contribute", "--elf", elf, "--dir", path("job"), "--shards", ",".join(map(str, reversed(shards))))
        for shard in reversed(shards):
            ok("prove", "--elf", elf, "--dir", path("job"), "--shards", shard, "--verify-constraints")
        ok("aggregate", "--elf", elf, "--dir", path("job"), "-o", path("pieces"))
        proof = open(path("all"), "rb").read()
        assert proof == open(path("pieces"), "rb").read()
        report = json.loads(ok("verify", path("all"), "--elf", elf, "--json"))
        assert report["valid"] is True and report["public_outputs"] == run1["public_outputs"] and report["steps"] == run1["steps"], report

        # Proofs that are none.
        for name, data in (("short", proof[:-1]), ("long", proof + b"\0"), ("empty", b""), ("noise", os.urandom(5000))):
            with open(path(name), "wb") as f:
                f.write(data)
            p = run("verify", path(name), "--elf", elf, "--json")
            assert p.returncode != 0 and json.loads(p.stdout)["valid"] is False, name
        other = guest(tmp, "other", 'int main(void) { venus_set_output(0, 1); return 0; }\n')
        p = run("verify", path("all"), "--elf", other, "--json")
        assert p.returncode == 23 and json.loads(p.stdout)["valid"] is False, p.stdout

        # Bad input: the class as exit code, the reason in words.
        refused(12, "nothing-here", "execute", "--elf", path("nothing-here"))
        refused(12, "nothing-here", "execute", "--elf", elf, "--input", path("nothing-here"))
        refused(12, "nothing-here", "verify", path("nothing-here"), "--elf", elf)
        refused(13, "elf", "execute", "--elf", path("in"))
        refused(14, "risc-v", "execute", "--elf", sys.executable)
        refused(11, "regular file", "execute", "--elf", tmp)
        refused(11, "--elf", "execute")
        refused(11, "shard-log2", "prove-all", "--elf", elf, "-o", path("x"), "--shard-log2", 40)
        refused(11, "backend", "prove-all", "--elf", elf, "-o", path("x"), "--backend", "mmx")
        p = run("prove-all", "--elf", elf, "-o", path("x"), "--backend", "cuda")
        assert p.returncode == 0 or p.returncode == 14 and "no CUDA" in p.stderr, f"{p.returncode}\n{p.stderr}"
        refused(11, "no command", "prove-some")
        refused(11, "started by zisk-worker", "child")
        before = set(glob.glob("/dev/shm/venus-prove-*"))
        loop = guest(tmp, "loop", "int main(void) { for (;;) __asm__ volatile(\"\"); }\n")
        refused(22, "1000000", "execute", "--elf", loop, "--max-steps", 1000000)
        refused(22, "1000000", "prove-all", "--elf", loop, "--max-steps", 1000000, "-o", path("x"))
        for name, text in (("panic", "int main(void) { return 3; }\n"), ("wild", "int main(void) { *(volatile long *)64 = 1; return 0; }\n"),
                           ("jump", "int main(void) { ((void (*)(void))0x90000000)(); return 0; }\n")):
            bad = guest(tmp, name, text)
            refused(22, "pc", "execute", "--elf", bad)
            refused(22, "pc", "prove-all", "--elf", bad, "-o", path("x"))
        for number in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen([ENGINE, "prove-all", "--elf", loop, "-o", path("x")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not (folder := scratch_of(p)) or not os.path.exists(os.path.join(folder, "shard-1.pkg")):
                assert p.poll() is None
                time.sleep(0.02)
            p.send_signal(number)
            assert p.wait(60) == -number and not os.path.exists(folder)
        assert not os.path.exists(path("x")) and set(glob.glob("/dev/shm/venus-prove-*")) <= before
        assert "235" in ok("params") and "KoalaBear" in ok("params", "--soundcalc")
    print("engine: passed")


main()
