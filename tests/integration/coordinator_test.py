"""zisk-coordinator from outside: the client's commands against a scheduler made for the test (gateway_scheduler.c says what each id makes
it do), and the supervisor with the real children."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import gateway_fixture  # noqa: E402

args = None
PROOF = bytes((i * 31 + i // 251) & 255 for i in range(1000))


def run(*command, **k):
    return subprocess.run([args.coordinator, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **k)


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.url = "http://" + gateway_fixture.start(cls, args.scheduler, args.gateway)

    def ok(self, *command, **k):
        p = run(*command, "--coordinator-url", self.url, **k)
        self.assertEqual(p.returncode, 0, p.stderr)
        return p

    def fails(self, code, *command, url=None):
        p = run(*command, "--coordinator-url", url or self.url)
        self.assertEqual(p.returncode, code, p.stderr)
        self.assertTrue(p.stderr.startswith(f"zisk-coordinator {command[0]}: "), p.stderr)
        return p.stderr

    def test_lists(self):
        status = json.loads(self.ok("status", "--json").stdout)
        self.assertEqual((status["total_workers"], status["compute_capacity"], status["version"]), (3, 30, "test"))
        self.assertIn("capacity  30 units", self.ok("status").stdout)
        self.assertEqual(json.loads(self.ok("workers", "--json").stdout), [{"worker_id": "w1", "state": "Idle", "compute_units": 7, "drained": False}])
        self.ok("workers", "--available")
        self.assertIn("no jobs", self.ok("jobs", "--all").stdout)
        self.assertEqual(json.loads(self.ok("jobs", "--json").stdout), [])
        self.assertIn("no active jobs", self.ok("jobs").stdout)

    def test_prove(self):
        out = os.path.join(self.dir, "p.proof")
        p = self.ok("prove", "--inputs-uri", "in/put.v2.bin", "-c", "4", "-o", out)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), PROOF)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(os.stat(out).st_mode & 0o777, 0o666 & ~mask)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("p.proof")], ["p.proof"])
        self.assertIn("job             put.v2/in/put.v2.bin/0\n", p.stdout)  # the label is the file's name without its last extension
        self.assertIn("public outputs  abcd" + "00" * 254, p.stdout)
        self.assertIn("steps           12345\n", p.stdout)
        self.assertIn("(1000 bytes)", p.stdout)
        self.assertIn("2/2 shards  2 workers", p.stderr)
        self.assertNotIn("\033", p.stderr)
        p = self.ok("prove", "--inputs-uri", "f", "-c", "4", "--json", "--data-id", "d")
        self.assertEqual(p.stderr, "")
        result = json.loads(p.stdout)
        self.assertEqual((result["job_id"], result["steps"], result["proof_bytes"]), ("d/f/0", 12345, 1000))

    def test_prove_inline(self):
        path = os.path.join(self.dir, "inline.bin")
        with open(path, "wb") as f:
            f.write(b"x" * 5000000)
        self.assertEqual(self.ok("prove", "--inputs-uri", path, "-x", "-c", "1", "--detach", "--data-id", "d").stdout, f"d/{path}/5000000\n")
        self.assertIn("No such file", self.fails(12, "prove", "--inputs-uri", path + "x", "-x", "-c", "1"))
        self.assertIn("regular file", self.fails(11, "prove", "--inputs-uri", self.dir, "-x", "-c", "1"))
        with open(path, "wb") as f:
            f.truncate(127 * 1024 * 1024 + 1)
        self.assertIn("at most", self.fails(15, "prove", "--inputs-uri", path, "-x", "-c", "1"))

    def test_default_label(self):
        self.assertEqual(self.ok("prove", "--inputs-uri", "/a/b.c/name", "-c", "1", "--detach").stdout, "name//a/b.c/name/0\n")
        self.assertEqual(self.ok("prove", "--inputs-uri", ".hidden", "-c", "1", "--detach").stdout, ".hidden/.hidden/0\n")
        self.assertRegex(self.ok("prove", "-c", "1", "--detach").stdout, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/-/0\n$")

    def test_refused_before_anything_is_sent(self):
        nowhere = "http://127.0.0.1:1"
        self.assertIn("required", self.fails(11, "prove", "--inputs-uri", "f", url=nowhere))
        self.assertIn("must not exceed", self.fails(11, "prove", "-c", "2", "-m", "3", url=nowhere))
        self.assertIn("quic://", self.fails(14, "prove", "-c", "2", "--hints-uri", "quic://h:1", url=nowhere))
        self.assertIn("needs --hints-uri", self.fails(11, "prove", "-c", "2", "--stream-hints", url=nowhere))
        self.assertIn("needs --queue", self.fails(11, "prove", "-c", "2", "--priority", "1", url=nowhere))
        self.assertIn("-x needs", self.fails(11, "prove", "-c", "2", "-x", url=nowhere))
        self.assertIn("not a number", self.fails(11, "prove", "-c", "2", "--simulated-node", "-1", url=nowhere))
        self.assertIn("cannot write", self.fails(12, "prove", "-c", "2", "-o", "/nonexistent/p", url=nowhere))
        self.fails(11, "prove", "-c", "2", "-o", "p", "--detach", url=nowhere)
        self.assertIn("missing", self.fails(11, "watch"))
        for url in ["nonsense", "http://", "http://:5", "http://host", "http://host:5/path", "ftp://h:1"]:
            self.assertIn("looks like http://127.0.0.1:50051", self.fails(11, "status", url=url))
        self.assertIn("https", self.fails(14, "status", url="https://h:1"))

    def test_errors_of_the_coordinator(self):
        self.assertIn("start more workers", self.fails(19, "prove", "-c", "2", "--data-id", "error-9"))
        self.assertIn("told to fail: error-1", self.fails(11, "prove", "-c", "2", "--data-id", "error-1"))
        self.assertIn("no job missing", self.fails(12, "watch", "missing"))
        self.assertIn("start one with 'zisk-coordinator'", self.fails(18, "status", url="http://127.0.0.1:1"))

    def seen(self):
        return json.loads(json.loads(self.ok("status", "--json").stdout)["service_name"])

    def test_modes_that_travel(self):
        """What the flags put into the request, as the scheduler saw it."""
        for flags, hints in [(["--inputs-uri", "i"], 0), (["--inputs-uri", "i", "--hints-uri", "/data/hints.bin"], 1),
                             (["--inputs-uri", "i", "--hints-uri", "unix:///tmp/hints.sock", "--stream-hints"], 2)]:
            self.ok("prove", *flags, "--compute-capacity", "10", "--detach")
            self.assertEqual(self.seen()["hints"], hints)
        self.ok("prove", "-c", "4", "--queue", "--priority", "7", "--detach")
        self.assertEqual(self.seen()["queue"], 8)
        self.ok("prove", "-c", "4", "--simulated-node", "1", "--detach")
        self.assertEqual(self.seen()["queue"], 0)

    def test_register_and_execute(self):
        elf, out = os.path.join(self.dir, "guest.elf"), os.path.join(self.dir, "outputs")
        with open(elf, "wb") as f:
            f.write(b"e" * 500)
        self.assertEqual(self.ok("register", elf).stdout, "elf-500\n")
        self.assertEqual(json.loads(self.ok("register", elf, "--json").stdout), {"hash_id": "elf-500"})
        p = self.ok("execute", "--program", "elf-500", "--inputs-uri", elf, "-o", out)
        self.assertIn("steps           777\n", p.stdout)
        self.assertNotIn("proof", p.stdout)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), b"\xab\xcd" + bytes(254))
        self.assertEqual(json.loads(self.ok("execute", "--program", "h", "--json").stdout)["job_id"], "execute/h")
        self.assertEqual(self.ok("execute", "--program", "h", "--detach").stdout, "execute/h\n")
        self.fails(11, "register")
        self.fails(12, "register", "/nonexistent")
        self.assertIn("--program HASH is required", self.fails(11, "execute"))
        self.fails(14, "execute", "--program", "h", "--hints-uri", "quic://h:1")

    def test_waiting_shows(self):
        p = self.ok("prove", "-c", "4", "--queue", "--data-id", "d")
        self.assertEqual(p.stderr.splitlines()[1].split()[0], "Queued")

    def test_watch_and_cancel(self):
        out = os.path.join(self.dir, "w.proof")
        self.assertEqual(json.loads(self.ok("watch", "j", "--json", "-o", out).stdout)["proof_file"], out)
        self.assertIn("was cancelled", self.ok("cancel", "j").stdout)
        self.assertEqual(json.loads(self.ok("cancel", "j", "--json").stdout), {"job_id": "j", "cancelled": True})
        self.assertIn("already ended", self.ok("cancel", "missing").stdout)

    def interrupt(self, sig, *command):
        p = subprocess.Popen([args.coordinator, *command, "--coordinator-url", self.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.7)
        p.send_signal(sig)
        text = p.communicate(timeout=20)[1]
        self.assertEqual(p.returncode, 21, text)
        return text

    def test_interrupt(self):
        self.assertIn("goes on", self.interrupt(signal.SIGINT, "watch", "never"))
        self.assertIn("goes on", self.interrupt(signal.SIGTERM, "watch", "never"))

    def test_garbage_instead_of_a_coordinator(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            pid = os.fork()
            if pid == 0:
                while True:
                    c, _ = server.accept()
                    c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    c.close()
            try:
                self.fails(18, "status", url=f"http://127.0.0.1:{server.getsockname()[1]}")
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def test_help(self):
        for command in [["prove"], ["watch"], ["cancel"], ["status"], ["jobs"], ["workers"], ["register"], ["execute"], []]:
            p = run(*command, "--help")
            self.assertEqual(p.returncode, 0)
            self.assertIn("Usage", p.stdout)
        self.assertIn("prove ", run("--help").stdout)
        self.assertIn("unknown command", run("frobnicate").stderr)


class Supervisor(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="venus-supervisor-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": self.dir, "RUST_LOG": "info"}
        self.env.pop("ZISK_COORDINATOR_CONFIG_PATH", None)

    def start(self, *flags, config=None):
        command = [args.coordinator, *flags]
        if config is not None:
            path = os.path.join(self.dir, "config.toml")
            with open(path, "w") as f:
                f.write(config)
            command += ["--config", path]
        else:
            command += ["--host", "127.0.0.1", "--port", "0", "--proofs-dir", os.path.join(self.dir, "proofs")]
        p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait, 20)
        self.addCleanup(p.kill)
        line = p.stdout.readline()
        match = re.match(r"listening on (\S+):(\d+)\n", line)
        self.assertTrue(match, line or p.stderr.read())
        return p, f"http://{match[1].replace('0.0.0.0', '127.0.0.1')}:{match[2]}"

    def stat(self, pid):
        """Name, state and parent of a process; None when there is none."""
        try:
            with open(f"/proc/{pid}/stat") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            return None
        state, parent = rest.split()[:2]
        return None if state == "Z" else (name, int(parent))

    def children(self, p):
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            stat = self.stat(pid)
            if stat and stat[1] == p.pid:
                found[stat[0]] = int(pid)
        return found

    def stop(self, p):
        p.terminate()
        text = p.communicate(timeout=30)[1]
        self.assertEqual(p.returncode, 0, text)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("venus-")], [])
        return text

    def test_start_status_stop(self):
        p, url = self.start()
        self.assertEqual(json.loads(run("status", "--json", "--coordinator-url", url).stdout)["total_workers"], 0)
        self.assertEqual(run("prove", "-c", "3", "--inputs-uri", "x", "--coordinator-url", url).returncode, 19)
        children = self.children(p)
        self.assertEqual(sorted(children), ["venus-gateway", "venus-scheduler"])
        self.stop(p)
        for pid in children.values():
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_crashed_children_come_back(self):
        p, url = self.start()
        for name in ["venus-scheduler", "venus-gateway"]:
            before = self.children(p)[name]
            os.kill(before, signal.SIGKILL)
            end = time.monotonic() + 20
            while run("status", "--coordinator-url", url).returncode != 0 or self.children(p).get(name, before) == before:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)
        text = self.stop(p)
        self.assertIn("service.crashed name=venus-scheduler code=137", text)

    def test_children_die_with_a_killed_supervisor(self):
        p, _ = self.start()
        children = self.children(p)
        p.kill()
        p.wait()
        end = time.monotonic() + 10
        while any(self.stat(pid) for pid in children.values()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_configuration_file(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        p, url = self.start(config=f"""[service]
