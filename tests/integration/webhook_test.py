#!/usr/bin/env python3
"""Notifications against a real HTTP server: what arrives, what is reported, and that the documentation's examples read it."""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

ARGS = None
JOB = "0b5f4c1e-8a8f-4d5e-9c1d-2f3a4b5c6d7e"
SECRET = "correct horse \u00e4 battery"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        part = self.path.split("/")[1].split("?")[0]
        if part == "slow":
            server.release.wait(20)
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.requests.append((self.path, dict(self.headers), body, time.monotonic()))
            count = sum(1 for r in server.requests if r[0] == self.path)
        if part == "garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        if part == "hangup":
            self.close_connection = True
            return
        if part == "flaky":
            part = "503" if count < 3 else "200"
        code = int(part) if part.isdigit() else 200
        self.send_response(code)
        if 300 <= code < 400:
            self.send_header("Location", "http://127.0.0.1:%d/200/elsewhere" % server.server_address[1])
        answer = b"thanks" * (400000 if part == "chatty" else 1)
        if code in (204, 304):
            answer = b""
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.lock = threading.Lock()
        self.release = threading.Event()

    def handle_error(self, request, client_address):
        pass


def post(*args):
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run([ARGS.post, *args], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    lines = [line.split(" ", 6) for line in done.stdout.splitlines()]
    return [r for r in lines if r[0] != "posting"], done


def event(url, *options, job=JOB, what=("--proof", "-")):
    return post("--url", url, *options, "--job", job, "--duration", "45000", "--ended", "1759501800123456789", *what)


class Webhook(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.base = "http://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def tearDown(self):
        self.server.release.set()
        self.server.shutdown()
        self.server.server_close()

    def file(self, content):
        f = tempfile.NamedTemporaryFile(delete=False)
        self.addCleanup(os.unlink, f.name)
        f.write(content)
        f.close()
        return f.name

    def only_request(self):
        self.assertEqual(len(self.server.requests), 1)
        return self.server.requests[0]

    def test_success(self):
        proof = bytes(range(256)) + b"\xff" * 8 + b"abc"
        results, _ = event(self.base + "200/{$job_id}?x={$job_id}", what=("--proof", self.file(proof)))
        path, headers, body, _ = self.only_request()
        self.assertEqual(path, f"/200/{JOB}?x={JOB}")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertTrue(headers["User-Agent"].startswith("venus-scheduler/"))
        for absent in ("Idempotency-Key", "Venus-Signature", "Expect", "Transfer-Encoding"):
            self.assertNotIn(absent, headers)
        padded = proof + bytes(-len(proof) % 8)
        words = [len(proof)] + [int.from_bytes(padded[i:i + 8], "little") for i in range(0, len(padded), 8)]
        want = {"job_id": JOB, "success": True, "duration_ms": 45000, "proof": words, "timestamp": "2025-10-03T14:30:00Z", "error": None}
        self.assertEqual(body.decode(), json.dumps(want, separators=(",", ":")))
        self.assertEqual(results[0][:5], [JOB, "delivered", "final", "1", "200"])

    def test_failure(self):
        message = 'Worker node-003 failed: "out of\tmemory" \\ \u00e4\u20ac\U0001f600 \x01\x1f\x7f \u2028\n</script>'
        event(self.base + "204", what=("--error", "WORKER_FAILURE", message))
        path, _, body, _ = self.only_request()
        self.assertEqual(path, f"/204/{JOB}")
        want = {"job_id": JOB, "success": False, "duration_ms": 45000, "proof": None, "timestamp": "2025-10-03T14:30:00Z",
                "error": {"code": "WORKER_FAILURE", "message": message}}
        self.assertEqual(body.decode(), json.dumps(want, separators=(",", ":"), ensure_ascii=False))

    def test_random_messages_read_back(self):
        rng = __import__("random").Random(7)
        messages = ["".join(chr(rng.choice([rng.randrange(1, 128), rng.randrange(128, 0xd800), rng.randrange(0xe000, 0x110000)]))
                            for _ in range(rng.randrange(100))) for _ in range(40)]
        events = [a for i, m in enumerate(messages) for a in ("--job", str(i), "--error", "X", m)]
        results, _ = post("--url", self.base + "200/{$job_id}", *events)
        self.assertEqual(len(results), len(messages))
        for path, _, body, _ in self.server.requests:
            self.assertEqual(json.loads(body)["error"]["message"], messages[int(path.split("/")[2])])

    def test_big_proof(self):
        proof = os.urandom(10_000_000)
        results, done = event(self.base + "200", what=("--proof", self.file(proof)))
        self.assertEqual(results[0][1], "delivered")
        values = json.loads(self.only_request()[2])["proof"]
        self.assertEqual(values[0], len(proof))
        self.assertEqual(b"".join(v.to_bytes(8, "little") for v in values[1:])[:len(proof)], proof)
        self.assertLess(int(re.search(r"at most (\d+) ms", done.stdout)[1]), 1000)

    def test_refusals_are_reported_and_not_repeated(self):
        for code in (301, 302, 307, 308, 400, 404, 500, 503):
            results, done = event(self.base + str(code))
            self.assertEqual(results, [[JOB, "rejected", "final", "1", str(code), results[0][5], results[0][6]]])
            self.assertIn(f"status {code}", results[0][6])
            self.assertIn("webhook.failed", done.stderr)
        self.assertEqual(len(self.server.requests), 8, "a redirect was followed, or an attempt repeated")

    def test_nobody_there(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))  # bound, but does not listen
        results, _ = event("http://127.0.0.1:%d/x" % s.getsockname()[1])
        s.close()
        self.assertEqual(results[0][1:5], ["unreachable", "final", "1", "0"])
        results, _ = event("http://name-that-is-not.invalid/x", "--timeout", "1000")
        self.assertIn(results[0][1], ("unreachable", "timeout"))  # as the host's resolver likes
        self.assertLess(int(results[0][5]), 3000)

    def test_no_http_and_no_tls(self):
        for part in ("garbage", "hangup"):
            results, _ = event(self.base + part)
            self.assertEqual(results[0][1:3], ["unreachable", "final"], part)
        results, _ = event(self.base.replace("http:", "https:") + "200")
        self.assertEqual(results[0][1:3], ["unreachable", "final"])

    def test_a_certificate_nobody_vouches_for_is_refused(self):
        key, certificate = self.file(b""), self.file(b"")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        results, _ = event(self.base.replace("http:", "https:") + "200")
        self.assertEqual(results[0][1:5], ["unreachable", "final", "1", "0"])
        self.assertRegex(results[0][6], "(?i)certificate")
        self.assertEqual(self.server.requests, [])

    def test_credentials_travel_as_basic_authentication_and_stay_out_of_the_log(self):
        results, done = event(self.base.replace("//", "//user:pass%20word@") + "500")
        self.assertEqual(self.only_request()[1]["Authorization"], "Basic " + base64.b64encode(b"user:pass word").decode())
        self.assertNotIn("pass", done.stderr + results[0][6])

    def test_slow(self):
        results, _ = event(self.base + "slow", "--timeout", "300")
        self.assertEqual(results[0][1:5], ["timeout", "final", "1", "0"])
        self.assertTrue(300 <= int(results[0][5]) < 5000)

    def test_long_answer_does_no_harm(self):
        results, _ = event(self.base + "chatty")
        self.assertEqual(results[0][1:5], ["delivered", "final", "1", "200"])

    def test_a_slow_one_does_not_hold_up_the_others(self):
        events = []
        for job in ("slow", "a", "b", "c"):
            events += ["--job", job, "--proof", "-"]
        results, _ = post("--url", self.base + "{$job_id}", "--timeout", "1000", *events)
        self.assertEqual({r[0]: r[1] for r in results}, {"slow": "timeout", "a": "delivered", "b": "delivered", "c": "delivered"})
        self.assertEqual(results[-1][0], "slow")

    def test_retries(self):
        results, _ = event(self.base + "flaky", "--retries", "4", "--backoff", "50", "--secret", "s")
        self.assertEqual([r[1:5] for r in results],
                         [["rejected", "retry", "1", "503"], ["rejected", "retry", "2", "503"], ["delivered", "final", "3", "200"]])
        self.assertEqual(len(self.server.requests), 3)
        for _, headers, body, _ in self.server.requests:
            self.assertEqual(headers["Idempotency-Key"], f'"{JOB}"')
            self.assertEqual((body, headers["Venus-Signature"]), (self.server.requests[0][2], self.server.requests[0][1]["Venus-Signature"]))
        at = [r[3] for r in self.server.requests]
        self.assertGreaterEqual(at[1] - at[0], 0.049)
        self.assertGreaterEqual(at[2] - at[1], 0.099)

    def test_retries_end(self):
        results, _ = event(self.base + "500", "--retries", "2", "--backoff", "10")
        self.assertEqual([r[2] for r in results], ["retry", "retry", "final"])
        self.assertEqual(len(self.server.requests), 3)
        for code, attempts in ((404, 1), (302, 1), (408, 2), (429, 2)):
            results, _ = event(self.base + str(code), "--retries", "1", "--backoff", "10")
            self.assertEqual(len(results), attempts, code)

    def test_shutdown_gives_up_what_is_under_way(self):
        start = time.monotonic()
        results, done = event(self.base + "slow", "--grace", "200")
        self.assertEqual(results[0][1:4], ["given_up", "final", "1"])
        self.assertLess(time.monotonic() - start, 5)
        self.assertIn("webhook.given_up", done.stderr)

    def test_shutdown_delivers_what_it_can(self):
        start = time.monotonic()
        results, _ = event(self.base + "flaky", "--retries", "5", "--backoff", "50", "--grace", "20000")
        self.assertEqual(results[-1][1:4], ["delivered", "final", "3"])
        self.assertLess(time.monotonic() - start, 10, "the rest of the grace time was waited for")

    def signed(self):
        proof = bytes(range(200, 256)) * 3 + b"end"
        event(self.base + "200", "--secret", SECRET, what=("--proof", self.file(proof)))
        _, headers, body, _ = self.only_request()
        return proof, headers["Venus-Signature"], body

    def test_signature(self):
        _, signature, body = self.signed()
        self.assertEqual(signature, "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest())

    def example(self, language):
        with open(ARGS.docs) as f:
            return re.search(r"```%s\n(.*?)```" % language, f.read(), re.S)[1]

    def test_python_example(self):
        proof, signature, body = self.signed()
        names = {}
        exec(self.example("python"), names)
        notification = names["read_notification"](SECRET.encode(), body, signature)
        self.assertEqual(names["proof_bytes"](notification["proof"]), proof)
        with self.assertRaises(PermissionError):
            names["read_notification"](SECRET.encode(), body.replace(b"45000", b"45001"), signature)

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node_example(self):
        proof, signature, body = self.signed()
        script = self.example("js") + """
const [body, secret, signature] = [require("fs").readFileSync(process.argv[2]), process.argv[3], process.argv[4]];
console.log(proofBytes(readNotification(secret, body, signature).proof).toString("hex"));
try { readNotification(secret + "x", body, signature); } catch (e) { console.log(e.message); }
"""
        done = subprocess.run(["node", self.file(script.encode()), self.file(body), SECRET, signature], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, proof.hex() + "\nnot from our coordinator\n", done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--post", required=True)
    parser.add_argument("--docs", required=True)
    ARGS, rest = parser.parse_known_args()
    unittest.main(argv=["webhook_test", *rest], verbosity=2)
