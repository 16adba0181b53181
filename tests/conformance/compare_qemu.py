#!/usr/bin/env python3
"""Runs generated programs here and under qemu-riscv64 and compares the 256 output bytes. Every program is compiled once; the object is linked
with the guest runtime and with tests/conformance/qemu_runtime.c. Exit code 77: a tool is missing, nothing was compared."""

import argparse
import concurrent.futures
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import gen_asm  # noqa: E402
import gen_c  # noqa: E402

CC = os.environ.get("GUEST_CC", "riscv64-unknown-elf-gcc")
QEMU = "qemu-riscv64"
FLAGS = ["-std=gnu17", "-mabi=lp64", "-mcmodel=medany", "-ffreestanding", "-fwrapv", "-w", "-I", str(ROOT / "guest/include")]
RV64IM = ["-march=rv64im", "-mstrict-align"]
RV64IMAC = ["-march=rv64imac", "-mno-strict-align"]  # with misaligned accesses


def command(args, **kw):
    done = subprocess.run([str(a) for a in args], capture_output=True, timeout=120, **kw)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done


def programs(count, seed, rv64imac):
    yield "every", gen_asm.every_instruction(seed)
    if rv64imac:
        yield "atomics", gen_asm.atomics(seed)
        yield "misaligned", gen_asm.misaligned(seed)
        count -= 2
    for k in range(count // 6):
        yield f"sequence{k}", gen_asm.sequence(seed * 1000 + k)
    for k in range(count - 1 - count // 6):
        yield f"c{k}", gen_c.generate(seed * 1000 + k)


def build(work, name, source, arch):
    level = ["-O2", "-O1", "-Os", "-O0"][sum(name.encode()) % 4] if name.startswith("c") else "-O1"
    if not name.startswith("c"):
        arch = [arch[0].removesuffix("c"), *arch[1:]]  # these sources count on four bytes an instruction
    c, o = work / f"{name}.c", work / f"{name}.o"
    c.write_text(source)
    command([CC, *FLAGS, *arch, level, "-c", c, "-o", o])
    link = [CC, arch[0], "-mabi=lp64", "-nostdlib", "-static"]
    command([*link, "-Wl,-T," + str(ROOT / "guest/src/guest.ld"), "-Wl,--no-warn-rwx-segments", o, work / "crt0.o", work / "venus.o", work / "libc.o", "-lgcc",
             "-o", work / f"{name}.elf"])
    command([*link, o, work / "qemu_runtime.o", work / "libc.o", "-lgcc", "-o", work / f"{name}.qemu"])
    return name


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--run-guest", required=True)
    arguments.add_argument("--count", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--shard-log2", type=int, default=12)
    arguments.add_argument("--rv64imac", action="store_true", help="with atomics, compressed code and misaligned accesses")
    arguments.add_argument("--keep", help="folder for the programs")
    a = arguments.parse_args()
    for tool in (CC, QEMU):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed")
            return 77
    arch = RV64IMAC if a.rv64imac else RV64IM
    work = pathlib.Path(a.keep or tempfile.mkdtemp(prefix="venus-qemu-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        for source in ["guest/src/crt0.S", "guest/src/venus.c", "guest/src/libc.c", "tests/conformance/qemu_runtime.c"]:
            command([CC, *FLAGS, *arch, "-O2", "-c", ROOT / source, "-o", work / (pathlib.Path(source).stem + ".o")])
        r = random.Random(a.seed)
        data = r.randbytes(1024)
        (work / "input").write_bytes(struct.pack("<Q", len(data)) + data)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            names = list(pool.map(lambda p: build(work, *p, arch), programs(a.count, a.seed, a.rv64imac)))
        mode = ["-k", str(a.shard_log2), "-r", "-n"]
        ours = subprocess.run([a.run_guest, "-i", work / "input", *mode, *[work / f"{n}.elf" for n in names]], capture_output=True, timeout=300)
        lines = ours.stdout.decode().split()
        sys.stderr.write(ours.stderr.decode(errors="replace"))
        if ours.returncode or len(lines) != len(names):
            print(f"FAILED: {len(names) - len(lines)} of {len(names)} programs did not run")
            return 1
        different = 0
        for name, line in zip(names, lines):
            with open(work / "input", "rb") as f:
                theirs = command([QEMU, work / f"{name}.qemu"], stdin=f).stdout
            mine = bytes.fromhex(line)
            if mine != theirs:
                different += 1
                words = [k for k in range(64) if mine[4 * k:4 * k + 4] != theirs[4 * k:4 * k + 4]]
                print(f"{name} (seed {a.seed}): output words {words} differ from qemu's")
        print(f"{len(names)} programs, {different} differ")
        return 1 if different else 0
    finally:
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
