#!/usr/bin/env python3
"""Compiles the guest examples with scripts/guest-cc, runs them and compares their output with what Python computes. Also: programs that must fail.
Exit code 77: the guest compiler is missing."""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

FAILING = {  # source, text that the failure must contain
    "nonzero": ("int main(void) { return 3; }", "guest panicked"),
    "unimp": ('int main(void) { __asm__("unimp"); return 0; }', "guest panicked"),
    "trap": ("int main(void) { __builtin_trap(); }", "guest panicked"),
    "wild": ("int main(void) { return *(volatile int *)0x10; }", "no memory"),
    "store": ("int main(void) { *(volatile int *)0x40000010 = 1; return 0; }", "read-only"),
    "end": ('int main(void) { __asm__ volatile("li a5, 0xc0000000\\n lw a5, -2(a5)" ::: "a5"); return 0; }', "past the end of memory"),
    "jump": ("int main(void) { ((void (*)(void))0x90000000)(); return 0; }", "there is no code"),
    "csr": ('int main(void) { __asm__(".word 0x8005a073"); return 0; }', "csrrs x0, 0x800, x11"),
    "call": ('int main(void) { __asm__ volatile("li a7, 64\\n ecall" ::: "a7"); return 0; }', "system call 64"),
    "loop": ("int main(void) { for (;;) __asm__ volatile(\"\"); }", "step limit"),
    "output": ("#include <venus.h>\nint main(void) { char b[257] = {0}; venus_write_output(b, 257); return 0; }", "guest panicked"),
}


def records(*parts):
    return b"".join(struct.pack("<Q", len(p)) + p + bytes(-len(p) % 8) for p in parts)


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return struct.pack("<QQ", a % 2**64, a % (10**9 + 7))


def sort(values):
    values = sorted(values)
    checksum = 0
    for v in values:
        checksum = (checksum * 31 + v) % 2**32
    return struct.pack("<4I", len(values), values[0], values[-1], checksum)


def cases():
    r = random.Random(7)
    for n in (0, 1, 55, 56, 63, 64, 65, 1000, 35149):
        data = r.randbytes(n)
        yield "sha256", (data,), hashlib.sha256(data).digest()
    for n in (0, 1, 93, 94, 1000):
        yield "fibonacci", (struct.pack("<I", n),), fibonacci(n)
    for n in (1, 2, 1000):
        values = [r.getrandbits(32) for _ in range(n)]
        yield "sort", (struct.pack(f"<{n}I", *values),), sort(values)
    document = {"a": [1, -2, {"b": 3000000000000}], "not 7": "text 8 \" 9", "c": [], "d": {}, "e": [True, False, None, 0]}
    yield "json_sum", (json.dumps(document).encode(),), struct.pack("<qQ", 1 - 2 + 3000000000000, 4)
    yield "json_sum", (b" [[[-5]]] ",), struct.pack("<qQ", -5, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--run-guest", required=True)
    a = arguments.parse_args()
    if not shutil.which("riscv64-unknown-elf-gcc"):
        print("skipped: riscv64-unknown-elf-gcc is not installed")
        return 77
    failures = 0
    with tempfile.TemporaryDirectory(prefix="venus-examples-") as folder:
        work = pathlib.Path(folder)
        for source in (ROOT / "guest/examples").glob("*.c"):
            subprocess.run([ROOT / "scripts/guest-cc", "-Wall", "-Wextra", "-Werror", source, "-o", work / f"{source.stem}.elf"], check=True)
        count = 0
        for name, parts, expected in cases():
            (work / "input").write_bytes(records(*parts))
            for options in ([], ["-k", "10", "-r"], ["-k", "10", "-n"], ["-n"]):
                done = subprocess.run([a.run_guest, "-i", work / "input", *options, work / f"{name}.elf"], capture_output=True, text=True, timeout=60)
                count += 1
                if done.returncode or bytes.fromhex(done.stdout.strip() or "00") != expected.ljust(256, b"\0"):
                    failures += 1
                    print(f"{name}: wrong result: {done.stdout}{done.stderr}")
        for name, (source, text) in FAILING.items():
            (work / f"{name}.c").write_text(source)
            subprocess.run([ROOT / "scripts/guest-cc", "-w", work / f"{name}.c", "-o", work / f"{name}.elf"], check=True)
            done = subprocess.run([a.run_guest, "-n", "-k", "16", "-m", "3000000", work / f"{name}.elf"], capture_output=True, text=True, timeout=60)
            count += 1
            if done.returncode == 0 or text not in done.stderr:
                failures += 1
                print(f"{name}: expected a failure with '{text}', got {done.returncode}: {done.stderr}")
    print(f"{count} runs, {failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
