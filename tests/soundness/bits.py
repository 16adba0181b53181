#!/usr/bin/env python3
"""Recomputes the proven security of both kinds of shard from the formulas of the published papers and the parameters the verifier has compiled in.

Usage: bits.py ENGINE DOCS   (ENGINE: venus-engine; DOCS: docs/soundness.md, whose table has to say the same)

Sources, with n = |D| points, rate r, gap eta to the Johnson radius 1 - sqrt(r) - eta, m = max(ceil(sqrt(r) / (2 eta)), 3):
  gaps(2025)  Ben-Sasson, Carmon, Haboeck, Kopparty, Saraf, "On proximity gaps for Reed-Solomon codes", ePrint 2025/2055, theorem 4.2
  gaps(2020)  Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, "Proximity gaps for Reed-Solomon codes", ePrint 2020/654, theorem 5.1
  DEEP-ALI    Haboeck, "A summary on the FRI low degree test", ePrint 2022/1216, theorem 8
  LogUp       Haboeck, "Multivariate lookups based on logarithmic derivatives", ePrint 2022/1530, lemma 5
"""
import math
import re
import subprocess
import sys
import tomllib

WANTED = 128
P = 2**31 - 2**24 + 1
DEGREE = 6
FIELD = P**DEGREE
TWO_ADICITY = 24
MAX_STACK = 2**12            # slots of the shortest table class, 2^8 rows in N = 2^20
MAX_SHARDS = 65535
BOUNDARY_INTERACTIONS = 2    # global, of a row, seven elements each
WIDTH = 7


def bits(error):
    return math.floor(-math.log2(error))


def multiplicity(rate, eta):
    return max(math.ceil(math.sqrt(rate) / (2 * eta)), 3)


def gap_2025(rate, n, eta):
    m = multiplicity(rate, eta) + 0.5
    radius = 1 - math.sqrt(rate) - eta
    return ((2 * m**5 + 3 * m * radius * rate) * n / (3 * rate**1.5) + m / math.sqrt(rate)) / FIELD


def gap_2020(rate, n, eta):
    m = multiplicity(rate, eta) + 0.5
    return m**7 * n**2 / (3 * rate**1.5) / FIELD


def terms(circuit, eta, gap):
    """Error of each round. Combining k functions by powers of a challenge costs k - 1 times the error of a line."""
    rate, rows = circuit["rho"], circuit["trace_length"]
    n = rows / rate
    candidates = 1 / (2 * eta * math.sqrt(rate))  # list size at this gap
    out = {"batching": (circuit["batch_size"] - 1) * gap(rate, n, eta)}
    domain = n
    for i, fold in enumerate(circuit["fri_folding_factors"]):
        domain /= fold
        out[f"fold {i + 1}"] = (fold - 1) * gap(rate, domain, eta)
    out["queries"] = (math.sqrt(rate) + eta) ** circuit["num_queries"] / 2 ** circuit["grinding_query_phase"]
    out["constraints"] = candidates * circuit["num_constraints"] / FIELD
    out["DEEP"] = candidates * (circuit["air_max_degree"] * (rows + MAX_STACK - 1) + rows - 1) / (FIELD - rows - n)
    for bus in circuit["lookups"]:
        out["buses"] = bus["num_lookups_M"] * (bus["rows_L"] + bus["rows_T"]) * bus["num_columns_S"] / FIELD
    out["z_i binds"] = candidates**2 * rows / FIELD
    out["global buses"] = MAX_SHARDS * rows * (BOUNDARY_INTERACTIONS + 1) * WIDTH / FIELD
    return out


def total(circuit, eta, gap):
    return min(bits(e) for e in terms(circuit, eta, gap).values())


def check_field():
    assert all(P % q for q in range(2, 46342)), "p is prime"
    order = next(k for k in range(1, 9) if pow(P, k, 9) == 1)
    assert order == DEGREE, "x^6 + x^3 + 1, the ninth cyclotomic polynomial, is irreducible"
    assert (P - 1) % 2**TWO_ADICITY == 0 and (P - 1) % 2 ** (TWO_ADICITY + 1) != 0


def check_shape(circuit):
    """What the formulas assume about domains, folding and sampling."""
    rows, n = circuit["trace_length"], circuit["trace_length"] / circuit["rho"]
    last = rows // math.prod(circuit["fri_folding_factors"])
    assert n <= 2**TWO_ADICITY and circuit["grinding_query_phase"] <= TWO_ADICITY
    assert last >= 1 and circuit["fri_early_stop_degree"] == last / circuit["rho"]
    # a stack is opened at as many points as it has slots (2022/1216, section 4.1.3)
    assert rows + MAX_STACK < (math.sqrt(circuit["rho"]) + circuit["gap_to_radius"]) * n


def check_docs(path, circuits):
    """The table of the documentation: its bounds hold for what is compiled in, its bits follow from them."""
    text = open(path, encoding="utf-8").read()
    rows = {name: (bound, value) for name, bound, value in re.findall(r"^\| ([a-zA-Z]+)([^|\n]*) \| ([0-9, ]+) \|$", text, re.M)}
    functions, constraints = (int(re.search(r"([0-9]+) ", rows[name][0])[1]) for name in ("batching", "constraint"))
    for circuit in circuits:
        assert circuit["batch_size"] == functions and circuit["num_constraints"] <= constraints, "docs/soundness.md: a bound of the table is passed"
    circuit = circuits[0] | {"num_constraints": constraints}
    computed = {name: str(bits(error)) for name, error in terms(circuit, circuit["gap_to_radius"], gap_2025).items()}
    computed["folding"] = ", ".join(v for name, v in computed.items() if name.startswith("fold "))
    computed["constraint"] = computed["constraints"]
    for name in ("batching", "folding", "queries", "constraint", "DEEP", "buses"):
        assert rows[name][1] == computed[name], f"docs/soundness.md says {rows[name][1]} bits for {name}; computed: {computed[name]}"
    older = max(total(circuit, 0.001 * k, gap_2020) for k in range(1, 100))
    assert f"{older} bits" in text, f"docs/soundness.md does not say what the theorem of 2020 gives: {older} bits"


def main():
    engine, docs = sys.argv[1:]
    config = tomllib.loads(subprocess.run([engine, "params", "--soundcalc"], check=True, capture_output=True, text=True).stdout)
    check_field()
    assert config["zkevm"]["hash_size_bits"] // 2 >= WANTED, "collisions of digests"
    assert [c["name"] for c in config["circuits"]] == ["execution", "memory"]
    for circuit in config["circuits"]:
        check_shape(circuit)
        for name, error in terms(circuit, circuit["gap_to_radius"], gap_2025).items():
            print(f"{circuit['name']:10} {name:13} {bits(error)}")
            assert bits(error) >= WANTED, f"{circuit['name']}: {name} has {bits(error)} bits"
        # a query fewer than the margin, or half as much grinding, must show: the test can fail
        weaker = circuit | {"num_queries": circuit["num_queries"] - 8}
        assert max(total(weaker, 0.0005 * k, gap_2025) for k in range(10, 60)) < WANTED, "the parameters have no more than their margin"
    check_docs(docs, config["circuits"])


if __name__ == "__main__":
    main()
