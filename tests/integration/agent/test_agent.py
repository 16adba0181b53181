#!/usr/bin/python3
"""zisk-worker against a fake engine and a fake coordinator, over both transports. Usage: test_agent.py WORKER PROTO_DIR [FILTER]"""
import glob
import hashlib
import json
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

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
    def __init__(self, coordinator, *flags, heartbeat_timeout=30, worker_id="worker-one", config="", user=None, threads="2"):
        """config: more lines of the file, FOLDER in them is replaced. user: to run as."""
        self.id = worker_id
        self.folder = tempfile.mkdtemp(dir=SCRATCH.name)
        self.inputs = os.path.join(self.folder, "inputs")
        os.mkdir(self.inputs)
        with open(os.path.join(self.folder, "outside.bin"), "wb") as f:
            f.write(image("ok"))
        os.symlink("../outside.bin", os.path.join(self.inputs, "link.bin"))
        os.symlink(os.path.join(SCRATCH.name, "engine_pb2.py"), os.path.join(self.folder, "engine_pb2.py"))
        elf, config_path = os.path.join(self.folder, "guest.elf"), os.path.join(self.folder, "worker.toml")
        with open(elf, "wb") as f:
            f.write(b"\x7fELF" + b"\0" * 60)
        with open(config_path, "w") as f:
            f.write('[worker]\nworker_id = "%s"\ncompute_capacity.compute_units = 7\n[coordinator]\nurl = "%s"\n[connection]\n'
                    'reconnect_interval_seconds = 1\nheartbeat_timeout_seconds = %d\n' % (worker_id, coordinator.url, heartbeat_timeout) + config.replace("FOLDER", self.folder))
        if user is not None:
            sockets = [coordinator.url[6:], os.path.dirname(coordinator.url[6:])] if coordinator.url.startswith("ipc://") else []
            for path in [SCRATCH.name, self.folder] + sockets:
                os.chmod(path, 0o777)
        self.log_path = os.path.join(self.folder, "worker.log")
        self.log_file = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [WORKER, "--config", config_path, "--elf", elf, "--inputs-folder", self.inputs, "--engine", os.path.join(HERE, "fake_engine.py"),
             "--proving-key", os.path.join(self.folder, "key"), *(["-n", threads] if threads else []), *flags], user=user,
            env=dict(os.environ, FAKE_ENGINE_STATE=self.folder, http_proxy="http://127.0.0.1:9"), stderr=self.log_file)

    def pieces(self):
        try:
            with open(os.path.join(self.folder, "log")) as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def state(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return [line.split() for line in f]

    def put(self, name, data):
        with open(os.path.join(self.inputs, name), "wb") as f:
            f.write(data)

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

    def again(self, *args, **kwargs):
        """Ends the worker and starts another one."""
        self.stop()
        self.kill()
        self.__init__(*args, **kwargs)

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


def test_engine_noise(c, w):
    """Engines whose events are damaged: every task is answered, and the worker goes on."""
    c.accept()
    for i in range(12):
        job, data = "noise-%d" % i, image("noise%d" % i)
        c.say(execute_task=contribution(w, data=data, job=job))
        _, r = c.expect("execute_task_response", 20)
        assert (r.job_id, r.task_type) == (job, api.PARTIAL_CONTRIBUTION), r
        assert r.success or r.error_message, r
        if r.success:
            c.say(execute_task=prove(w, hashlib.sha256(data).digest(), job=job))
            _, r = c.expect("execute_task_response", 20)
            assert (r.job_id, r.task_type) == (job, api.PROVE), r
            c.say(job_cancelled=api.JobCancelled(job_id=job, reason="test"))
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)


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
    w.again(c, "-z", "--asm", "/dev/null/x")
    c.accept()
    assert [line.split("option=")[1].split()[0] for line in w.log().splitlines() if "option.notice" in line] == ["--asm", "--preallocate"]
    assert "translates the program anew" in w.log()


