#!/usr/bin/env python3
"""Runs public, unmodified guest programs of all ABI generations and compares public output, instruction count, precompile and fcall counts with
public_elfs.json; then the architecture tests' programs against the reference model's signatures, and once more in shards of 2^10 instructions,
replayed, by both executors.

The files are not part of the project. VENUS_TESTVECTORS names a folder with one sub-folder per public repository (zisk-testvectors, venus,
zisk-eth-client, or zisk-eth-client@commit where several versions are wanted) and in each the files at their paths there.
The first thirteen cases are what another emulator gave. Of the rest, outputs of several guests for one block agree with each other (the ethrex guest
has no second); their counts are this executor's. Exit code 77: no such folder, or nothing in it."""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SUITES = ("rv64i_m/I", "rv64i_m/M", "rv64i_m/A", "rv64i_m/C")


def locate(root, name):
    """'repository@commit:path (remark)' -> file."""
    if name is None:
        return None
    repository, path = name.split(" (")[0].split(":", 1)
    versioned = root / repository / path
    return versioned if versioned.exists() else root / repository.split("@")[0] / path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def execute(engine, elf, *arguments):
    return subprocess.run([engine, "execute", "--elf", str(elf), "--json", *map(str, arguments)], capture_output=True, timeout=900)


def run_golden(engine, root, case):
    """Returns (name, result, line); result is 'ok', 'failed' or 'missing'."""
    elf, data = locate(root, case["elf"]), locate(root, case["input"])
    name = pathlib.Path(case["elf"]).name + (" + " + data.name if data else "")
    for path, expected in ((elf, case["elf_sha256"]), (data, case["input_sha256"])):
        if path and not path.exists():
            return name, "missing", str(path)
        if path and digest(path) != expected:
            return name, "failed", f"{path} is another file (SHA-256)"
    run = execute(engine, elf, *(["--input", data] if data else []))
    if run.returncode:
        return name, "failed", run.stderr.decode(errors="replace").strip()[-400:]
    got = json.loads(run.stdout)
    expected = {
        "public_outputs": case["publics_hex_256B"].ljust(512, "0"),
        "steps": case["rv_instructions"],
        "csr": case["csr"],
        "fcall": case["fcall"],
    }
    if case["csr"] or "hello" not in name:  # generation is free for a program without input and CSRs
        expected["abi"] = case["abi"][0]
    wrong = [f"{k}: {got[k]} instead of {v}" for k, v in expected.items() if v is not None and got[k] != v]
    speed = got["steps"] / 1e6 / max(got["seconds"], 1e-9)
    return name, "failed" if wrong else "ok", "; ".join(wrong) or f"{got['steps']} instructions, {got['seconds']:.3f} s, {speed:.0f} M/s"


def run_signature(engine, elf):
    with tempfile.TemporaryDirectory() as tmp:
        out = pathlib.Path(tmp) / "signature"
        run = execute(engine, elf, "--signature", out)
        if run.returncode:
            return run.stderr.decode(errors="replace").strip()[-300:]
        reference = elf.parent.parent / "ref" / "Reference-sail_c_simulator.signature"
        if not reference.exists():
            return "no reference signature"
        return "" if out.read_text().split() == reference.read_text().lower().split() else "signature differs"


def run_in_shards(run_guest, elves):
    run = subprocess.run([run_guest, "-k", "10", "-r", "-n", *map(str, elves)], capture_output=True, timeout=900)
    return run.stderr.decode(errors="replace").strip()[-400:] or "failed" if run.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="venus-engine")
    parser.add_argument("--run-guest", required=True, help="test-vm-run-guest")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    folder = os.environ.get("VENUS_TESTVECTORS")
    if not folder or not pathlib.Path(folder).is_dir():
        print("SKIPPED: the public programs are not here; VENUS_TESTVECTORS must name the folder that has them (see --help)")
        return 77
    root = pathlib.Path(folder)
    counts = collections.Counter()
    for case in json.loads((HERE / "public_elfs.json").read_text()):
        name, result, line = run_golden(args.engine, root, case)
        counts[result] += 1
        print(f"{result:8} {name}: {line}", flush=True)
    elves = [e for suite in SUITES for e in sorted((root / "zisk-testvectors/riscof/riscof_work" / suite).rglob("dut/my.elf"))]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for elf, problem in zip(elves, pool.map(lambda e: run_signature(args.engine, e), elves)):
            counts["failed" if problem else "ok"] += 1
            if problem:
                print(f"failed   {elf.relative_to(root)}: {problem}")
    problem = run_in_shards(args.run_guest, elves) if elves else ""
    if problem:
        counts["failed"] += 1
        print(f"failed   architecture tests in shards: {problem}")
    print(f"architecture tests: {len(elves)}; all: {counts['ok']} passed, {counts['failed']} failed, {counts['missing']} files missing")
    if not counts["ok"] and not counts["failed"]:
        print(f"SKIPPED: {folder} has none of the files")
        return 77
    return counts["failed"] > 0


sys.exit(main())
