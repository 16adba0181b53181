#!/usr/bin/env python3
"""The verifier as a guest program: it accepts and refuses what venus-engine verify does, and uses nothing of a C library but memory functions.

Usage: verifier_test.py BIN_DIR SOURCE_DIR VERIFIER_ELF
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

ENGINE = os.path.join(os.path.abspath(sys.argv[1]), "venus-engine")
SOURCE, VERIFIER = os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
MAX_STEPS = 20_000_000_000


def run(*argv):
    return subprocess.run([ENGINE] + [str(a) for a in argv], capture_output=True, text=True, timeout=1500)


def ok(*argv):
    p = run(*argv)
    assert p.returncode == 0, f"{argv}: {p.returncode}\n{p.stdout}{p.stderr}"
    return p.stdout


def judge(tmp, proof):
    """Runs the guest on a proof."""
    path = os.path.join(tmp, "judged")
    with open(path, "wb") as f:
        f.write(proof)
    ok("pack-input", path, "-o", path + ".in")
    return run("execute", "--elf", VERIFIER, "--input", path + ".in", "--max-steps", MAX_STEPS, "--json")


def main():
    names = subprocess.run(["riscv64-unknown-elf-nm", VERIFIER], capture_output=True, text=True, check=True).stdout.split()
    assert "vn_verify_bundle_in" in names and not {"malloc", "calloc", "realloc", "free", "strlen"} & set(names)

    with tempfile.TemporaryDirectory(prefix="venus-e2e-") as tmp:
        elf, number, packed, out = (os.path.join(tmp, name) for name in ("elf", "number", "input", "proof"))
        subprocess.run([os.path.join(SOURCE, "scripts/guest-cc"), os.path.join(SOURCE, "guest/examples/fibonacci.c"), "-o", elf], check=True)
        with open(number, "wb") as f:
            f.write(struct.pack("<Q", 90))
        ok("pack-input", number, "-o", packed)
        ok("prove-all", "--elf", elf, "--input", packed, "-o", out, "-q")
        known = json.loads(ok("verify", out, "--elf", elf, "--json"))
        with open(out, "rb") as f:
            proof = f.read()

        p = judge(tmp, proof)
        assert p.returncode == 0, p.stdout + p.stderr
        seen = json.loads(p.stdout)
        words = struct.unpack("<64I", bytes.fromhex(seen["public_outputs"]))
        assert "".join(f"{w:08x}" for w in words[:9]) == known["vk"], (words[:9], known["vk"])
        assert words[9:13] == (known["execution_shards"], known["memory_shards"], known["steps"], 0), words
        assert struct.pack("<51I", *words[13:]) == bytes.fromhex(known["public_outputs"])[: 4 * 51]

        for at, text in ((0, "this is no proof file"), (4, "this program has another version"), (len(proof) // 3, "not under the root")):
            changed = bytearray(proof)
            changed[at] ^= 1
            p = judge(tmp, bytes(changed))
            assert p.returncode == 22 and text in p.stderr, (at, p.returncode, p.stderr)
        p = judge(tmp, proof[:-4])
        assert p.returncode == 22 and "truncated" in p.stderr, p.stderr
    print(f"verifier as a guest: passed, {seen['steps']} instructions for {words[9] + words[10]} shards")


main()