name = "Ours"
environment = "production"
[server]
host = "127.0.0.1"
port = {port}
proofs_dir = "{self.dir}/proofs"
[logging]
level = "info"
format = "json"
file_path = "{self.dir}/log"
[coordinator]
max_workers_per_job = 20
max_total_workers = 5000
phase1_timeout_seconds = 600
""")
        self.assertEqual(url, f"http://127.0.0.1:{port}")
        self.assertEqual(json.loads(run("status", "--json", "--coordinator-url", url).stdout)["service_name"], "Ours")
        second = run("--port", str(port), "--host", "127.0.0.1", env=self.env)
        self.assertEqual(second.returncode, 18)
        self.assertIn("another coordinator", second.stderr)
        self.stop(p)
        with open(f"{self.dir}/log") as f:
            lines = [json.loads(line) for line in f]
        self.assertTrue(lines)

    def test_webhook_metrics_and_notice(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        p, _ = self.start("-c", "--webhook-url", "http://127.0.0.1:9/notify?job_id={$job_id}", "--metrics-host", "127.0.0.2", "--metrics-port", str(port))
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/metrics", timeout=10) as answer:
            self.assertIn(b"# TYPE", answer.read())
        with open(f"/proc/{self.children(p)['venus-scheduler']}/cmdline") as f:
            flags = f.read().split("\0")
        self.assertIn("--webhook-url=http://127.0.0.1:9/notify?job_id={$job_id}", flags)
        self.assertIn("--webhook-timeout=10", flags)
        self.assertIn("no compressed form yet", self.stop(p))

    def test_log_files_reopen(self):
        log = os.path.join(self.dir, "log")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        p, _ = self.start(config=f"""[server]
