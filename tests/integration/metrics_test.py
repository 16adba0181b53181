#!/usr/bin/env python3
"""The metrics of both processes as Prometheus' own parser reads them, held against docs/metrics.md; and many scrapes at a time."""

import argparse
import concurrent.futures
import http.client
import re
import subprocess
import unittest

from prometheus_client.parser import text_string_to_metric_families

ARGS = None


def documented(section):
    """name -> (type, [(label, [values])], [bounds]) in the table's order."""
    with open(ARGS.docs) as f:
        text = f.read().split(f"## {section}\n")[1].split("\n## ")[0]
    metrics = {}
    for name, kind, labels, meaning in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, re.M):
        pairs = [(n, v.split(", ")) for n, v in re.findall(r"`(\w+)`: ([^;]*)", labels)]
        bounds = re.search(r"Buckets: (.*)\.$", meaning)
        metrics[name] = (kind, pairs, [float(b) for b in bounds[1].split(", ")] if bounds else [])
    return metrics


def get(host, port, path):
    c = http.client.HTTPConnection(host, port, timeout=20)
    c.request("GET", path)
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.status, r.headers["Content-Type"], body


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([ARGS.serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.ports = [int(p) for p in cls.server.stdout.readline().split()]

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        cls.server.stdout.close()
        assert cls.server.wait(20) == 0

    def check(self, host, port, section):
        status, content_type, text = get(host, port, "/metrics")
        self.assertEqual((status, content_type), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertNotIn("\r", text)
        families = {f.name + ("_total" if f.type == "counter" else ""): f for f in text_string_to_metric_families(text)}
        want = documented(section)
        self.assertEqual(list(families), list(want))
        for m, (name, (kind, labels, bounds)) in enumerate(want.items()):
            family = families[name]
            self.assertEqual(family.type, kind)
            self.assertTrue(family.documentation)
            samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in family.samples}
            self.assertEqual(len(samples), len(family.samples), name)
            first, second = (labels + [(None, [None])] * 2)[:2]
            n = 0
            for a, x in enumerate(first[1]):
                for b, y in enumerate(second[1]):
                    at = {k: v for k, v in ((first[0], x), (second[0], y)) if k}
                    number = m + 10 * a + 100 * b
                    expected = {(name, tuple(sorted(at.items()))): number}
                    if kind == "histogram":
                        keys = [("%s_bucket" % name, tuple(sorted({**at, "le": le}.items()))) for le in self.le(family)]
                        expected = {k: number * (i + 1) for i, k in enumerate(keys)}
                        expected[(name + "_count", tuple(sorted(at.items())))] = number * (len(bounds) + 1)
                        key = (name + "_sum", tuple(sorted(at.items())))
                        self.assertAlmostEqual(samples[key], number * (sum(bounds) + 2 * bounds[-1]), delta=1e-9 * (1 + samples[key]))
                        expected[key] = samples[key]
                        self.assertEqual([float(le) for le in self.le(family)], bounds + [float("inf")])
                    for key, value in expected.items():
                        self.assertEqual(samples[key], value, key)
                    n += len(expected)
            self.assertEqual(n, len(samples), name)

    @staticmethod
    def le(family):
        return list(dict.fromkeys(s.labels["le"] for s in family.samples if "le" in s.labels))

    def test_scheduler(self):
        self.check("localhost", self.ports[0], "Scheduler")

    def test_agent(self):
        self.check("127.0.0.1", self.ports[1], "Worker")

    def test_many_at_a_time(self):
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: get("127.0.0.1", self.ports[1], "/metrics"), range(400)))
        self.assertEqual(len(set(answers)), 1)
        self.assertEqual(answers[0][0], 200)
        self.assertEqual(get("127.0.0.1", self.ports[1], "/health")[::2], (200, "OK"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", required=True)
    parser.add_argument("--docs", required=True)
    ARGS, rest = parser.parse_known_args()
    unittest.main(argv=["metrics_test", *rest], verbosity=2)
