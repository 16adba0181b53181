"""The gateway seen from outside: Debian's gRPC client for Python, raw sockets, and a scheduler made for the test
(gateway_scheduler.c says what each id makes it do). Every test has a gateway and a scheduler of its own."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from protos import generate

args = None
BIG = [("grpc.max_receive_message_length", 200 << 20), ("grpc.max_send_message_length", 200 << 20), ("grpc.use_local_subchannel_pool", 1)]


class Gateway(unittest.TestCase):
    scheduler_runs = True
    listen = "127.0.0.1:0"
    extra = []

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="venus-gateway-")
        self.addCleanup(self.stop_children)  # also when the rest of this fails
        self.bus = f"ipc://{self.dir.name}/bus"
        self.children = []
        self.scheduler = self.start_scheduler() if self.scheduler_runs else None
        r, w = os.pipe()
        self.log = open(os.path.join(self.dir.name, "log"), "w+")
        self.gateway = subprocess.Popen([args.gateway, "--listen", self.listen, "--bus", self.bus, "--ready-fd", str(w), "--grace", "1",
                                         "--log-level", "debug"] + self.extra, pass_fds=[w], stderr=self.log)
        self.children.append(self.gateway)
        os.close(w)
        self.ready = os.fdopen(r)
        line = self.ready.readline().split()
        self.assertEqual(line[0] if line else None, "LISTENING", self.read_log())
        self.port = int(line[1])
        if self.scheduler_runs:
            self.assertEqual(self.ready.readline(), "READY\n")
        self.channels = []
        self.channel = self.connect()
        self.api = pb_grpc.ZiskDistributedApiStub(self.channel)
        self.coordinator = co_grpc.ZiskCoordinatorApiStub(self.channel)

    def stop_children(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait(10)

    def tearDown(self):
        for channel in self.channels:
            channel.close()
        if self.gateway.poll() is None:
            self.gateway.terminate()
        code = self.gateway.wait(20)
        self.ready.close()
        for child in self.children:
            if child.poll() is None:
                child.terminate()
            child.wait(10)
        if code != 0 or os.environ.get("VENUS_TEST_LOG"):
            sys.stderr.write(self.read_log()[-6000:])
        self.log.close()
        self.dir.cleanup()
        self.assertEqual(code, 0)

    def read_log(self):
        self.log.flush()
        with open(self.log.name) as f:
            return f.read()

    def start_scheduler(self):
        child = subprocess.Popen([args.scheduler, self.bus])
        self.children.append(child)
        return child

    def connect(self, address=None):
        channel = grpc.insecure_channel(address or f"127.0.0.1:{self.port}", options=BIG)
        self.channels.append(channel)
        return channel

    def seen(self):
        return json.loads(self.api.StatusInfo(pb.StatusInfoRequest(), timeout=10).service_name)

    def wait_seen(self, key, count):
        end = time.monotonic() + 10
        while self.seen()[key] < count and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.seen()[key], count)

    def fails(self, code, call, *a, **k):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*a, **{"timeout": 10, **k})
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        return caught.exception.details()

    def raw(self, path):
        return self.channel.unary_unary(path, request_serializer=lambda b: b, response_deserializer=lambda b: b)


class Unary(Gateway):
    def test_every_method(self):
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)
        self.assertEqual(self.api.SystemStatus(pb.SystemStatusRequest(), timeout=10).status.compute_capacity, 30)
        self.assertEqual(self.api.StatusInfo(pb.StatusInfoRequest(), timeout=10).version, "test")
        self.assertTrue(self.api.JobsList(pb.JobsListRequest(active_only=True), timeout=10).HasField("jobs_list"))
        self.assertEqual(self.api.JobStatus(pb.JobStatusRequest(job_id="j"), timeout=10).job.state, "Completed")
        self.assertEqual(self.api.WorkersList(pb.WorkersListRequest(available_only=True), timeout=10).workers_list.workers[0].worker_id, "w1")
        r = self.api.LaunchProof(pb.LaunchProofRequest(data_id="d", compute_capacity=1, inputs_uri="u", inputs_data=b"x" * 5), timeout=10)
        self.assertEqual(r.job_id, "d/u/5")
        self.assertTrue(self.coordinator.CancelJob(co.CancelJobRequest(job_id="j"), timeout=10).cancelled)
        r = self.coordinator.WaitJobResult(co.WaitJobResultRequest(job_id="j", timeout_seconds=5), timeout=10)
        self.assertTrue(r.job_status.HasField("completed"))
        self.assertEqual(r.result.prove.stats.steps, 12345)

    def test_errors_keep_code_and_text(self):
        codes = {1: "INVALID_ARGUMENT", 2: "NOT_FOUND", 9: "RESOURCE_EXHAUSTED", 10: "DEADLINE_EXCEEDED", 12: "FAILED_PRECONDITION", 17: "INTERNAL",
                 4: "UNIMPLEMENTED", 8: "UNAVAILABLE", 99: "INTERNAL", 0: "INTERNAL"}
        for status, code in codes.items():
            text = self.fails(getattr(grpc.StatusCode, code), self.api.LaunchProof, pb.LaunchProofRequest(data_id=f"error-{status}"))
            self.assertEqual(text, f"told to fail: error-{status}")
        self.assertEqual(self.fails(grpc.StatusCode.NOT_FOUND, self.api.JobStatus, pb.JobStatusRequest(job_id="missing")), "no job missing")

    def test_malformed_messages(self):
        launch = self.raw("/zisk.distributed.api.v1.ZiskDistributedApi/LaunchProof")
        for body in [b"\x0a\x05abc", b"\xff\xff\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x03a\x00b", b"\x0d\x01\x00\x00\x00", b"\x00", b"\x0b", b"\x0a",
                     b"\x0a\x02\xc0\x80", b"\x0a\x03\xed\xa0\x80"]:
            self.fails(grpc.StatusCode.INVALID_ARGUMENT, launch, body)
        self.assertEqual(self.seen()["launch"], 0)
        self.assertIn("data_id", self.fails(grpc.StatusCode.INVALID_ARGUMENT, launch, b"\x0a\x03a\x00b"))
        launch(b"\x0a\x02\xc3\xa9\xfa\x7f\x01x", timeout=10)  # text in UTF-8, an unknown field
        self.assertEqual(self.seen()["launch"], 1)

    def test_unknown_method(self):
        for path in ["/zisk.distributed.api.v1.ZiskDistributedApi/Nothing", "/a/b", "/" + "x" * 2000]:
            self.fails(grpc.StatusCode.UNIMPLEMENTED, self.raw(path), b"")

    def test_no_message(self):
        call = self.channel.stream_unary("/zisk.distributed.api.v1.ZiskDistributedApi/SystemStatus", request_serializer=lambda b: b)
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, call, iter([]))

    def test_two_hundred_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            jobs = [pool.submit(self.api.LaunchProof, pb.LaunchProofRequest(data_id=f"d{i}", inputs_uri="u"), timeout=30) for i in range(200)]
            self.assertEqual([j.result().job_id for j in jobs], [f"d{i}/u/0" for i in range(200)])

    def test_large_messages(self):
        data = b"z" * (100 << 20)
        self.assertEqual(self.api.LaunchProof(pb.LaunchProofRequest(data_id="d", inputs_data=data), timeout=60).job_id, f"d/-/{len(data)}")
        r = self.coordinator.WaitJobResult(co.WaitJobResultRequest(job_id="big-60000000"), timeout=60)
        self.assertEqual(len(r.result.prove.proof.data), 60000000)
        self.assertEqual(r.result.prove.proof.data[1000], (1000 * 31 + 1000 // 251) & 255)
        too_big = pb.LaunchProofRequest(data_id="d", inputs_data=b"z" * ((128 << 20) + 1))
        self.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, self.api.LaunchProof, too_big, timeout=60)
        self.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, self.coordinator.WaitJobResult, co.WaitJobResultRequest(job_id=f"big-{128 << 20}"), timeout=60)
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)

    def test_client_that_leaves(self):
        never = self.coordinator.WaitJobResult.future(co.WaitJobResultRequest(job_id="never"))
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="never"))
        self.assertTrue(next(watch).HasField("queued"))
        self.fails(grpc.StatusCode.DEADLINE_EXCEEDED, self.coordinator.WaitJobResult, co.WaitJobResultRequest(job_id="never"), timeout=0.3)
        self.wait_seen("abandon", 1)
        never.cancel()
        self.wait_seen("abandon", 2)
        watch.cancel()
        self.wait_seen("abandon", 3)


class Jobs(Gateway):
    """RegisterGuestProgram and JobRequest: what is missing is named before the scheduler is asked."""
    def test_register(self):
        self.assertEqual(self.coordinator.RegisterGuestProgram(co.RegisterGuestProgramRequest(zisk_elf=b"e" * 70000), timeout=10).hash_id, "elf-70000")
        self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, self.coordinator.RegisterGuestProgram, co.RegisterGuestProgramRequest()),
                         "zisk_elf must not be empty")

    def test_job_request(self):
        ask, inline = self.coordinator.JobRequest, co.InputKind(inline=co.InputChunk(data=b""))
        kind = lambda **k: co.JobRequestMessage(job_kind=co.JobKind(**k))
        self.assertEqual(ask(kind(prove=co.ProveRequest(hash_id="h", input=inline)), timeout=10).job_id, "prove/h")
        self.assertEqual(ask(kind(execute=co.ExecuteRequest(hash_id="h", input=inline)), timeout=10).job_id, "execute/h")
        self.fails(grpc.StatusCode.UNIMPLEMENTED, ask, kind(setup=co.SetupRequest(hash_id="h")))
        for request, text in [(co.JobRequestMessage(), "job_kind must be set"), (kind(), "job_kind.kind must be set"), (kind(prove=co.ProveRequest()), "input must be set"),
                              (kind(prove=co.ProveRequest(input=co.InputKind())), "input must be set"), (kind(execute=co.ExecuteRequest()), "input must be set"),
                              (kind(execute=co.ExecuteRequest(input=inline, hints=co.InputKind())), "hints must be set when they are given"),
                              (kind(wrap=co.WrapRequest()), "proof must be set")]:
            self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, ask, request), text)


class Push(Gateway):
    def pieces(self, *pairs):
        return iter([co.PushJobInputRequest(job_id=j, chunk=co.InputChunk(data=d)) for j, d in pairs])

    def test_in_order_to_the_end(self):
        data = [os.urandom(1 + 7919 * i % 60000) for i in range(60)]
        self.coordinator.PushJobInput(self.pieces(("j", data[0]), ("j", b""), *[("" if i % 2 else "j", d) for i, d in enumerate(data[1:])]), timeout=30)
        total = 0
        for b in b"".join(data):
            total = (total * 31 + b) & 0xffffffff
        seen = self.seen()
        self.assertEqual((seen["pieces"], seen["ends"], seen["bytes"], seen["sum"]), (60, 1, sum(map(len, data)), total))
        hints = iter([co.PushJobHintsInputRequest(job_id="j", chunk=co.InputChunk(data=b"h"))])
        self.coordinator.PushJobHintsInput(hints, timeout=10)
        self.assertEqual(self.seen()["ends"], 2)

    def test_wrong_streams(self):
        push, bad = self.coordinator.PushJobInput, grpc.StatusCode.INVALID_ARGUMENT
        self.assertEqual(self.fails(bad, push, iter([])), "the stream is empty")
        self.assertEqual(self.fails(bad, push, iter([co.PushJobInputRequest(job_id="j")])), "chunk must be set")
        self.assertEqual(self.fails(bad, push, self.pieces(("", b"x"))), "job_id must be set")
        self.assertIn("must not change", self.fails(bad, push, self.pieces(("j", b"x"), ("k", b"x"))))
        self.assertEqual(self.fails(grpc.StatusCode.NOT_FOUND, push, self.pieces(("missing", b"x"), ("missing", b"x"))), "no job missing")
        self.assertEqual(self.fails(grpc.StatusCode.NOT_FOUND, push, self.pieces(("missing", b""))), "no job missing")

    def test_scheduler_that_has_no_room(self):
        def endless():
            for _ in range(1000):
                yield co.PushJobInputRequest(job_id="stuck", chunk=co.InputChunk(data=b"x" * 100000))
        call = self.coordinator.PushJobInput.future(endless())
        self.wait_seen("pieces", 2)
        time.sleep(0.3)
        self.assertEqual(self.seen()["pieces"], 2)
        call.cancel()
        self.wait_seen("abandon", 1)


class Signals(Gateway):
    def test_log_reopens_on_hangup(self):
        path = os.path.join(self.dir.name, "rotated")
        r, w = os.pipe()
        p = subprocess.Popen([args.gateway, "--listen", "127.0.0.1:0", "--bus", self.bus, "--log-file", path, "--ready-fd", str(w)], pass_fds=[w], stderr=subprocess.DEVNULL)
        self.children.append(p)
        os.close(w)
        with os.fdopen(r) as ready:
            ready.readline()
            self.assertEqual(ready.readline(), "READY\n")
        os.rename(path, path + ".1")
        p.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while not os.path.exists(path) or "log.reopened" not in pathlib.Path(path).read_text():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        p.terminate()
        self.assertEqual(p.wait(10), 0)

    def test_draining_starts_no_job(self):
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="never"))
        next(watch)
        self.gateway.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while "gateway.draining" not in self.read_log():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertIn("shutting down", self.fails(grpc.StatusCode.UNAVAILABLE, self.api.LaunchProof, pb.LaunchProofRequest(data_id="d")))
        self.fails(grpc.StatusCode.UNAVAILABLE, self.coordinator.JobRequest, co.JobRequestMessage())
        self.assertEqual(self.api.JobStatus(pb.JobStatusRequest(job_id="j"), timeout=10).job.state, "Completed")
        self.assertFalse(watch.done())
        watch.cancel()


class Garbage(Gateway):
    def test_garbage_on_the_port(self):
        held = []
        for blob in [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64, b"PRI", b"\x16\x03\x01\x02\x00"]:
            s = socket.create_connection(("127.0.0.1", self.port))
            try:
                s.sendall(blob)
            except OSError:
                pass
            held.append(s)
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)
        for s in held:
            s.close()
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)

    def test_port_in_use(self):
        p = subprocess.run([args.gateway, "--listen", f"127.0.0.1:{self.port}", "--bus", self.bus], stderr=subprocess.PIPE, timeout=20)
        self.assertNotEqual(p.returncode, 0)
        self.assertIn(b"in use", p.stderr)


class Watch(Gateway):
    def test_events_in_order(self):
        events = list(self.coordinator.WatchJob(co.WatchJobRequest(job_id="j"), timeout=10))
        kinds = [e.WhichOneof("event") for e in events]
        self.assertEqual([k for i, k in enumerate(kinds) if i == 0 or k != kinds[i - 1]], ["queued", "progress", "completed"])
        self.assertEqual(len(events[-1].completed.result.prove.proof.data), 1000)

    def test_unknown_job(self):
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="missing"), timeout=10)
        self.assertEqual(self.fails(grpc.StatusCode.NOT_FOUND, lambda timeout: next(watch)), "no job missing")

    def test_progress_coalesces_and_the_end_arrives(self):
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="progress-20000"), timeout=60)
        time.sleep(1)  # the reader is slow, the scheduler is not
        events = list(watch)
        self.assertEqual(events[-1].WhichOneof("event"), "completed")
        self.assertEqual(events[-2].progress.shards_done, 20000)

    def test_slow_reader_is_cut(self):
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="flood-8000"), timeout=60)
        time.sleep(2)
        with self.assertRaises(grpc.RpcError) as caught:
            for _ in watch:
                pass
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)


class Worker(Gateway):
    class Stream:
        def __init__(self, api):
            self.queue = __import__("queue").Queue()
            self.call = api.WorkerStream(iter(self.queue.get, None))

        def send(self, **k):
            self.queue.put(pb.WorkerMessage(**k))

        def close(self):
            self.queue.put(None)

    def register(self, name="w", api=None):
        s = self.Stream(api or self.api)
        s.send(register=pb.WorkerRegisterRequest(worker_id=name, compute_capacity=pb.ComputeCapacity(compute_units=3)))
        self.assertEqual(next(s.call).register_response.worker_id, name)
        return s

    def test_headers_come_before_the_first_message(self):
        s = self.Stream(self.api)
        done = threading.Event()
        threading.Thread(target=lambda: (s.call.initial_metadata(), done.set()), daemon=True).start()
        self.assertTrue(done.wait(5))
        s.call.cancel()

    def test_conversation(self):
        s = self.register()
        for i in range(50):
            s.send(error=pb.WorkerError(job_id=f"j{i}", error_message=f"text {i} é"))
            answer = next(s.call).job_cancelled
            self.assertEqual((answer.job_id, answer.reason), (f"j{i}", f"text {i} é"))
        s.close()
        self.assertEqual(list(s.call), [])
        self.assertEqual(s.call.code(), grpc.StatusCode.OK)
        self.wait_seen("closed", 1)

    def test_burst_keeps_order(self):
        s = self.register()
        for i in range(3000):
            s.send(error=pb.WorkerError(job_id=str(i), error_message="m" * 200))
        self.assertEqual([next(s.call).job_cancelled.job_id for _ in range(3000)], [str(i) for i in range(3000)])
        s.close()

    def test_large_both_ways(self):
        s = self.register()
        text = "q" * (20 << 20)
        for _ in range(3):
            s.send(error=pb.WorkerError(job_id="j", error_message=text))
            self.assertEqual(len(next(s.call).job_cancelled.reason), len(text))
        s.close()

    def test_closed_by_the_scheduler(self):
        s = self.Stream(self.api)
        s.send(register=pb.WorkerRegisterRequest(worker_id="reject"))
        self.assertFalse(next(s.call).register_response.accepted)
        self.assertEqual(list(s.call), [])
        self.assertEqual(s.call.code(), grpc.StatusCode.OK)
        s = self.register()
        s.send(error=pb.WorkerError(error_message="close"))
        self.assertEqual(list(s.call), [])
        self.assertEqual(self.seen()["closed"], 0)

    def test_cancelled_by_the_worker(self):
        self.register().call.cancel()
        self.wait_seen("closed", 1)

    def test_malformed_message_ends_the_stream(self):
        raw = self.channel.stream_stream("/zisk.distributed.api.v1.ZiskDistributedApi/WorkerStream")
        good = pb.WorkerMessage(register=pb.WorkerRegisterRequest(worker_id="w")).SerializeToString()
        with self.assertRaises(grpc.RpcError) as caught:
            list(raw(iter([good, b"\x1a\x03\x0a\x01\x00"]), timeout=10))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.wait_seen("closed", 1)

    def test_fifty_streams(self):
        streams = [self.register(f"w{i}", pb_grpc.ZiskDistributedApiStub(self.connect()) if i % 10 == 0 else None) for i in range(50)]
        for i, s in enumerate(streams):
            s.send(error=pb.WorkerError(job_id=f"j{i}", error_message="x"))
        self.assertEqual([next(s.call).job_cancelled.job_id for s in streams], [f"j{i}" for i in range(50)])
        for s in streams:
            s.close()
        self.wait_seen("closed", 50)

    def test_worker_that_does_not_read(self):
        s = self.register()
        s.send(error=pb.WorkerError(error_message="flood"))
        time.sleep(3)
        with self.assertRaises(grpc.RpcError) as caught:
            for _ in s.call:
                pass
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.wait_seen("closed", 1)

    def test_sigterm_with_live_streams(self):
        streams = [self.register(f"w{i}") for i in range(20)]
        watch = self.coordinator.WatchJob(co.WatchJobRequest(job_id="never"))
        next(watch)
        silent = self.api.LaunchProof.future(pb.LaunchProofRequest(data_id="silent"))
        time.sleep(0.2)
        started = time.monotonic()
        self.gateway.send_signal(signal.SIGTERM)
        for s in streams:
            with self.assertRaises(grpc.RpcError) as caught:
                next(s.call)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("shutting down", caught.exception.details())
        self.assertEqual(self.gateway.wait(10), 0)
        self.assertLess(time.monotonic() - started, 4)
        self.assertIsNotNone(silent.exception())


class Reflection(Gateway):
    def ask(self, version, *requests):
        module = {"v1": refl1, "v1alpha": refl1alpha}[version]
        call = self.channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                                          request_serializer=lambda m: m.SerializeToString(),
                                          response_deserializer=module.ServerReflectionResponse.FromString)
        return list(call(iter([module.ServerReflectionRequest(**r) for r in requests]), timeout=10))

    def test_both_versions(self):
        from google.protobuf import descriptor_pb2, descriptor_pool
        for version in ["v1", "v1alpha"]:
            services, symbol, file, nothing, extension, types = self.ask(
                version, {"list_services": ""}, {"file_containing_symbol": "zisk.distributed.api.v1.ZiskDistributedApi.LaunchProof"},
                {"file_by_filename": "zisk_coordinator_api.proto"}, {"file_containing_symbol": "no.such.thing"},
                {"file_containing_extension": {"containing_type": "a.B", "extension_number": 5}},
                {"all_extension_numbers_of_type": "zisk.coordinator.v1.Proof"})
            self.assertEqual(sorted(s.name for s in services.list_services_response.service),
                             ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
                              "zisk.coordinator.v1.ZiskCoordinatorApi", "zisk.distributed.api.v1.ZiskDistributedApi"])
            for answer, name in [(symbol, "zisk.distributed.api.v1.ZiskDistributedApi"), (file, "zisk.coordinator.v1.ZiskCoordinatorApi")]:
                pool = descriptor_pool.DescriptorPool()
                files = [descriptor_pb2.FileDescriptorProto.FromString(b) for b in answer.file_descriptor_response.file_descriptor_proto]
                for f in reversed(files):  # imports after the file that needs them
                    pool.Add(f)
                self.assertIsNotNone(pool.FindServiceByName(name))
            self.assertEqual(nothing.error_response.error_code, 5)
            self.assertEqual(nothing.original_request.file_containing_symbol, "no.such.thing")
            self.assertEqual(extension.error_response.error_code, 5)
            self.assertEqual(types.all_extension_numbers_response.base_type_name, "zisk.coordinator.v1.Proof")

    def test_served_methods_match_the_descriptors(self):
        """Every method that reflection shows is there."""
        for service in list(pb.DESCRIPTOR.services_by_name.values()) + list(co.DESCRIPTOR.services_by_name.values()):
            for method in service.methods:
                self.fails(grpc.StatusCode.INVALID_ARGUMENT, self.raw(f"/{service.full_name}/{method.name}"), b"\x00")


class Health(Gateway):
    def check(self, service=""):
        return self.channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=health.HealthCheckResponse.FromString)(health.HealthCheckRequest(service=service), timeout=10).status

    def watch(self, service=""):
        return self.channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=lambda m: m.SerializeToString(),
                                         response_deserializer=health.HealthCheckResponse.FromString)(health.HealthCheckRequest(service=service), timeout=60)

    def test_check(self):
        self.assertEqual(self.check(), 1)
        self.assertEqual(self.check("zisk.distributed.api.v1.ZiskDistributedApi"), 1)
        self.fails(grpc.StatusCode.NOT_FOUND, lambda timeout: self.check("nobody"))
        self.assertEqual(next(self.watch("nobody")).status, 3)

    def test_restart_of_the_scheduler(self):
        watch = self.watch()
        self.assertEqual(next(watch).status, 1)
        lost = self.coordinator.WatchJob(co.WatchJobRequest(job_id="never"))
        next(lost)
        self.scheduler.terminate()
        self.scheduler.wait(10)
        self.start_scheduler()
        # The new one does not know us; calls that waited for the old one end and the greeting is repeated.
        with self.assertRaises(grpc.RpcError) as caught:
            list(lost)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("scheduler", caught.exception.details())
        self.assertEqual(next(watch).status, 2)
        self.assertEqual(next(watch).status, 1)
        self.assertEqual(self.api.JobStatus(pb.JobStatusRequest(job_id="j"), timeout=10).job.state, "Completed")

    def test_calls_during_a_restart_may_be_tried_again(self):
        self.scheduler.terminate()
        self.scheduler.wait(10)
        self.start_scheduler()
        end = time.monotonic() + 10
        while True:
            try:
                self.api.JobStatus(pb.JobStatusRequest(job_id="j"), timeout=10)
                break
            except grpc.RpcError as e:
                self.assertEqual(e.code(), grpc.StatusCode.UNAVAILABLE, e.details())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)


class NoScheduler(Gateway):
    scheduler_runs = False

    def test_unavailable_until_it_comes(self):
        text = self.fails(grpc.StatusCode.UNAVAILABLE, self.api.SystemStatus, pb.SystemStatusRequest())
        self.assertIn("scheduler", text)
        self.fails(grpc.StatusCode.UNAVAILABLE, lambda timeout: next(self.api.WorkerStream(iter([]), timeout=timeout)))
        self.assertEqual(Health.check(self), 2)
        self.start_scheduler()
        self.assertEqual(self.ready.readline(), "READY\n")
        self.assertEqual(self.api.SystemStatus(pb.SystemStatusRequest(), timeout=10).status.total_workers, 3)
        self.assertEqual(Health.check(self), 1)


class Remote(Gateway):
    listen = "0.0.0.0:0"

    def test_only_workers_and_probes_from_other_hosts(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))  # sends nothing; names the address this host has in the world
                address = s.getsockname()[0]
            except OSError:
                self.skipTest("no address besides loopback")
        if address.startswith("127."):
            self.skipTest("no address besides loopback")
        self.api = pb_grpc.ZiskDistributedApiStub(self.connect(f"{address}:{self.port}"))
        self.coordinator = co_grpc.ZiskCoordinatorApiStub(self.channels[-1])
        self.api.HealthCheck(pb.HealthCheckRequest(), timeout=10)
        Worker.register(self)
        for call, request in [(self.api.LaunchProof, pb.LaunchProofRequest()), (self.api.SystemStatus, pb.SystemStatusRequest()),
                              (self.api.StatusInfo, pb.StatusInfoRequest()), (self.api.JobsList, pb.JobsListRequest()),
                              (self.api.JobStatus, pb.JobStatusRequest()), (self.api.WorkersList, pb.WorkersListRequest()),
                              (self.coordinator.CancelJob, co.CancelJobRequest()), (self.coordinator.WaitJobResult, co.WaitJobResultRequest()),
                              (self.coordinator.RegisterGuestProgram, co.RegisterGuestProgramRequest(zisk_elf=b"x")),
                              (self.coordinator.JobRequest, co.JobRequestMessage()), (self.coordinator.PushJobInput, iter([])),
                              (self.coordinator.PushJobHintsInput, iter([]))]:
            self.assertEqual(self.fails(grpc.StatusCode.PERMISSION_DENIED, call, request), "Admin endpoints are restricted to localhost access only")

    Stream = Worker.Stream


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ["gateway", "scheduler", "proto"]:
        parser.add_argument("--" + name, required=True)
    args, rest = parser.parse_known_args()
    generate(args.proto)
    import grpc
    import zisk_coordinator_api_pb2 as co
    import zisk_coordinator_api_pb2_grpc as co_grpc
    import zisk_distributed_api_pb2 as pb
    import zisk_distributed_api_pb2_grpc as pb_grpc
    from wellknown.health.v1 import health_pb2 as health
    from wellknown.reflection.v1 import reflection_pb2 as refl1
    from wellknown.reflection.v1alpha import reflection_pb2 as refl1alpha
    unittest.main(argv=[sys.argv[0]] + rest)
