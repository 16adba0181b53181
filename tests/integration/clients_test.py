"""The services driven by programs that we did not write: a worker on Debian's gRPC for Python against the real coordinator, and h2load. The coordinator
runs with its real scheduler and gateway; only the worker is made up."""
import argparse
import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from protos import generate

args = None
# START, one hint of 300000 words, END: each a word with the code above and the length in bytes below.
HINTS = struct.pack("<2Q", 0, 0x10 << 32 | 2400000) + bytes(range(240)) * 10000 + struct.pack("<Q", 1 << 32)


class Coordinator(unittest.TestCase):
    shutdown_timeout = 30

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="venus-clients-")
        self.addCleanup(shutil.rmtree, self.dir)
        path = os.path.join(self.dir, "c.toml")
        with open(path, "w") as f:
            f.write(f"[server]\nhost = \"127.0.0.1\"\nport = 0\nshutdown_timeout_seconds = {self.shutdown_timeout}\nproofs_dir = \"{self.dir}/proofs\"\nprograms_dir = \"{self.dir}/programs\"\n")
        env = {**os.environ, "XDG_RUNTIME_DIR": self.dir, "RUST_LOG": "info"}
        self.process = subprocess.Popen([args.coordinator, "--config", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.wait, 30)
        self.addCleanup(self.process.kill)
        match = re.match(r"listening on (\S+):(\d+)\n", self.process.stdout.readline())
        self.address = f"127.0.0.1:{match[2]}"
        self.url = f"http://{self.address}"
        self.channel = grpc.insecure_channel(self.address)
        self.addCleanup(self.channel.close)
        self.api = pb_grpc.ZiskDistributedApiStub(self.channel)
        self.coordinator = co_grpc.ZiskCoordinatorApiStub(self.channel)

    def tearDown(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)  # two at once would be one
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 0)

    def client(self, *command, **k):
        return subprocess.Popen([args.coordinator, *command, "--coordinator-url", self.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **k)


    def done(self, code, client):
        out, err = client.communicate(timeout=20)
        self.assertEqual(client.returncode, code, err)
        return err


class Worker:
    """Speaks WorkerStream; answers heartbeats by itself, everything else is for the test."""
    def __init__(self, test, name="python", units=10):
        self.name, self.test, self.out, self.seen = name, test, queue.Queue(), queue.Queue()
        self.channel = grpc.insecure_channel(test.address)
        test.addCleanup(self.channel.close)
        self.call = pb_grpc.ZiskDistributedApiStub(self.channel).WorkerStream(iter(self.out.get, None))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        self.send(register=pb.WorkerRegisterRequest(worker_id=name, compute_capacity=pb.ComputeCapacity(compute_units=units)))
        self.registered = self.next("register_response")

    def read(self):
        with contextlib.suppress(grpc.RpcError):
            for m in self.call:
                if m.WhichOneof("payload") == "heartbeat":
                    self.send(heartbeat_ack=pb.HeartbeatAck(worker_id=self.name))
                else:
                    self.seen.put(m)
        self.seen.put(None)

    def send(self, **k):
        self.out.put(pb.WorkerMessage(**k))

    def next(self, kind):
        m = self.seen.get(timeout=20)
        self.test.assertIsNotNone(m, f"the stream ended, {kind} was expected")
        self.test.assertEqual(m.WhichOneof("payload"), kind)
        return getattr(m, kind)

    def fail(self, task, text):
        self.send(execute_task_response=pb.ExecuteTaskResponse(job_id=task.job_id, worker_id=self.name, task_type=task.task_type, success=False, error_message=text))

    def close(self):
        self.out.put(None)
        self.thread.join(20)


class PythonWorker(Coordinator):
    def launch(self, **k):
        return self.api.LaunchProof(pb.LaunchProofRequest(**{"data_id": "d", "compute_capacity": 10, **k}), timeout=10).job_id

    def state(self, job):
        return self.api.JobStatus(pb.JobStatusRequest(job_id=job), timeout=10).job.state

    def test_registers_gets_a_task_and_fails_it(self):
        self.done(19, self.client("prove", "--inputs-uri", "i.bin", "-c", "10"))
        w = Worker(self)
        self.assertTrue(w.registered.accepted)
        info = self.api.WorkersList(pb.WorkersListRequest(available_only=True), timeout=10).workers_list.workers
        self.assertEqual([(i.worker_id, i.compute_capacity.compute_units) for i in info], [("python", 10)])
        client = self.client("prove", "--inputs-uri", "i.bin", "--compute-capacity", "10")
        task = w.next("execute_task")
        self.assertEqual((task.worker_id, task.task_type, task.contribution_params.input_path), ("python", pb.PARTIAL_CONTRIBUTION, "i.bin"))
        self.assertEqual(sorted(task.contribution_params.worker_allocation), list(range(10)))
        self.assertEqual(task.contribution_params.job_compute_units, 10)
        # Busy now: nothing else starts.
        info = self.api.WorkersList(pb.WorkersListRequest(), timeout=10).workers_list.workers
        self.assertEqual([(i.state, i.job_id) for i in info], [("Computing(Contributions)", task.job_id)])
        self.assertEqual(self.api.SystemStatus(pb.SystemStatusRequest(), timeout=10).status.busy_workers, 1)
        jobs = self.api.JobsList(pb.JobsListRequest(active_only=True), timeout=10).jobs_list.jobs
        self.assertEqual([(j.data_id, j.phase) for j in jobs], [("i", "Contributions")])
        with self.assertRaises(grpc.RpcError) as caught:
            self.launch()
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("Insufficient compute capacity", caught.exception.details())
        w.fail(task, "Input file not found: /data/inputs/i.bin")
        err = self.done(12, client)
        self.assertIn("Input file not found: /data/inputs/i.bin", err)
        self.assertEqual(self.state(task.job_id), "Failed")
        self.assertEqual(len(self.api.JobsList(pb.JobsListRequest(active_only=True), timeout=10).jobs_list.jobs), 0)
        self.assertEqual([j.job_id for j in self.api.JobsList(pb.JobsListRequest(), timeout=10).jobs_list.jobs], [task.job_id])
        self.assertEqual(self.api.SystemStatus(pb.SystemStatusRequest(), timeout=10).status.idle_workers, 1)
        w.close()

    def test_lost_worker_fails_the_job(self):
        w = Worker(self)
        job = self.launch()
        w.next("execute_task")
        w.call.cancel()
        end = time.monotonic() + 40
        while self.state(job) != "Failed":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        # "List connected workers" is what the filter is for.
        self.assertEqual(len(self.api.WorkersList(pb.WorkersListRequest(available_only=True), timeout=10).workers_list.workers), 0)
        self.assertEqual([i.state for i in self.api.WorkersList(pb.WorkersListRequest(), timeout=10).workers_list.workers], ["Disconnected"])

    def test_direct_inputs_and_sequential_selection(self):
        path = os.path.join(self.dir, "mine.bin")
        with open(path, "wb") as f:
            f.write(b"12345678" * 3)
        first, second, third = Worker(self, "a", 6), Worker(self, "b", 6), Worker(self, "c", 6)
        self.done(0, self.client("prove", "--inputs-uri", path, "-x", "-c", "10", "--detach"))
        units = []
        for w in [first, second]:
            p = w.next("execute_task").contribution_params
            self.assertEqual((p.data_id, p.input_data, p.total_workers), ("mine", b"12345678" * 3, 2))
            units += p.worker_allocation
        self.assertEqual(sorted(units), list(range(10)))
        self.assertTrue(third.seen.empty())

    def test_partial_allocation(self):
        w = Worker(self, units=4)
        with self.assertRaises(grpc.RpcError):
            self.launch(minimal_compute_capacity=5)
        self.launch(minimal_compute_capacity=3)
        self.assertEqual(w.next("execute_task").contribution_params.job_compute_units, 4)

    def test_queue(self):
        w = Worker(self)
        job = self.launch()
        task = w.next("execute_task")
        waits = self.launch(queue=True)
        self.assertEqual(self.state(waits), "Queued")
        w.fail(task, "x")
        self.assertEqual(w.next("job_cancelled").job_id, job)
        self.assertEqual(w.next("execute_task").job_id, waits)

    def test_hints_stream(self):
        """A file on the coordinator's host reaches the worker in order."""
        path = os.path.join(self.dir, "hints")
        with open(path, "wb") as f:
            f.write(HINTS)
        w = Worker(self)
        self.done(0, self.client("prove", "-c", "10", "--hints-uri", f"file://{path}", "--stream-hints", "--detach"))
        self.assertTrue(w.next("execute_task").contribution_params.hints_stream)
        data, number = b"", 0
        self.assertEqual(w.next("stream_data").stream_type, pb.STREAM_TYPE_START)
        while (m := w.next("stream_data")).stream_type == pb.STREAM_TYPE_DATA:
            data += m.payload.payload
        self.assertEqual(m.stream_type, pb.STREAM_TYPE_END)
        self.assertEqual(data, HINTS)

    def test_hints_by_path(self):
        w = Worker(self)
        self.done(0, self.client("prove", "--inputs-uri", "i", "--hints-uri", "/data/hints/hints.bin", "-c", "10", "--detach"))
        p = w.next("execute_task")
        self.assertEqual((p.contribution_params.input_path, p.contribution_params.hints_path, p.contribution_params.hints_stream), ("i", "/data/hints/hints.bin", False))

    def test_simulated_node(self):
        w = Worker(self)
        client = self.client("prove", "-c", "20", "--simulated-node", "1")
        task = w.next("execute_task")
        self.assertEqual((len(task.contribution_params.worker_allocation), task.contribution_params.job_compute_units), (10, 20))
        w.fail(task, "enough")
        self.assertIn("enough", self.done(22, client))

    def test_program_of_the_newer_api(self):
        """Registered, sent to a worker that has not got it, executed; the client's own view at the end."""
        path = os.path.join(self.dir, "guest.elf")
        with open(path, "wb") as f:
            f.write(b"\x7fELF" + bytes(200))
        client = self.client("register", path)
        out, err = client.communicate(timeout=20)
        self.assertEqual(client.returncode, 0, err)
        with open(path, "rb") as f:
            self.assertEqual(out.strip(), hashlib.sha256(f.read()).hexdigest())
        w = Worker(self)
        client = self.client("execute", "--program", out.strip(), "--inputs-uri", path)
        program = w.next("program")
        self.assertEqual((program.hash_id, len(program.elf)), (out.strip(), 204))
        w.send(program_ack=pb.ProgramAck(worker_id=w.name, hash_id=program.hash_id, success=True))
        task = w.next("execute_task")
        self.assertTrue(task.contribution_params.execute_only)
        self.assertEqual((task.contribution_params.hash_id, len(task.contribution_params.input_data)), (program.hash_id, 204))
        publics, values = [7] + [0] * 63, [5, 6, 1234] + list(range(9))
        w.send(execute_task_response=pb.ExecuteTaskResponse(
            job_id=task.job_id, worker_id=w.name, task_type=task.task_type, success=True,
            challenges=pb.ChallengesList(witness_info=pb.WitnessExecInfo(publics=publics, proof_values=values))))
        out, err = client.communicate(timeout=20)
        self.assertEqual(client.returncode, 0, err)
        self.assertIn("steps           1234\n", out)
        self.assertIn("public outputs  07000000" + "00" * 252, out)
        client = self.client("execute", "--program", "0" * 64)
        self.done(12, client)

    def test_cancel_reaches_the_worker(self):
        w = Worker(self)
        client = self.client("prove", "--inputs-uri", "i", "-c", "10")
        task = w.next("execute_task")
        time.sleep(0.5)
        client.send_signal(signal.SIGINT)
        self.done(21, client)
        self.assertEqual(w.next("job_cancelled").job_id, task.job_id)
        self.assertEqual(self.state(task.job_id), "Cancelled")

    def test_unknown_jobs(self):
        for call, request in [(self.api.JobStatus, pb.JobStatusRequest(job_id="nothing")), (self.coordinator.WaitJobResult, co.WaitJobResultRequest(job_id="nothing")),
                              (lambda q, timeout: next(self.coordinator.WatchJob(q, timeout=timeout)), co.WatchJobRequest(job_id="nothing")),
                              (self.coordinator.CancelJob, co.CancelJobRequest(job_id="nothing")),
                              (lambda q, timeout: self.coordinator.PushJobInput(iter([q]), timeout=timeout), co.PushJobInputRequest(job_id="nothing", chunk=co.InputChunk(data=b"x"))),
                              (lambda q, timeout: self.coordinator.PushJobHintsInput(iter([q]), timeout=timeout),
                               co.PushJobHintsInputRequest(job_id="nothing", chunk=co.InputChunk(data=b"x")))]:
            with self.assertRaises(grpc.RpcError) as caught:
                call(request, timeout=10)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND, caught.exception.details())


