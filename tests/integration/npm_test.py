"""Clients of the npm registry, which find everything by reflection: buf curl and grpc-js, against the gateway and the scheduler made for its tests.
They are installed into the build folder once; without npm or a way to the registry the test is skipped (exit code 77)."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import gateway_fixture  # noqa: E402

args = None
PACKAGES = ["@bufbuild/buf@1.75.0", "@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1"]
SCRIPT = r"""
const grpc = require('@grpc/grpc-js'), loader = require('@grpc/proto-loader');
const [address, reflection] = process.argv.slice(2);
const fail = e => { console.error(e); process.exit(1); };
// The descriptors come from the server: list, then the file of each service with its imports.
const R = grpc.loadPackageDefinition(loader.loadSync('reflection.proto', {includeDirs: [reflection], oneofs: true})).grpc.reflection.v1.ServerReflection;
const credentials = grpc.credentials.createInsecure();
function ask(requests) {
  return new Promise((resolve, reject) => {
    const call = new R(address, credentials).ServerReflectionInfo(), answers = [];
    call.on('data', d => answers.push(d)); call.on('end', () => resolve(answers)); call.on('error', reject);
    requests.forEach(r => call.write(r)); call.end();
  });
}
(async () => {
  const [list] = await ask([{listServices: ''}]);
  const names = list.listServicesResponse.service.map(s => s.name).filter(n => n.startsWith('zisk.'));
  const files = await ask(names.map(n => ({fileContainingSymbol: n})));
  const unique = new Map();
  for (const f of files) for (const b of f.fileDescriptorResponse.fileDescriptorProto) unique.set(b.toString('base64'), b);
  // A FileDescriptorSet is its files, each as field 1.
  const parts = [];
  for (const b of unique.values()) {
    const head = [0x0a]; let n = b.length;
    while (n > 127) { head.push(n & 127 | 128); n >>= 7; }
    head.push(n); parts.push(Buffer.from(head), b);
  }
  const api = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(Buffer.concat(parts), {oneofs: true, defaults: true})).zisk;
  // Descriptors keep the names of the .proto files.
  const old = new api.distributed.api.v1.ZiskDistributedApi(address, credentials), newer = new api.coordinator.v1.ZiskCoordinatorApi(address, credentials);
  const unary = (c, m, q) => new Promise((res, rej) => c[m](q, {deadline: Date.now() + 10000}, (e, a) => e ? rej(e) : res(a)));
  const out = {};
  out.status = (await unary(old, 'SystemStatus', {})).status;
  out.launch = (await unary(old, 'LaunchProof', {data_id: 'd', compute_capacity: 10, inputs_mode: 1, inputs_uri: 'u'})).job_id;
  out.missing = await unary(old, 'JobStatus', {job_id: 'missing'}).then(() => 0, e => e.code);
  out.hash = (await unary(newer, 'RegisterGuestProgram', {zisk_elf: Buffer.alloc(1000)})).hash_id;
  out.events = await new Promise((res, rej) => {
    const events = [], call = newer.WatchJob({job_id: 'j'});
    call.on('data', e => events.push(e.event)); call.on('end', () => res(events)); call.on('error', rej);
  });
  await new Promise((res, rej) => {
    const call = newer.PushJobInput((e, a) => e ? rej(e) : res(a));
    for (let i = 0; i < 20; i++) call.write({job_id: 'j', chunk: {data: Buffer.alloc(100000, i)}});
    call.end();
  });
  out.pushed = JSON.parse((await unary(old, 'StatusInfo', {})).service_name).bytes;
  const stream = old.WorkerStream();
  out.worker = await new Promise((res, rej) => {
    stream.on('data', m => { res(m.register_response.worker_id); stream.end(); }); stream.on('error', rej);
    stream.write({register: {worker_id: 'js', compute_capacity: {compute_units: 3}}});
  });
  console.log(JSON.stringify(out));
  process.exit(0);
})().catch(fail);
"""


def skip(why):
    print(f"SKIPPED: {why}", file=sys.stderr)
    sys.exit(77)


def install():
    os.makedirs(args.folder, exist_ok=True)
    stamp = os.path.join(args.folder, "installed")
    wanted = "\n".join(PACKAGES)
    if os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == wanted:
                return
    if not shutil.which("npm"):
        skip("npm is not installed")
    with open(os.path.join(args.folder, "package.json"), "w") as f:
        f.write('{"private": true}\n')
    try:
        p = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES], cwd=args.folder, env={**os.environ, "HOME": args.folder},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        skip("npm did not finish installing in three minutes")
    if p.returncode != 0:
        skip(f"npm cannot install {', '.join(PACKAGES)}: {p.stdout[-500:]}")
    with open(stamp, "w") as f:
        f.write(wanted)


class Npm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.address = gateway_fixture.start(cls, args.scheduler, args.gateway)

    def buf(self, method, data=None, code=0):
        command = [os.path.join(args.folder, "node_modules", ".bin", "buf"), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        if data is not None:
            command += ["-d", json.dumps(data)]
        p = subprocess.run([*command, f"http://{self.address}/{method}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                           env={**os.environ, "HOME": args.folder, "XDG_CACHE_HOME": args.folder})
        self.assertEqual(p.returncode != 0, code != 0, p.stderr)
        return p.stderr if code else p.stdout

    def test_buf_curl_as_the_page_calls_grpcurl(self):
        api = "zisk.distributed.api.v1.ZiskDistributedApi/"
        self.assertEqual(json.loads(self.buf(api + "HealthCheck") or "{}"), {})
        self.assertEqual(json.loads(self.buf(api + "SystemStatus"))["status"]["computeCapacity"], 30)
        self.assertEqual(json.loads(self.buf(api + "JobsList", {"active_only": True})), {"jobsList": {}})
        self.assertEqual(json.loads(self.buf(api + "WorkersList", {"available_only": True}))["workersList"]["workers"][0]["workerId"], "w1")
        self.assertIn("not_found", self.buf(api + "JobStatus", {"job_id": "missing"}, code=5))
        newer = "zisk.coordinator.v1.ZiskCoordinatorApi/"
        events = [json.loads(line) for line in self.buf(newer + "WatchJob", {"job_id": "j"}).replace("}\n{", "}\x00{").split("\x00")]
        self.assertIn("completed", events[-1])
        self.assertEqual(json.loads(self.buf(newer + "RegisterGuestProgram", {"zisk_elf": "AAAA"}))["hashId"], "elf-3")

    def test_grpc_js(self):
        script = os.path.join(args.folder, "client.js")
        with open(script, "w") as f:
            f.write(SCRIPT)
        p = subprocess.run(["node", script, self.address, "/usr/share/grpc-proto/grpc/reflection/v1"], cwd=args.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60)
        self.assertEqual(p.returncode, 0, p.stderr)
        out = json.loads(p.stdout)
        self.assertEqual(out["status"]["compute_capacity"], 30)
        self.assertEqual((out["launch"], out["missing"], out["hash"], out["worker"], out["pushed"]), ("d/u/0", 5, "elf-1000", "js", 2000000))
        self.assertEqual((out["events"][0], out["events"][-1]), ("queued", "completed"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ["gateway", "scheduler", "folder"]:
        parser.add_argument("--" + name, required=True)
    args, rest = parser.parse_known_args()
    install()
    unittest.main(argv=[sys.argv[0]] + rest)