def test_shared_tables(c, w):
    """The folder is there as long as a worker with -j, however many."""
    folder = "/dev/shm/venus-tables-%d" % os.geteuid()
    c.accept()
    c.say(execute_task=contribution(w, data=image("tables")))
    refused(c, api.PARTIAL_CONTRIBUTION, "shared in []")
    w.again(c, "-j")
    c.accept()
    c.say(execute_task=contribution(w, data=image("tables"), job="second"))
    refused(c, api.PARTIAL_CONTRIBUTION, "shared in [%s]" % folder)
    assert os.stat(folder).st_mode & 0o7777 == 0o700
    second = Worker(c, "-j", worker_id="worker-two")
    try:
        c.expect("register")
        with open(folder + "/program.pre", "w") as f:
            f.write("tables")
        w.stop()
        assert os.path.exists(folder + "/program.pre")
        second.stop()
        assert not os.path.exists(folder)
        os.symlink("/tmp", folder)
        third = subprocess.run(second.process.args, stderr=subprocess.PIPE, timeout=20)
        os.unlink(folder)
        assert third.returncode != 0 and b"is not a folder of this user with mode 0700" in third.stderr, third
    finally:
        second.kill()


def whole_job(c, w, mode, expected_pieces, shards=SHARDS):
    """All three phases on one worker; checks every answer and what the engines were asked for."""
    seed = hashlib.sha256(image(mode)).digest()
    c.say(execute_task=contribution(w, data=image(mode)))
    r = answer(c, api.PARTIAL_CONTRIBUTION)
    assert [(x.airgroup_id, list(x.challenge)) for x in r.challenges.challenges] == [(s, leaf(seed, s)) for s in shards]
    c.say(execute_task=prove(w, seed))
    assert [(p.airgroup_id, unwords(p.values)) for p in answer(c, api.PROVE).proofs.proofs] == [(s, proof(seed, s)) for s in shards]
    c.say(execute_task=aggregate(w, last=True))
    assert unwords(answer(c, api.AGGREGATE).final_proof.values) == b"final " + b"".join(proof(seed, s) for s in shards)
    until(lambda: not w.directories(), "the directory stays")
    pieces = [p[0] for p in w.pieces()]
    if expected_pieces:
        assert pieces == expected_pieces, pieces
    return pieces


def test_packages_in_windows(c, w):
    """-x: never more packages than said; the missing ones are made again."""
    c.accept()
    w.again(c, "-x", "2")
    c.accept()
    whole_job(c, w, "ok", ["execute", "contribute-1-2", "execute", "contribute-3-4", "execute", "contribute-5", "prove-5", "execute", "prove-1", "prove-2",
                           "execute", "prove-3", "prove-4", "aggregate"])
    assert max(len(line) - 1 for line in w.state("packages")) == 2
    w.again(c, "-x", "9")
    c.accept()
    whole_job(c, w, "ok", ["execute", "contribute-1-2-3-4-5"] + ["prove-%d" % s for s in SHARDS] + ["aggregate"])


def test_minimal_memory(c, w):
    c.accept()
    w.again(c, "-m")
    c.accept()
    pieces = []
    for s in SHARDS:
        pieces += ["execute", "contribute-%d" % s]
    for s in SHARDS:
        pieces += ["execute", "prove-%d" % s]
    whole_job(c, w, "ok", pieces + ["aggregate"])
    assert all(len(line) == (1 if line[0] in ("execute", "aggregate") else 2) for line in w.state("packages"))


def test_crash_in_a_window(c, w):
    c.accept()
    w.again(c, "-x", "2", "-t", "2")
    c.accept()
    pieces = whole_job(c, w, "crash", None)
    assert sorted(set(p for p in pieces if p.startswith("prove"))) == ["prove-%d" % s for s in SHARDS]
    assert all(pieces.count("prove-%d" % s) == 2 for s in SHARDS) and max(len(line) - 1 for line in w.state("packages")) <= 2


def test_run_that_differs(c, w):
    c.accept()
    w.again(c, "-x", "2")
    c.accept()
    c.say(execute_task=contribution(w, data=image("drift")))
    refused(c, api.PARTIAL_CONTRIBUTION, "the program ran differently when it was executed again")


def most_at_work(log, piece):
    """Most engines of a piece that the worker had running at one moment."""
    running, most = set(), 0
    for line in log.splitlines():
        if "engine.started" in line and "piece=%s " % piece in line:
            running.add(line.split("pid=")[1].split()[0])
            most = max(most, len(running))
        elif "engine.ended" in line:
            running.discard(line.split("pid=")[1].split()[0])
    return most


def test_several_engines(c, w):
    c.accept()
    w.again(c, "-t", "3")
    c.accept()
    pieces = whole_job(c, w, "slow", None)
    assert pieces[0] == "execute" and sorted(pieces[1:4]) == ["contribute-1-2", "contribute-3-4", "contribute-5"], pieces
    assert sorted(pieces[4:9]) == ["prove-%d" % s for s in SHARDS] and pieces[9:] == ["aggregate"], pieces
    assert most_at_work(w.log(), "prove") == 3 and most_at_work(w.log(), "contribute") == 3
    assert {t[3] for t in w.state("times")} == {"2"}  # -n