class Drain(Coordinator):
    def stop_with_a_job(self):
        w = Worker(self)
        PythonWorker.launch(self)
        task = w.next("execute_task")
        waits = PythonWorker.launch(self, queue=True)
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id=waits))
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(list(watch)[-1].WhichOneof("event"), "cancelled")
        with self.assertRaises(grpc.RpcError) as caught:
            PythonWorker.launch(self)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        time.sleep(1)
        self.assertIsNone(self.process.poll())
        return w, task

    def test_running_job_may_end(self):
        w, task = self.stop_with_a_job()
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id=task.job_id))
        w.fail(task, "its own end")
        self.assertIn("its own end", str(list(watch)[-1].failed))
        self.assertEqual(self.process.wait(15), 0)

    def test_second_signal_cancels(self):
        w, task = self.stop_with_a_job()
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(w.next("job_cancelled").job_id, task.job_id)
        self.assertEqual(self.process.wait(15), 0)


class DrainTimeout(Coordinator):
    shutdown_timeout = 2

    def test_cancelled_when_the_time_is_over(self):
        w, task = Drain.stop_with_a_job(self)
        self.assertEqual(w.next("job_cancelled").job_id, task.job_id)
        self.assertEqual(w.next("shutdown").reason != "", True)
        self.assertEqual(self.process.wait(15), 0)


