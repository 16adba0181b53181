"""Two stand-ins for the coordinator's side of a worker connection, with one interface: the bus (libzmq through ctypes, so that the
header is written by something other than the library under test) and gRPC's WorkerStream."""
import ctypes
import ctypes.util
import queue
import struct
import threading
import time

import grpc

import bus_pb2
import zisk_distributed_api_pb2 as api
import zisk_distributed_api_pb2_grpc as api_grpc

CLOSED = object()
MAX_MESSAGE = 128 << 20


class Coordinator:
    """receive(timeout) gives (stream, WorkerMessage or CLOSED) or raises queue.Empty."""

    def expect(self, kind, timeout=10, skip=("heartbeat_ack", "task_progress")):
        """Next message of that kind; others but those in skip are an error."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError("no %s within %s s" % (kind, timeout))
            try:
                stream, message = self.receive(left)
            except queue.Empty:
                continue
            got = "closed" if message is CLOSED else message.WhichOneof("payload")
            if got == kind:
                return stream, (None if message is CLOSED else getattr(message, kind))
            assert got in skip, "%s instead of %s: %s" % (got, kind, message)

    def accept(self, timeout=10, kind="register"):
        stream, hello = self.expect(kind, timeout, skip=("heartbeat_ack", "task_progress", "closed"))
        self.send(stream, api.CoordinatorMessage(register_response=api.WorkerRegisterResponse(worker_id=hello.worker_id, accepted=True, message="welcome")))
        self.stream = stream
        return hello

    def say(self, **payload):
        self.send(self.stream, api.CoordinatorMessage(**payload))


class Bus(Coordinator):
    name = "bus"
    ROUTER, POLLIN, LINGER, LAST_ENDPOINT, RCVMORE = 6, 1, 17, 32, 13
    ERROR, HELLO, WELCOME, WORKER, COORDINATOR, STREAM_CLOSED = 1, 2, 3, 64, 65, 66

    def __init__(self, folder):
        self.zmq = ctypes.CDLL("libzmq.so.5")
        for f in ("zmq_ctx_new", "zmq_socket"):
            getattr(self.zmq, f).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.zmq.zmq_ctx_new())
        self.url = "ipc://%s/bus.sock" % folder
        self.socket = None
        self.buffer = ctypes.create_string_buffer(MAX_MESSAGE)
        self.start()

    def start(self):
        self.socket = ctypes.c_void_p(self.zmq.zmq_socket(self.context, self.ROUTER))
        zero = ctypes.c_int(0)
        self.zmq.zmq_setsockopt(self.socket, self.LINGER, ctypes.byref(zero), 4)
        assert self.zmq.zmq_bind(self.socket, self.url.encode()) == 0

    def stop(self):
        if self.socket:
            self.zmq.zmq_close(self.socket)
        self.socket = None

    def end(self):
        self.stop()
        self.zmq.zmq_ctx_term(self.context)

    def frames(self, timeout):
        class Item(ctypes.Structure):
            _fields_ = [("socket", ctypes.c_void_p), ("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]
        item = Item(self.socket, 0, self.POLLIN, 0)
        if self.zmq.zmq_poll(ctypes.byref(item), 1, ctypes.c_long(int(timeout * 1000) + 1)) <= 0:
            raise queue.Empty
        frames = []
        while True:
            n = self.zmq.zmq_recv(self.socket, self.buffer, len(self.buffer), 0)
            assert 0 <= n <= len(self.buffer)
            frames.append(ctypes.string_at(self.buffer, n))
            more, size = ctypes.c_int(), ctypes.c_size_t(4)
            self.zmq.zmq_getsockopt(self.socket, self.RCVMORE, ctypes.byref(more), ctypes.byref(size))
            if not more.value:
                return frames

    def send_kind(self, peer, kind, body, correlation=1):
        parts = [peer, struct.pack("<2sHHHQ", b"VB", 1, kind, 0, correlation), body]
        for i, part in enumerate(parts):
            assert self.zmq.zmq_send(self.socket, part, len(part), 2 if i + 1 < len(parts) else 0) == len(part)

    def receive(self, timeout):
        peer, header, *rest = self.frames(timeout)
        magic, version, kind, reserved, correlation = struct.unpack("<2sHHHQ", header)
        assert (magic, version, reserved, correlation) == (b"VB", 1, 0, 1), header
        body = rest[0] if rest else b""
        if kind == self.HELLO:
            assert bus_pb2.Hello.FromString(body).role == bus_pb2.Hello.ROLE_AGENT
            self.send_kind(peer, self.WELCOME, bus_pb2.Welcome(version="test").SerializeToString())
            raise queue.Empty
        if kind == self.STREAM_CLOSED:
            return peer, CLOSED
        assert kind == self.WORKER, kind
        return peer, api.WorkerMessage.FromString(body)

    def send(self, stream, message):
        self.send_kind(stream, self.COORDINATOR, message.SerializeToString())

    def send_garbage(self):
        self.send_kind(self.stream, self.COORDINATOR, b"\xff\xff\xff")

    def close_stream(self):
        self.send_kind(self.stream, self.STREAM_CLOSED, b"")


class Raw(bytes):
    """Bytes that go out as they are."""

    def SerializeToString(self):
        return bytes(self)


class Grpc(Coordinator, api_grpc.ZiskDistributedApiServicer):
    name = "grpc"

    def __init__(self, _folder):
        self.port = 0
        self.inbox = queue.Queue()
        self.start()

    def start(self):
        from concurrent import futures
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[
            ("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)])
        rpc = grpc.stream_stream_rpc_method_handler(self.WorkerStream, request_deserializer=api.WorkerMessage.FromString,
                                                    response_serializer=lambda m: m.SerializeToString())
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("zisk.distributed.api.v1.ZiskDistributedApi", {"WorkerStream": rpc}),))
        for _ in range(50):
            port = self.server.add_insecure_port("127.0.0.1:%d" % self.port)
            if port:
                break
            time.sleep(0.1)
        assert port
        self.port = port
        self.url = "http://127.0.0.1:%d" % port
        self.server.start()

    def stop(self):
        if self.server:
            self.server.stop(0).wait()
        self.server = None

    end = stop

    def WorkerStream(self, requests, context):
        out = queue.Queue()

        def read():
            try:
                for message in requests:
                    self.inbox.put((out, message))
            except grpc.RpcError:
                pass
            except Exception:
                pass
            out.put(None)
            self.inbox.put((out, CLOSED))
        context.send_initial_metadata(())
        threading.Thread(target=read, daemon=True).start()
        while True:
            message = out.get()
            if message is None:
                return
            yield message

    def receive(self, timeout):
        return self.inbox.get(timeout=timeout)

    def send(self, stream, message):
        stream.put(message)

    def send_garbage(self):
        self.stream.put(Raw(b"\xff\xff\xff"))

    def close_stream(self):
        self.stream.put(None)
