#!/usr/bin/python3
"""Stands in for venus-engine in the worker's test: speaks proto/engine.proto on descriptor 3, works in the directory on descriptor 4.
The job always has three execution and two memory shards. The first bytes of the input say how to behave. FAKE_ENGINE_STATE is a
folder for a log of the calls and for what must be remembered between two processes; it also holds the generated engine_pb2."""
import hashlib
import os
import random
import signal
import socket
import struct
import sys
import time

STATE = os.environ["FAKE_ENGINE_STATE"]
sys.path.insert(0, STATE)
import engine_pb2 as pb  # noqa: E402

N_EXEC, N_MEM, STEPS = 3, 2, 123456789
SHARDS = N_EXEC + N_MEM
control = socket.socket(fileno=3)
damage = None  # random.Random in the mode "noise..."


def scramble(message):
    """Changes numbers and lengths of lists, so that what arrives parses and is wrong."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.label == field.LABEL_REPEATED else [value]:
                scramble(part)
        elif field.label == field.LABEL_REPEATED and damage.random() < 0.3:
            value.extend(list(value)) if damage.random() < 0.5 else value.pop()
        elif field.type in (field.TYPE_UINT32, field.TYPE_UINT64) and field.label != field.LABEL_REPEATED and damage.random() < 0.3:
            setattr(message, field.name, damage.choice([0, 1, 2, 6, 2**31 - 1, 2**32 - 1]))


def damaged(data):
    data = bytearray(data)
    at = damage.randrange(len(data))
    kind = damage.randrange(4)
    if kind == 0:
        data[at] ^= 1 << damage.randrange(8)
    elif kind == 1:
        data[at] = 0xff
    elif kind == 2:
        del data[at:]
    else:
        data[at:at] = data[damage.randrange(len(data)):]
    return bytes(data)


def send(event):
    if damage and damage.random() < 0.5:
        scramble(event)
    data = event.SerializeToString()
    if damage and data and damage.random() < 0.2:
        data = damaged(data)
    frame = struct.pack("<I", len(data)) + data
    control.sendall(damaged(frame) if damage and damage.random() < 0.2 else frame)


def receive():
    def exactly(n):
        data = b""
        while len(data) < n:
            more = control.recv(n - len(data))
            if not more:
                sys.exit(1)
            data += more
        return data
    return pb.Request.FromString(exactly(struct.unpack("<I", exactly(4))[0]))


def path(name):
    return "/proc/self/fd/4/" + name


def read(name):
    with open(path(name), "rb") as f:
        return f.read()


def write(name, data):
    with open(path(name), "xb") as f:
        f.write(data)


def fail(status, text):
    send(pb.Event(failure=pb.Failure(status=status, text=text)))
    sys.exit(10 + status)


def leaf(seed, shard):
    digest = hashlib.sha512(seed + bytes([shard])).digest()
    return [struct.unpack_from("<I", digest, 4 * i)[0] >> 1 for i in range(9)]


def proof(seed, shard):
    return b"proof %d " % shard + seed + b"x" * shard


def main():
    if sys.argv[1:] != ["child"]:
        sys.exit("fake engine: only `child` is understood")
    request = receive()
    work = request.WhichOneof("work")
    piece = work + "".join("-%d" % s for s in getattr(getattr(request, work), "shards", []))
    with open(os.path.join(STATE, "log"), "a") as log:
        log.write("%s %d %s\n" % (piece, os.getpid(), os.readlink("/proc/self/fd/4")))
    with open(os.path.join(STATE, "packages"), "a") as log:
        log.write("%s %s\n" % (piece, " ".join(sorted(n for n in os.listdir(path(".")) if n.endswith(".pkg")))))
    image = read("input.bin")
    mode = image[:8].split(b"\0")[0].decode()
    seed = hashlib.sha256(image).digest()
    if mode.startswith("noise"):
        global damage
        damage = random.Random(mode + piece + str(sum(1 for _ in open(os.path.join(STATE, "log")))))

    if mode == "crash":  # once for every piece
        marker = os.path.join(STATE, "crashed-" + piece)
        if not os.path.exists(marker):
            open(marker, "w").close()
            if work != "contribute":
                write({"execute": "shard-1.pkg", "prove": "proof-%d.bin" % (request.prove.shards or [0])[0], "aggregate": "final.bin"}[work], b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    if mode == "slow":  # when it was at work, for a test of several engines
        with open(os.path.join(STATE, "times"), "a") as log:
            log.write("%s begin %f %d\n" % (piece, time.monotonic(), request.common.threads))
        time.sleep(0.4)
        with open(os.path.join(STATE, "times"), "a") as log:
            log.write("%s end %f %d\n" % (piece, time.monotonic(), request.common.threads))
    if mode == "onebad" and work == "prove":
        if list(request.prove.shards) == [2]:
            fail(14, "Shard 2 does not satisfy the constraints")
        time.sleep(60)
    if mode == "elf":
        fail(12, "The guest is " + request.common.elf_path)
    if mode == "tables":
        fail(12, "The tables are shared in [%s]" % request.common.shared_dir)
    if mode == "dead":
        os._exit(16)
    if mode == "garbage":
        control.sendall(b"\xff\xff\xff\xff")
        time.sleep(60)
    if mode == "silent":
        sys.exit(0)
    if mode == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        send(pb.Event(progress=pb.Progress(stage="execute", steps=77)))
        time.sleep(120)

    send(pb.Event(progress=pb.Progress(stage=work, done=0, total=1, steps=STEPS // 2)))
    result = pb.Result()
    if work == "execute":
        if mode == "guest":
            fail(12, "The guest panicked: boom")
        e = request.execute
        owned = [s for s in range(1, SHARDS + 1) if s % e.job_units in e.units]
        for s in owned:
            write("shard-%d.pkg" % s, b"package")
        r = result.execute
        r.steps, r.n_exec, r.n_mem, r.output, r.seconds = STEPS, N_EXEC, N_MEM, seed * 8, 0.5
        if mode == "drift":
            r.steps += len([1 for line in open(os.path.join(STATE, "log")) if line.startswith("execute")])
        r.owned_shards.extend(owned if mode != "badown" else owned[1:])
        r.vk_digest.extend(range(1, 10))
    elif work == "contribute":
        for s in request.contribute.shards:
            assert read("shard-%d.pkg" % s) == b"package"
            result.contribute.leaves.add(shard=s, elements=leaf(seed, s))
    elif work == "prove":
        (s,) = request.prove.shards
        assert read("shard-%d.pkg" % s) == b"package"
        assert [(m.shard, list(m.elements)) for m in request.prove.leaves] == [(i, leaf(seed, i)) for i in range(1, SHARDS + 1)]
        write("proof-%d.bin" % s, proof(seed, s) + (seed * 100000 if mode == "big" else b""))
        result.prove.shards.append(s)
        result.prove.bytes.append(len(proof(seed, s)))
    elif work == "aggregate":
        assert len(request.aggregate.leaves) == SHARDS
        final = b"final " + b"".join(read("proof-%d.bin" % s) for s in range(1, SHARDS + 1))
        assert final == b"final " + b"".join(proof(seed, s) for s in range(1, SHARDS + 1))
        write("final.bin", final)
        result.aggregate.bytes = len(final)
    send(pb.Event(result=result))


main()