def test_threads_of_engines(c, w):
    """Without -n the engines share the cores."""
    c.accept()
    cores = len(os.sched_getaffinity(0))
    w.again(c, "-t", "2", threads=None)
    c.accept()
    whole_job(c, w, "slow", None)
    assert {t[3] for t in w.state("times")} == {str(max(1, cores // 2))}


def test_one_engine_of_several_fails(c, w):
    c.accept()
    w.again(c, "-t", "4")
    c.accept()
    seed = hashlib.sha256(image("onebad")).digest()
    c.say(execute_task=contribution(w, data=image("onebad")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.say(execute_task=prove(w, seed))
    refused(c, api.PROVE, "Shard 2 does not satisfy the constraints")
    c.say(execute_task=contribution(w, data=image("ok"), job="another-job"))
    answer(c, api.PARTIAL_CONTRIBUTION)
    until(lambda: len(w.directories()) == 1, "the directory stays")
    assert not [p for p in w.pieces() if p[0].startswith("prove") and os.path.exists("/proc/" + p[1])]


def test_cancel_of_several_engines(c, w):
    c.accept()
    w.again(c, "-t", "4")
    c.accept()
    seed = hashlib.sha256(image("onebad" + "\0")).digest()
    c.say(execute_task=contribution(w, data=image("onebad" + "\0"), units=[0], job_units=2))  # shards 2 and 4
    answer(c, api.PARTIAL_CONTRIBUTION)
    c.say(execute_task=prove(w, seed))
    c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    until(lambda: not w.directories(), "the directory stays")
    c.say(heartbeat=api.Heartbeat())
    c.expect("heartbeat_ack", skip=("task_progress", "execute_task_response"))


# ---- hints ----

def hint(code, payload=b""):
    return struct.pack("<II", len(payload), code) + payload + b"\0" * (-len(payload) % 8)


def hints_of(data, *more):
    """Hints that carry data as input, in pieces of five bytes, and more hints behind them."""
    return hint(0) + b"".join(hint(0xF0000, data[i:i + 5]) for i in range(0, len(data), 5)) + b"".join(more) + hint(1)


def with_hints(c, w):
    c.accept()
    w.again(c, "--hints")
    c.accept()


def test_hints_by_path(c, w):
    with_hints(c, w)
    data = image("ok")
    seed = hashlib.sha256(data).digest()
    os.mkdir(os.path.join(w.inputs, "sub"))
    w.put("sub/hints.bin", hints_of(data, hint(0x80000700, b"kept")))
    for path in ("sub/hints.bin", "file://sub/hints.bin", os.path.join(w.inputs, "sub/hints.bin"), "file://" + os.path.join(w.inputs, "sub/hints.bin")):
        c.say(execute_task=contribution(w, hints_path=path))
        assert list(answer(c, api.PARTIAL_CONTRIBUTION).challenges.challenges[0].challenge) == leaf(seed, 1)
        with open(w.directories()[0] + "/input.bin", "rb") as f:
            assert f.read() == data
        with open(w.directories()[0] + "/hints.bin", "rb") as f:
            assert f.read() == hint(0x80000700, b"kept")
        c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    # An input beside the hints: fine when it is the same, or when the hints carry none.
    w.put("none.bin", hint(0) + hint(0x80000100, b"x") + hint(1))
    for kwargs in ({"data": data, "hints_path": "sub/hints.bin"}, {"data": data, "hints_path": "none.bin"}):
        c.say(execute_task=contribution(w, **kwargs))
        assert list(answer(c, api.PARTIAL_CONTRIBUTION).challenges.challenges[0].challenge) == leaf(seed, 1)
        c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    c.say(execute_task=contribution(w, data=image("other"), hints_path="sub/hints.bin"))
    refused(c, api.PARTIAL_CONTRIBUTION, "an input file and INPUT hints with another content")


def test_hints_refused(c, w):
    with_hints(c, w)
    good = hints_of(image("ok"))
    w.put("sha.bin", hint(0) + hint(0x100, b"message") + hint(1))
    w.put("noend.bin", good[:-8])
    w.put("nostart.bin", good[8:])
    w.put("odd.bin", good + b"x")
    w.put("empty.bin", b"")
    os.symlink("../outside.bin", os.path.join(w.inputs, "hints-link.bin"))
    for path, text in (("sha.bin", "hint 0x100 SHA256 needs the precompile tables, which this version does not have"), ("noend.bin", "without END"),
                       ("nostart.bin", "instead of START"), ("odd.bin", "not a multiple of 8"), ("empty.bin", "are empty"), ("missing.bin", "Hints file not found: missing.bin"),
                       ("../outside.bin", "leads out of"), ("hints-link.bin", "leads out of"), ("/etc/passwd", "outside the inputs folder"),
                       ("unix:///tmp/hints.sock", "is a stream"), ("quic://127.0.0.1:1", "is a stream")):
        c.say(execute_task=contribution(w, hints_path=path))
        refused(c, api.PARTIAL_CONTRIBUTION, text)
    assert not w.pieces() and not w.directories()


def stream(c, kind, sequence=None, data=b"", job=JOB):
    payload = None if sequence is None else api.StreamPayload(sequence_number=sequence, payload=data)
    c.say(stream_data=api.StreamData(job_id=job, stream_type=kind, payload=payload))


def test_hints_stream(c, w):
    with_hints(c, w)
    data = image("ok") + bytes(3 << 20)
    seed = hashlib.sha256(data).digest()
    words_ = hint(0) + b"".join(hint(0xF0000, data[i:i + 100003]) for i in range(0, len(data), 100003)) + hint(1)
    pieces = [words_[i:i + (1 << 17)] for i in range(0, len(words_), 1 << 17)]
    swapped = list(range(1, len(pieces) + 1))
    swapped[1], swapped[4] = swapped[4], swapped[1]
    for order in (range(1, len(pieces) + 1), swapped):
        c.say(execute_task=contribution(w, hints_stream=True, hints_path="unix:///somewhere"))
        stream(c, api.STREAM_TYPE_START, 0)
        before = len(w.pieces())
        for n in order:
            stream(c, api.STREAM_TYPE_DATA, n, pieces[n - 1])
        c.say(heartbeat=api.Heartbeat())
        c.expect("heartbeat_ack", skip=())
        assert len(w.pieces()) == before, "executed before the end"
        stream(c, api.STREAM_TYPE_END, len(pieces) + 1)
        assert list(answer(c, api.PARTIAL_CONTRIBUTION).challenges.challenges[0].challenge) == leaf(seed, 1)
        c.say(execute_task=prove(w, seed))
        answer(c, api.PROVE)
        c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    # The end may overtake the last piece, and may come without a number.
    for last in (3, None):
        c.say(execute_task=contribution(w, hints_stream=True))
        words_ = hints_of(image("ok"))
        stream(c, api.STREAM_TYPE_START)
        stream(c, api.STREAM_TYPE_DATA, 1, words_[:16])
        if last:
            stream(c, api.STREAM_TYPE_END, last)
        stream(c, api.STREAM_TYPE_DATA, 2, words_[16:])
        if not last:
            stream(c, api.STREAM_TYPE_END)
        answer(c, api.PARTIAL_CONTRIBUTION)
        c.say(job_cancelled=api.JobCancelled(job_id=JOB))


def test_hints_stream_refused(c, w):
    with_hints(c, w)
    for messages, text in ((((1, 1, b"x" * 8),), "before the stream's start"), (((0, 0, b""), (0, 0, b"")), "started twice"),
                           (((0, 0, b""), (1, 1, hint(0)), (1, 1, hint(0))), "came twice"), (((0, 0, b""), (1, 1, hint(0)), (2, 2, b"")), "without END"),
                           (((0, 0, b""), (1, 1, hint(0) + hint(0x700, b"m"))), "hint 0x700 KECCAK256"), (((0, 0, b""), (1, 1, b"odd")), "not a multiple of 8"),
                           (((0, 0, b""), (2, None, b"")), "are empty"), (((0, 0, b""), (1, 1, hint(0) + hint(2))), "cancelled them")):
        c.say(execute_task=contribution(w, hints_stream=True))
        for kind, sequence, data in messages:
            stream(c, kind, sequence, data)
        refused(c, api.PARTIAL_CONTRIBUTION, text)
        until(lambda: not w.directories(), "the directory stays")
    stream(c, api.STREAM_TYPE_START, 0, job="never-heard-of")
    assert "does not know job never-heard-of" in c.expect("error")[1].error_message
    # A task that came too early, and a stream nobody asked for.
    c.say(execute_task=contribution(w, hints_stream=True))
    c.say(execute_task=prove(w, b""))
    refused(c, api.PROVE, "stage hints")
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    stream(c, api.STREAM_TYPE_START, 0)
    refused(c, api.PARTIAL_CONTRIBUTION, "awaits none")
    assert [p[0] for p in w.pieces()] == ["execute", "contribute-1-2-3-4-5"]


def test_hints_stream_cut_off(c, w):
    with_hints(c, w)
    c.say(execute_task=contribution(w, hints_stream=True))
    stream(c, api.STREAM_TYPE_START, 0)
    stream(c, api.STREAM_TYPE_DATA, 1, hint(0))
    c.close_stream()
    c.accept(kind="register")
    refused(c, api.PARTIAL_CONTRIBUTION, "The connection was lost while hints were streamed")


# ---- the rest ----

def test_input_errors(c, w):
    """What is wrong with an input reaches the coordinator in words. As another user, because root may read everything."""
    c.accept()
    w.stop()
    w.kill()
    w.__init__(c, user=65534 if os.geteuid() == 0 else None)
    c.accept()
    w.put("secret.bin", image("ok"))
    os.chmod(os.path.join(w.inputs, "secret.bin"), 0)
    with open(os.path.join(w.inputs, "large.bin"), "wb") as f:
        f.truncate((128 << 20) + 8)
    os.mkfifo(os.path.join(w.inputs, "fifo"))
    for path, text in (("secret.bin", "Input file secret.bin cannot be read on worker worker-one: Permission denied"),
                       ("large.bin", "Input file large.bin has 134217736 bytes; at most 134217728 are accepted"), ("fifo", "not a regular file"),
                       ("none/x.bin", "Input file not found: none/x.bin")):
        c.say(execute_task=contribution(w, path=path))
        refused(c, api.PARTIAL_CONTRIBUTION, text)
    assert not w.directories() and not w.pieces()


def test_log_file(c, w):
    """A log file that was moved away is opened anew on SIGHUP; --debug with components filters."""
    c.accept()
    w.again(c, "--debug=engine", config='[logging]\nlevel = "warn"\nformat = "json"\nfile_path = "FOLDER/file.log"\n')
    c.accept()
    path = os.path.join(w.folder, "file.log")
    c.say(execute_task=contribution(w, data=image("ok")))
    answer(c, api.PARTIAL_CONTRIBUTION)
    os.rename(path, path + ".1")
    w.process.send_signal(signal.SIGHUP)
    until(lambda: os.path.exists(path), "no new log file")
    c.say(job_cancelled=api.JobCancelled(job_id=JOB))
    c.say(execute_task=contribution(w, data=image("guest"), job="second"))
    refused(c, api.PARTIAL_CONTRIBUTION, "boom")
    with open(path + ".1") as f:
        old = [json.loads(line) for line in f]
    with open(path) as f:
        new = [json.loads(line) for line in f]
    assert {e["event"] for e in old} == {"engine.started", "engine.ended"} and {e["level"] for e in old} == {"debug"}
    assert [e["event"] for e in new if e["level"] == "warn"] and {e["event"].split(".")[0] for e in new if e["level"] == "debug"} == {"engine"}


def test_registered_programs(c, w):
    elf = b"\x7fELF" + bytes(100)
    name = hashlib.sha256(elf).hexdigest()
    hello = c.accept()
    assert not hello.programs
    c.say(execute_task=contribution(w, data=image("elf"), hash_id=name))
    refused(c, api.PARTIAL_CONTRIBUTION, "Program %s is not in this worker's cache" % name)
    c.say(execute_task=contribution(w, data=image("elf"), hash_id="../x"))
    refused(c, api.PARTIAL_CONTRIBUTION, "is not the id of a program")
    c.say(program=api.Program(hash_id=name, elf=elf + b"x"))
    _, ack = c.expect("program_ack")
    assert (ack.worker_id, ack.hash_id, ack.success) == (w.id, name, False) and "is not the one" in ack.error_message
    c.say(program=api.Program(hash_id=name, elf=elf))
    _, ack = c.expect("program_ack")
    assert (ack.hash_id, ack.success, ack.error_message) == (name, True, "")
    c.say(execute_task=contribution(w, data=image("elf"), hash_id=name))
    refused(c, api.PARTIAL_CONTRIBUTION, "/programs/%s.elf" % name)
    c.say(execute_task=contribution(w, data=image("elf")))
    assert "/programs/" not in refused(c, api.PARTIAL_CONTRIBUTION, "The guest is ").error_message
    c.close_stream()
    assert list(c.accept().programs) == [name]


def test_execution_alone(c, w):
    c.accept()
    c.say(execute_task=contribution(w, data=image("ok"), execute_only=True))
    r = answer(c, api.PARTIAL_CONTRIBUTION)
    assert not r.challenges.challenges and list(r.challenges.witness_info.proof_values) == [3, 2, 123456789] + list(range(1, 10))
    assert [p[0] for p in w.pieces()] == ["execute"] and not glob.glob(w.directories()[0] + "/*.pkg")
    c.say(job_cancelled=api.JobCancelled(job_id=JOB, reason="the program has been executed"))
    until(lambda: not w.directories(), "the directory stays")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scrape(port):
    """{'name{labels}': value}"""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open("http://127.0.0.1:%d/metrics" % port, timeout=5) as r:
        lines = r.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_metrics(c, w):
    c.accept()
    port = free_port()
    w.again(c, config='[metrics]\nhost = "localhost"\nport = %d\n' % port)
    c.accept()
    until(lambda: scrape(port)["venus_agent_connected"] == 1, "not connected")
    m = scrape(port)
    assert m["venus_agent_compute_units"] == 7 and abs(m["venus_start_time_seconds"] - time.time()) < 60
    assert m['venus_agent_registrations_total{answer="accepted"}'] == 1 and m["venus_agent_jobs"] == 0

    data = image("crash")  # every piece once
    seed = hashlib.sha256(data).digest()
    c.say(execute_task=contribution(w, data=data))
    answer(c, api.PARTIAL_CONTRIBUTION)
    assert scrape(port)["venus_agent_jobs"] == 1
    c.say(execute_task=prove(w, seed))
    answer(c, api.PROVE)
    c.say(execute_task=aggregate(w, last=True))
    answer(c, api.AGGREGATE)
    c.say(execute_task=contribution(w, data=image("guest"), job="second"))
    refused(c, api.PARTIAL_CONTRIBUTION, "boom")
    c.say(execute_task=prove(w, seed, job="never-heard-of"))
    refused(c, api.PROVE, "does not know job")
    c.say(execute_task=contribution(w, data=image("hang"), job="third"))
    until(lambda: scrape(port)["venus_agent_engines"] == 1, "no engine")
    assert scrape(port)["venus_agent_jobs"] == 1
    c.say(job_cancelled=api.JobCancelled(job_id="third"))
    until(lambda: scrape(port)["venus_agent_jobs"] == 0, "the job stays")

    m = scrape(port)
    outcomes = {"execute": (1, 1, 1, 1), "contribute": (1, 0, 1, 0), "prove": (5, 0, 5, 0), "aggregate": (1, 0, 1, 0), "setup": (0,) * 4, "verify": (0,) * 4}
    for piece, expected in outcomes.items():
        got = tuple(m['venus_engine_outcomes_total{piece="%s",outcome="%s"}' % (piece, o)] for o in ("ok", "failed", "crashed", "cancelled"))
        assert got == expected, (piece, got)
        assert m['venus_engine_seconds_count{piece="%s"}' % piece] == sum(expected) and m['venus_engine_retries_total{piece="%s"}' % piece] == expected[2]
    tasks = {"partial_contribution": (1, 1, 1), "prove": (1, 1, 0), "aggregate": (1, 0, 0)}
    for task, expected in tasks.items():
        got = tuple(m['venus_agent_tasks_total{task="%s",outcome="%s"}' % (task, o)] for o in ("ok", "failed", "cancelled"))
        assert got == expected, (task, got)
        assert m['venus_agent_task_seconds_count{task="%s"}' % task] == expected[0] + expected[1]
    assert (m["venus_agent_executed_steps_total"], m["venus_agent_shards_proved_total"], m["venus_agent_engines"]) == (123456789, 5, 0)
    assert m['venus_agent_link_bytes_total{direction="in"}'] > 500 and m['venus_agent_link_bytes_total{direction="out"}'] > 500

    # Another worker on the same port does not start.
    second = subprocess.run([*w.process.args, "--metrics-host", "127.0.0.1", "--metrics-port", str(port)], stderr=subprocess.PIPE, timeout=20)
    assert second.returncode != 0 and b"metrics: cannot listen on 127.0.0.1 port %d: Address already in use" % port in second.stderr, second

    c.close_stream()
    until(lambda: scrape(port)["venus_agent_connected"] == 0, "still connected")
    c.accept(kind="register")
    until(lambda: scrape(port)['venus_agent_registrations_total{answer="accepted"}'] == 2, "not counted")


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
