#!/usr/bin/python3
"""zisk-worker against a fake engine and a fake coordinator, over both transports. Usage: test_agent.py WORKER PROTO_DIR [FILTER]"""
import glob
import hashlib
import os
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

WORKER, PROTO = sys.argv[1], sys.argv[2]
FILTER = sys.argv[3] if len(sys.argv) > 3 else ""
HERE = os.path.dirname(os.path.abspath(__file__))
SCRATCH = tempfile.TemporaryDirectory(prefix="venus-agent-test-")
subprocess.run(["protoc", "-I" + PROTO, "-I/usr/include", "--python_out=" + SCRATCH.name, "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                "--grpc_python_out=" + SCRATCH.name] + [os.path.join(PROTO, f) for f in ("zisk_distributed_api.proto", "bus.proto", "engine.proto")], check=True)
sys.path[:0] = [SCRATCH.name, HERE]
os.environ.pop("NOTIFY_SOCKET", None)

import zisk_distributed_api_pb2 as api  # noqa: E402
from coordinators import CLOSED, Bus, Grpc  # noqa: E402

SHARDS = range(1, 6)
JOB = "0f4c9d1e-1111-2222-3333-444455556666"


def leaf(seed, shard):
    digest = hashlib.sha512(seed + bytes([shard])).digest()
    return [struct.unpack_from("<I", digest, 4 * i)[0] >> 1 for i in range(9)]


def proof(seed, shard):
    return b"proof %d " % shard + seed + b"x" * shard


def words(data):
    padded = data + b"\0" * (-len(data) % 8)
    return [len(data)] + list(struct.unpack("<%dQ" % (len(padded) // 8), padded))


def unwords(values):
    data = struct.pack("<%dQ" % (len(values) - 1), *values[1:])
    assert len(values) == 1 + (values[0] + 7) // 8 and not any(data[values[0]:])
    return data[:values[0]]


def image(mode):
    return mode.encode().ljust(8, b"\0") + bytes(range(16))


def until(condition, what, timeout=10):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Worker:
    def __init__(self, coordinator, *flags, heartbeat_timeout=30, worker_id="worker-one"):
        self.id = worker_id
        self.folder = tempfile.mkdtemp(dir=SCRATCH.name)
        self.inputs = os.path.join(self.folder, "inputs")
        os.mkdir(self.inputs)
        with open(os.path.join(self.folder, "outside.bin"), "wb") as f:
            f.write(image("ok"))
        os.symlink("../outside.bin", os.path.join(self.inputs, "link.bin"))
        os.symlink(os.path.join(SCRATCH.name, "engine_pb2.py"), os.path.join(self.folder, "engine_pb2.py"))
        elf, config = os.path.join(self.folder, "guest.elf"), os.path.join(self.folder, "worker.toml")
        with open(elf, "wb") as f:
            f.write(b"\x7fELF" + b"\0" * 60)
        with open(config, "w") as f:
            f.write('[worker]\nworker_id = "%s"\ncompute_capacity.compute_units = 7\n[coordinator]\nurl = "%s"\n[connection]\n'
                    'reconnect_interval_seconds = 1\nheartbeat_timeout_seconds = %d\n' % (worker_id, coordinator.url, heartbeat_timeout))
        self.log_path = os.path.join(self.folder, "worker.log")
        self.log_file = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [WORKER, "--config", config, "--elf", elf, "--inputs-folder", self.inputs, "--engine", os.path.join(HERE, "fake_engine.py"),
             "--proving-key", os.path.join(self.folder, "key"), "-n", "2", *flags],
            env=dict(os.environ, FAKE_ENGINE_STATE=self.folder, http_proxy="http://127.0.0.1:9"), stderr=self.log_file)

    def pieces(self):
        try:
            with open(os.path.join(self.folder, "log")) as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def directories(self):
        return glob.glob("/dev/shm/venus-%d-*" % self.process.pid)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        assert code == 0, "exit code %d" % code
        assert not self.directories()
        for _, pid, _ in self.pieces():
            assert not os.path.exists("/proc/" + pid), "engine %s still runs" % pid

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log_file.close()


def contribution(worker, data=None, path=None, units=(0, 1), job_units=2, rank=0, job=JOB, **more):
    p = api.ContributionParams(data_id="data", rank_id=rank, total_workers=1, worker_allocation=list(units), job_compute_units=job_units, **more)
    if data is not None:
        p.input_data = data
    if path is not None:
        p.input_path = path
    return api.ExecuteTaskRequest(worker_id=worker.id, job_id=job, task_type=api.PARTIAL_CONTRIBUTION, contribution_params=p)


def prove(worker, seed, job=JOB, shards=SHARDS, change=None):
    challenges = [api.Challenges(worker_index=0, airgroup_id=s, challenge=leaf(seed, s)) for s in shards]
    if change:
        change(challenges)
    return api.ExecuteTaskRequest(worker_id=worker.id, job_id=job, task_type=api.PROVE, prove_params=api.ProveParams(challenges=challenges))


def aggregate(worker, proofs=(), last=False, job=JOB):
    return api.ExecuteTaskRequest(worker_id=worker.id, job_id=job, task_type=api.AGGREGATE,
                                  agg_params=api.AggParams(agg_proofs=api.ProofList(proofs=proofs), last_proof=last, final_proof=last))


def foreign_proof(seed, shard, values=None):
    return api.Proof(worker_idx=1, airgroup_id=shard, values=words(proof(seed, shard)) if values is None else values)


def answer(c, task_type, success=True, timeout=20):
    _, r = c.expect("execute_task_response", timeout)
    assert (r.task_type, r.success) == (task_type, success), r
    if success:
        assert r.error_message == ""
    assert r.WhichOneof("result_data") == {api.PARTIAL_CONTRIBUTION: "challenges", api.PROVE: "proofs", api.AGGREGATE: "final_proof"}[task_type]
    return r


def refused(c, task_type, *texts):
    r = answer(c, task_type, success=False)
    for text in texts:
        assert text in r.error_message, r.error_message
    return r


# ---- tests ----

def test_full_job(c, w):
    hello = c.accept()
    assert hello.worker_id == w.id and hello.compute_capacity.compute_units == 7
    with open(os.path.join(w.inputs, "in.bin"), "wb") as f:
        f.write(image("ok"))
    seed = hashlib.sha256(image("ok")).digest()
    c.say(execute_task=contribution(w, path="in.bin", units=[1, 2], job_units=3, rank=4))
    r = answer(c, api.PARTIAL_CONTRIBUTION)
    own = [1, 2, 4, 5]
    assert [(x.worker_index, x.airgroup_id, list(x.challenge)) for x in r.challenges.challenges] == [(4, s, leaf(seed, s)) for s in own]
    assert list(r.challenges.witness_info.publics) == list(struct.unpack("<64I", seed * 8))
    assert list(r.challenges.witness_info.proof_values) == [3, 2, 123456789] + list(range(1, 10))
    assert r.challenges.HasField("zisk_execution_time") and r.challenges.zisk_execution_time.task_received_time > 1e9
    assert len(w.directories()) == 1 and os.stat(w.directories()[0]).st_mode & 0o777 == 0o700 and w.directories()[0].endswith("-" + JOB[:8])

    progress = []
    c.say(execute_task=prove(w, seed, change=lambda list_: list_.reverse()))
    while True:
        _, m = c.receive(10)
        if m.WhichOneof("payload") == "task_progress":
            progress.append(m.task_progress)
        elif m.WhichOneof("payload") == "execute_task_response":
            r = m.execute_task_response
            break
    assert r.success and [(p.worker_idx, p.airgroup_id, unwords(p.values)) for p in r.proofs.proofs] == [(4, s, proof(seed, s)) for s in own]
    assert {p.job_id for p in progress} == {JOB} and {p.task_type for p in progress} == {api.PROVE}
    assert {p.shards_total for p in progress} == {4} and sorted({p.shards_done for p in progress}) == [0, 1, 2, 3, 4]
    assert not glob.glob(w.directories()[0] + "/*.pkg"), "packages stay"

    c.say(execute_task=aggregate(w))
    assert list(answer(c, api.AGGREGATE).final_proof.values) == []
    c.say(execute_task=aggregate(w, [foreign_proof(seed, 3)], last=True))
    r = answer(c, api.AGGREGATE)
    assert unwords(r.final_proof.values) == b"final " + b"".join(proof(seed, s) for s in SHARDS) and r.final_proof.executed_steps == 123456789
    until(lambda: not w.directories(), "the directory stays")
    assert [p[0] for p in w.pieces()] == ["execute", "contribute-1-2-4-5", "prove-1", "prove-2", "prove-4", "prove-5", "aggregate"]


def test_large_messages(c, w):
    c.accept()
    data = image("big") + bytes(40 << 20)
    seed = hashlib.sha256(data).digest()
    c.say(execute_task=contribution(w, data=data, units=[0], job_units=2))
    answer(c, api.PARTIAL_CONTRIBUTION, timeout=60)
    c.say(execute_task=prove(w, seed))
    proofs = answer(c, api.PROVE, timeout=60).proofs.proofs
    assert [unwords(p.values) for p in proofs] == [proof(seed, s) + seed * 100000 for s in (2, 4)]


def test_worker_without_shards(c, w):
    c.accept()
    seed = hashlib.sha256(image("ok")).digest()
    c.say(execute_task=contribution(w, data=image("ok"), units=[7], job_units=9))
    assert len(answer(c, api.PARTIAL_CONTRIBUTION).challenges.challenges) == 0
    c.say(execute_task=prove(w, seed))
    assert len(answer(c, api.PROVE).proofs.proofs) == 0
    c.say(execute_task=contribution(w, data=image("ok"), job="another-job"))  # it is free at once
    assert answer(c, api.PARTIAL_CONTRIBUTION).job_id == "another-job"
    assert len(w.directories()) == 1


def test_guest_failure(c, w):
    c.accept()
    c.say(execute_task=contribution(w, data=image("guest")))
    r = refused(c, api.PARTIAL_CONTRIBUTION, "The guest panicked: boom")
    assert r.challenges.HasField("witness_info") and r.job_id == JOB and r.worker_id == w.id
    assert len(w.pieces()) == 1, "a guest's own failure is tried again"
    until(lambda: not w.directories(), "the directory stays")
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)


def test_crash_is_tried_again(c, w):
    c.accept()
    seed = hashlib.sha256(image("crash")).digest()
    c.say(execute_task=contribution(w, data=image("crash"), units=[1], job_units=2))
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.say(execute_task=prove(w, seed))
    assert [p.airgroup_id for p in answer(c, api.PROVE).proofs.proofs] == [1, 3, 5]
    c.say(execute_task=aggregate(w, [foreign_proof(seed, s) for s in (2, 4)], last=True))
    assert unwords(answer(c, api.AGGREGATE).final_proof.values).startswith(b"final proof 1")
    assert len(w.pieces()) == 2 * 6


def test_engine_failures(c, w):
    c.accept()
    for mode, text in (("dead", "exit code 16: Out of memory"), ("garbage", "not its protocol"), ("silent", "without a result"), ("badown", "packages of")):
        before = len(w.pieces())
        c.say(execute_task=contribution(w, data=image(mode)))
        refused(c, api.PARTIAL_CONTRIBUTION, text)
        assert len(w.pieces()) - before == 2, mode
        until(lambda: not w.directories(), "the directory stays")


def test_cancel(c, w):
    c.accept()
    c.say(execute_task=contribution(w, data=image("hang")))
    _, p = c.expect("task_progress", skip=("heartbeat_ack",))
    assert p.steps == 77 and p.job_id == JOB
    pid = w.pieces()[0][1]
    c.say(job_cancelled=api.JobCancelled(job_id="some-other-job", reason="mistake"))
    time.sleep(0.3)
    assert os.path.exists("/proc/" + pid)
    c.say(job_cancelled=api.JobCancelled(job_id=JOB, reason="test"))
    c.say(execute_task=contribution(w, data=image("ok"), job=JOB + "b"))  # begins alike; waits for the old engine's end
    assert answer(c, api.PARTIAL_CONTRIBUTION).job_id == JOB + "b"
    assert not os.path.exists("/proc/" + pid)
    assert len(w.directories()) == 1


def test_stop_with_engine(c, w):
    c.accept()
    c.say(execute_task=contribution(w, data=image("hang")))
    c.expect("task_progress", skip=("heartbeat_ack",))
    assert w.directories()


def test_inputs(c, w):
    c.accept()
    for path, texts in (("no.bin", ["Input file not found: no.bin (looked below", "on worker " + w.id]), ("../outside.bin", ["leads out of"]),
                        ("link.bin", ["leads out of"]), (os.path.join(w.folder, "outside.bin"), ["outside the inputs folder"]), (".", ["not a regular file"]),
                        ("", ["empty"])):
        c.say(execute_task=contribution(w, path=path))
        refused(c, api.PARTIAL_CONTRIBUTION, *texts)
    assert not w.pieces() and not w.directories()
    with open(os.path.join(w.inputs, "in.bin"), "wb") as f:
        f.write(image("ok"))
    c.say(execute_task=contribution(w, path=os.path.join(w.inputs, "in.bin")))
    answer(c, api.PARTIAL_CONTRIBUTION)


def test_bad_messages(c, w):
    c.accept()
    seed = hashlib.sha256(image("ok")).digest()
    c.say(execute_task=prove(w, seed, job="never-heard-of"))
    refused(c, api.PROVE, "does not know job never-heard-of")
    stranger = contribution(w, data=image("ok"))
    stranger.worker_id = "somebody-else"
    c.say(execute_task=stranger)
    refused(c, api.PARTIAL_CONTRIBUTION, "for worker somebody-else")
    for kwargs, text in (({"units": [2]}, "unit 2"), ({"units": [1, 1]}, "twice"), ({"units": [], "job_units": 0}, "job_compute_units is 0"),
                         ({"job": ""}, "job id"), ({"job": "a b"}, "job id"), ({"hints_path": "h.bin"}, "Hints are not"), ({"hints_stream": True}, "Hints are not")):
        c.say(execute_task=contribution(w, data=image("ok"), **kwargs))
        refused(c, api.PARTIAL_CONTRIBUTION, text)
    c.say(execute_task=api.ExecuteTaskRequest(worker_id=w.id, job_id=JOB, task_type=api.PARTIAL_CONTRIBUTION))
    refused(c, api.PARTIAL_CONTRIBUTION, "without contribution_params")
    c.send_garbage()
    _, e = c.expect("error")
    assert "could not be parsed" in e.error_message
    c.say(stream_data=api.StreamData(job_id=JOB, stream_type=api.STREAM_TYPE_START))
    _, e = c.expect("error")
    assert "Hints are not supported" in e.error_message
    c.say(heartbeat=api.Heartbeat())
    assert c.expect("heartbeat_ack", skip=())[1].worker_id == w.id

    def set_shard(n):
        return lambda list_: setattr(list_[0], "airgroup_id", n)

    def set_element(v):
        return lambda list_: list_[0].challenge.__setitem__(8, v)
    for change, text in ((set_shard(6), "shard 6 of 5"), (set_shard(0), "shard 0 of 5"), (set_shard(2), "two challenges"), (set_element(1 << 32), "above 32 bits"),
                         (set_element(5), "not the one this worker contributed"), (lambda list_: list_.pop(), "4 challenges"),
                         (lambda list_: list_[0].challenge.pop(), "8 elements")):
        c.say(execute_task=contribution(w, data=image("ok")))
        answer(c, api.PARTIAL_CONTRIBUTION)
        c.say(execute_task=prove(w, seed, change=change))
        refused(c, api.PROVE, text)
    c.say(execute_task=contribution(w, data=image("ok"), units=[1], job_units=3))
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.say(execute_task=aggregate(w, last=True))
    refused(c, api.AGGREGATE, "stage contributed")
    good = words(proof(seed, 2))
    for proofs, text in (([foreign_proof(seed, 6)], "shard 6 of 5"), ([foreign_proof(seed, 1)], "two proofs"), ([foreign_proof(seed, 2, [])], "no length word"),
                         ([foreign_proof(seed, 2, good + [0])], "words instead of"), ([foreign_proof(seed, 2, [1 << 60])], "at most"),
                         ([foreign_proof(seed, 2, [1, 256])], "padding"), ([foreign_proof(seed, 2)], "proof of shard 3 did not come")):
        c.say(execute_task=contribution(w, data=image("ok"), units=[1], job_units=3))
        answer(c, api.PARTIAL_CONTRIBUTION)
        c.say(execute_task=prove(w, seed))
        answer(c, api.PROVE)
        c.say(execute_task=aggregate(w, proofs, last=True))
        refused(c, api.AGGREGATE, text)
    until(lambda: not w.directories(), "the directory stays")


def test_refused_registration(c, w):
    stream, _ = c.expect("register")
    refused_at = time.monotonic()
    c.send(stream, api.CoordinatorMessage(register_response=api.WorkerRegisterResponse(accepted=False, message="the house is full")))
    c.accept()
    assert 0.9 < time.monotonic() - refused_at < 4
    assert "the house is full" in w.log()


def test_reconnect(c, w):
    c.accept()
    seed = hashlib.sha256(image("ok")).digest()
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.close_stream()
    hello = c.accept(kind="reconnect")
    assert hello.last_known_job_id == JOB and hello.compute_capacity.compute_units == 7
    c.say(execute_task=prove(w, seed))
    assert len(answer(c, api.PROVE).proofs.proofs) == 5
    c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    until(lambda: not w.directories(), "the directory stays")
    c.close_stream()
    c.accept(kind="register")


def test_coordinator_restart(c, w):
    c.accept()
    c.stop()
    time.sleep(0.5)
    c.start()
    c.accept(timeout=15)
    c.say(heartbeat=api.Heartbeat())
    c.expect("heartbeat_ack", skip=())


test_coordinator_restart.heartbeat_timeout = 3


def test_answer_after_reconnect(c, w):
    """A task that ends while the connection is away is answered on the next one."""
    c.accept()
    c.say(execute_task=contribution(w, data=image("ok")))
    c.close_stream()
    c.accept(kind="reconnect")
    answer(c, api.PARTIAL_CONTRIBUTION)


def test_silence(c, w):
    c.accept()
    start = time.monotonic()
    c.expect("closed", timeout=8)
    assert time.monotonic() - start < 5
    c.accept()
    assert "nothing heard for 2 s" in w.log()


test_silence.heartbeat_timeout = 2


def test_shutdown_message(c, w):
    c.accept()
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.say(shutdown=api.Shutdown(reason="maintenance", grace_period_seconds=2))
    start = time.monotonic()
    c.accept()
    assert time.monotonic() - start > 1.8 and not w.directories()


def test_killed_worker_is_swept_after(c, w):
    """What a killed worker leaves is removed by the next one; what a living one holds is not."""
    c.accept()
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    left, = w.directories()
    second = Worker(c, worker_id="worker-two")
    try:
        c.expect("register")
        assert os.path.exists(left)
        w.process.kill()
        w.process.wait()
        second.stop()
        assert os.path.exists(left)
    finally:
        second.kill()
    w.kill()
    w.__init__(c)
    c.accept()
    assert not os.path.exists(left)


def test_notices(c, w):
    c.accept()
    w.stop()
    w.__init__(c, "-z", "--asm", "guest.bin", "-j")
    c.accept()
    assert [line.split("option=")[1].split()[0] for line in w.log().splitlines() if "option.notice" in line] == ["--asm", "--shared-tables", "--preallocate"]
    assert "the program is interpreted" in w.log()


def run(test, transport):
    with tempfile.TemporaryDirectory(prefix="vat-") as folder:
        c = transport(folder)
        w = Worker(c, heartbeat_timeout=getattr(test, "heartbeat_timeout", 30))
        try:
            test(c, w)
            w.stop()
            return True
        except (AssertionError, queue.Empty, subprocess.TimeoutExpired, OSError):
            traceback.print_exc()
            print(w.log())
            return False
        finally:
            w.kill()
            c.end()


def main():
    failed = 0
    for transport in (Bus, Grpc):
        for name, test in list(globals().items()):
            label = "%s over %s" % (name, transport.name)
            if not name.startswith("test_") or FILTER not in label:
                continue
            start = time.monotonic()
            ok = run(test, transport)
            failed += not ok
            print("%s %s (%.1f s)" % ("ok    " if ok else "FAILED", label, time.monotonic() - start), flush=True)
    print("%d failed" % failed, flush=True)
    return 1 if failed else 0


try:
    code = main()
finally:
    SCRATCH.cleanup()
os._exit(code)  # gRPC's threads are not worth waiting for