class Load(Coordinator):
    @unittest.skipUnless(shutil.which("h2load"), "h2load is not installed (nghttp2-client)")
    def test_sixty_four_at_a_time(self):
        body = os.path.join(self.dir, "empty")
        with open(body, "wb") as f:
            f.write(bytes(5))  # one message of no bytes
        for method in ["HealthCheck", "StatusInfo"]:
            p = subprocess.run(["h2load", "-c", "8", "-m", "8", "-D", str(max(1, round(args.seconds / 2))), "--data", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
                                f"{self.url}/zisk.distributed.api.v1.ZiskDistributedApi/{method}"], stdout=subprocess.PIPE, text=True, timeout=args.seconds + 30)
            counts = {name: int(n) for n, name in re.findall(r"(\d+) (\w+)", re.search(r"^requests: (.*)$", p.stdout, re.M)[1])}
            self.assertGreater(counts["succeeded"], 100, p.stdout)
            self.assertEqual((counts["failed"], counts["errored"], counts["timeout"]), (0, 0, 0), p.stdout)
            # An error would have headers and no message; the messages are all there.
            message_bytes = int(re.search(r"\((\d+)\) data", p.stdout)[1])
            self.assertGreaterEqual(message_bytes, counts["succeeded"] * (5 if method == "HealthCheck" else 25), p.stdout)
            self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)
            print(f"h2load {method}: {counts['succeeded'] / (args.seconds / 2):.0f}/s", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ["coordinator", "proto"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    args, rest = parser.parse_known_args()
    generate(args.proto)
    import grpc
    import zisk_coordinator_api_pb2 as co
    import zisk_coordinator_api_pb2_grpc as co_grpc
    import zisk_distributed_api_pb2 as pb
    import zisk_distributed_api_pb2_grpc as pb_grpc
    unittest.main(argv=[sys.argv[0]] + rest)