host = "127.0.0.1"
port = {port}
proofs_dir = "{self.dir}/proofs"
[logging]
format = "json"
file_path = "{log}"
""")
        os.rename(log, log + ".1")
        p.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        reopened = set()
        while reopened != {"coordinator", "scheduler", "gateway"}:
            self.assertLess(time.monotonic(), end, reopened)
            time.sleep(0.05)
            if os.path.exists(log):
                with open(log) as f:
                    reopened = {line["process"] for line in map(json.loads, f) if line["event"] == "log.reopened"}
        self.stop(p)

    def test_wrong_starts(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            p = run("--host", "127.0.0.1", "--port", str(s.getsockname()[1]), "--no-save-proofs", env=self.env)
        self.assertEqual(p.returncode, 17)
        self.assertIn("in use", p.stderr)
        for flags, code, text in [(["--webhook-url", "ftp://h/"], 11, "webhook_url"), (["--port", "70000"], 11, "port"),
                                  (["--nonsense"], 11, "nonsense"), (["--config", "/nonexistent"], 12, "/nonexistent"),
                                  (["--no-save-proofs", "--proofs-dir", "d"], 11, "proofs")]:
            p = run(*flags, env=self.env)
            self.assertEqual(p.returncode, code, p.stderr)
            self.assertIn(text, p.stderr)
        os.mkdir(os.path.join(self.dir, "venus-4"), 0o755)
        os.chmod(os.path.join(self.dir, "venus-4"), 0o755)
        p = run("--port", "4", env=self.env)
        self.assertEqual(p.returncode, 26)


# The examples of the public page, as printed there.
PAGE_DEVELOPMENT = """[service]
name = "Venus Distributed Coordinator"
environment = "development"
[logging]
level = "debug"
format = "pretty"
"""
PAGE_PRODUCTION = """[service]
name = "Venus Distributed Coordinator"
environment = "production"
[server]
host = "0.0.0.0"
port = 50051
proofs_dir = "proofs"
[logging]
level = "info"
format = "json"
file_path = "/var/log/distributed/coordinator.log"
[coordinator]
max_workers_per_job = 20
max_total_workers = 5000
phase1_timeout_seconds = 600
phase2_timeout_seconds = 1200
webhook_url = "http://webhook.example.com/notify?job_id={$job_id}"
"""
# Its table: key, default.
PAGE_DEFAULTS = {"service.name": "Venus Distributed Coordinator", "service.environment": "development", "server.host": "0.0.0.0", "server.port": "50051",
                 "server.proofs_dir": "proofs", "no-save-proofs": "false", "compressed-proofs": "false", "server.shutdown_timeout_seconds": "30",
                 "logging.level": "debug", "logging.format": "pretty", "coordinator.max_workers_per_job": "10", "coordinator.max_total_workers": "1000",
                 "coordinator.phase1_timeout_seconds": "300", "coordinator.phase2_timeout_seconds": "600"}


class Configuration(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="venus-config-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = {k: v for k, v in os.environ.items() if k not in ("RUST_LOG", "ZISK_COORDINATOR_CONFIG_PATH")}

    def file(self, text):
        path = os.path.join(self.dir, "c.toml")
        with open(path, "w") as f:
            f.write(text)
        return path

    def check(self, *flags, text=None, **env):
        if text is not None:
            flags += ("--config", self.file(text))
        return run(*flags, "--check-config", env={**self.env, **env})

    def values(self, *flags, **k):
        p = self.check(*flags, **k)
        self.assertEqual(p.returncode, 0, p.stderr)
        return {key: value.strip('"') for key, value in (line.split(" = ", 1) for line in p.stdout.splitlines())}

    def test_defaults_of_the_page(self):
        values = self.values()
        self.assertEqual({k: values.get(k) for k in PAGE_DEFAULTS}, PAGE_DEFAULTS)
        for key in ["logging.file_path", "coordinator.webhook_url"]:
            self.assertNotIn(key, values)

    def test_examples_of_the_page(self):
        self.assertEqual(self.values(text=PAGE_DEVELOPMENT), self.values())
        values = self.values(text=PAGE_PRODUCTION)
        self.assertEqual(values["service.environment"], "production")
        self.assertEqual(values["logging.file_path"], "/var/log/distributed/coordinator.log")
        self.assertEqual(values["coordinator.phase2_timeout_seconds"], "1200")
        self.assertEqual(values["coordinator.webhook_url"], "http://webhook.example.com/notify?job_id={$job_id}")

    def test_shipped_files(self):
        folder = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "coordinator")
        for name in ["dev.ini", "prod.ini"]:
            self.assertIn(f'environment = "{"development" if name == "dev.ini" else "production"}"', self.check("--config", os.path.join(folder, name)).stdout)
            with open(os.path.join(folder, name)) as f:  # what is commented out is right too, and is the default
                lines = [re.sub(r"^# (?=\w+ = )", "", line) for line in f]
            self.assertEqual(self.check(text="".join(lines)).returncode, 0)

    def test_precedence(self):
        text = '[server]\nport = 7\n[logging]\nlevel = "warn"\n'
        self.assertEqual(self.values(text=text)["server.port"], "7")
        self.assertEqual(self.values("--port", "8", text=text)["server.port"], "8")
        self.assertEqual(self.values(text=text, RUST_LOG="info,job=trace")["logging.level"], "info,job=trace")
        self.assertEqual(self.values(ZISK_COORDINATOR_CONFIG_PATH=self.file(text))["server.port"], "7")
        other = os.path.join(self.dir, "other")
        with open(other, "w") as f:
            f.write("[server]\nport = 9\n")
        self.assertEqual(self.values("--config", other, ZISK_COORDINATOR_CONFIG_PATH=self.file(text))["server.port"], "9")
        self.assertEqual(self.values("--no-save-proofs", text='[server]\nproofs_dir = "p"\n')["no-save-proofs"], "true")
        self.assertEqual(self.values("-p", "5", "-c", "--proofs-dir", "q")["server.proofs_dir"], "q")

    def test_errors_name_file_line_and_key(self):
        for text, words in [("[server]\nport = 70000\n", ["c.toml", "2", "server.port"]), ("[server]\n\nporty = 1\n", ["c.toml", "3", "server.porty"]),
                            ("[nonsense]\nx = 1\n", ["c.toml", "2", "nonsense.x"]), ("[server]\nport = one\n", ["c.toml", "2", "server.port"]),
                            ("[server]\nport = 1\nport = 2\n", ["c.toml", "3", "server.port"]), ("[logging]\nformat = \"xml\"\n", ["2", "logging.format"]),
                            ("[service]\nenvironment = \"moon\"\n", ["2", "service.environment"]), ("[logging]\nlevel = \"loud\"\n", ["logging.level", "loud"])]:
            p = self.check(text=text)
            self.assertIn(p.returncode, [11, 13], text + p.stderr)  # argument, format
            for word in words:
                self.assertIn(word, p.stderr)
        self.assertIn("RUST_LOG", self.check(RUST_LOG="loud").stderr)
        self.assertEqual(self.check(ZISK_COORDINATOR_CONFIG_PATH="/nonexistent").returncode, 12)

    def test_ranges_of_the_table(self):
        rows = [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in run("--dump-config-table").stdout.splitlines()[2:]]
        numbers = [(key, *map(int, m.groups())) for key, _, _, kind, *_ in rows if key and (m := re.fullmatch(r"(\d+) to (\d+)", kind))]
        self.assertGreater(len(numbers), 8)
        for key, low, high in numbers:
            section, name = key.split(".")
            ini = lambda v: f"[{section}]\n{name} = {v}\n"
            self.assertEqual(self.values(text=ini(low))[key], str(low))
            self.assertEqual(self.values(text=ini(high))[key], str(high))
            for wrong in [high + 1, -1, "x", "1.5", 1 << 64, *([low - 1] if low else [])]:
                p = self.check(text=ini(wrong))
                self.assertEqual(p.returncode, 11, (key, wrong))
                self.assertIn(key, p.stderr)

    def test_help_has_every_flag_of_the_page(self):
        text = run("--help").stdout
        for flag in ["--port", "-p", "--proofs-dir", "--no-save-proofs", "--compressed-proofs", "-c", "--webhook-url", "--config", "--help", "--version"]:
            self.assertIn(flag, text)
        text = run("prove", "--help").stdout
        for flag in ["--inputs-uri", "--compute-capacity", "-c", "--coordinator-url", "--data-id", "--hints-uri", "--stream-hints", "--direct-inputs", "-x",
                     "--minimal-compute-capacity", "-m", "--simulated-node"]:
            self.assertIn(flag, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ["coordinator", "gateway", "scheduler"]:
        parser.add_argument("--" + name, required=True)
    args, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0]] + rest)
