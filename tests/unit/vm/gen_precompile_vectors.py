#!/usr/bin/env python3
"""Writes precompile_vectors.h: inputs and expected results of precompiles and fcalls, computed here with Python's integers and hashlib.
With --check it only compares the file that is there."""

import argparse
import pathlib
import random
import sys

OUT = pathlib.Path(__file__).resolve().parent / "precompile_vectors.h"
R = random.Random(20240416)

K1_P = 2**256 - 2**32 - 977
K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
R1_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
R1_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BN_P = 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47
BLS_P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB

K1_G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798, 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
R1_G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296, 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
BLS_G = (0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB,
         0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1)
BN_G2 = ((0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED, 0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2),
         (0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA, 0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B))
BLS_G2 = ((0x024AA2B2F08F0A91260805272DC51051C6E47AD4FA403B02B4510B647AE3D1770BAC0326A805BBEFD48056C8C121BDB8,
           0x13E02B6052719F607DACD3A088274F65596BD0D09920B61AB5DA61BBDC7F5049334CF11213945D57E5AC7D055D042B7E),
          (0x0CE5D527727D6E118CC9CDC6DA2E351AADFD9BAA8CBDD3A76D429A695160D12C923AC9CC3BACA289E193548608B82801,
           0x0606C4A02EA734CC32ACD2B02BC28B99CB3E287E85A763AF267492AB572E99AB3F370D275CEC1DA1AAA9075FF05F79BE))


def words(v, n):
    assert 0 <= v < 2 ** (64 * n)
    return [v >> (64 * i) & (2**64 - 1) for i in range(n)]


# ---- Curves and extensions ----


def add(p, a, P, Q):
    if P is None or Q is None:
        return P or Q
    (x1, y1), (x2, y2) = P, Q
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    s = (3 * x1 * x1 + a) * pow(2 * y1, -1, p) if P == Q else (y2 - y1) * pow(x2 - x1, -1, p)
    x = (s * s - x1 - x2) % p
    return x, (s * (x1 - x) - y1) % p


def mul(p, a, k, P):
    r = None
    while k:
        if k & 1:
            r = add(p, a, r, P)
        P = add(p, a, P, P)
        k >>= 1
    return r


def point(P, n):
    return words(P[0], n) + words(P[1], n)


def mul2(p, a, b):
    return (a[0] * b[0] - a[1] * b[1]) % p, (a[0] * b[1] + a[1] * b[0]) % p


def inv2(p, a):
    d = pow(a[0] * a[0] + a[1] * a[1], -1, p)
    return a[0] * d % p, -a[1] * d % p


def sub2(p, a, b):
    return (a[0] - b[0]) % p, (a[1] - b[1]) % p


def add2(p, a, b):
    return (a[0] + b[0]) % p, (a[1] + b[1]) % p


def pow2(p, a, e):
    r = (1, 0)
    for bit in bin(e)[2:]:
        r = mul2(p, r, r)
        if bit == "1":
            r = mul2(p, r, a)
    return r


def sqrt2(p, a):
    """Algorithm 9 of eprint 2012/685; None without a root."""
    a1 = pow2(p, a, (p - 3) // 4)
    x0 = mul2(p, a1, a)
    alpha = mul2(p, a1, x0)
    if mul2(p, (alpha[0], -alpha[1] % p), alpha) == (p - 1, 0):
        return None
    b = (0, 1) if alpha == (p - 1, 0) else pow2(p, add2(p, alpha, (1, 0)), (p - 1) // 2)
    r = mul2(p, b, x0)
    assert mul2(p, r, r) == a
    return r


def line(p, P, Q=None):
    x, y = P
    if Q:
        s = mul2(p, sub2(p, Q[1], y), inv2(p, sub2(p, Q[0], x)))
    else:
        xx = mul2(p, x, x)
        s = mul2(p, (3 * xx[0] % p, 3 * xx[1] % p), inv2(p, add2(p, y, y)))
    return s, sub2(p, y, mul2(p, s, x))


def twist_double(p, P):
    s, _ = line(p, P)
    x = sub2(p, mul2(p, s, s), add2(p, P[0], P[0]))
    return x, sub2(p, mul2(p, s, sub2(p, P[0], x)), P[1])


def fq2(v, n):
    return words(v[0], n) + words(v[1], n)


# ---- Precompiles: (csr, abi, form, words of an operand, operands, expected) ----

PRE, CALLS = [], []


def curve(name, p, a, n, G, csr_add, csr_dbl):
    for k in (1, 2, 3, R.randrange(1, 2**250)):
        P, Q = mul(p, a, k, G), mul(p, a, k + R.randrange(1, 2**200), G)
        PRE.append((csr_add, "B", "PAIR", 2 * n, point(P, n) + point(Q, n), point(add(p, a, P, Q), n)))
        PRE.append((csr_dbl, "B", "DIRECT", 2 * n, point(P, n), point(add(p, a, P, P), n)))


def precompiles():
    edge = [0, 1, 2**64 - 1, 2**64, 2**256 - 1]
    for k in range(12):
        a, b, c = ([R.choice(edge) for _ in range(3)] if k < 6 else [R.getrandbits(256) for _ in range(3)]) if k else [2**256 - 1] * 3
        v = a * b + c
        PRE.append((0x801, "A", "ARITH", 4, words(a, 4) + words(b, 4) + words(c, 4), words(v, 8)))
        for m in (1, 2, R1_P, K1_N, R.getrandbits(R.choice([3, 64, 65, 200, 256])) | 1, 2**256 - 1):
            PRE.append((0x802, "B", "MOD", 4, words(a, 4) + words(b, 4) + words(c, 4) + words(m, 4), words(v % m, 4)))
        carry = k & 1
        PRE.append((0x811, "B", "ADD", 4, words(a, 4) + words(b, 4) + [carry], words((a + b + carry) % 2**256, 4) + [(a + b + carry) >> 256]))
    for k in range(8):
        a, b, c = (R.getrandbits(384) for _ in range(3)) if k else [2**384 - 1] * 3
        for m in (BLS_P, 1, R.getrandbits(384) | 1, R.getrandbits(130) | 1):
            PRE.append((0x80B, "C", "MOD", 6, words(a, 6) + words(b, 6) + words(c, 6) + words(m, 6), words((a * b + c) % m, 6)))
    curve("secp256k1", K1_P, 0, 4, K1_G, 0x803, 0x804)
    curve("bn254", BN_P, 0, 4, (1, 2), 0x806, 0x807)
    curve("bls12-381", BLS_P, 0, 6, BLS_G, 0x80C, 0x80D)
    curve("secp256r1", R1_P, -3, 4, R1_G, 0x817, 0x818)
    for p, n, base in ((BN_P, 4, 0x808), (BLS_P, 6, 0x80E)):
        for k in range(6):
            a, b = ((R.randrange(p), R.randrange(p)) for _ in range(2)) if k > 1 else [((p - 1) * k, p - 1), (p - 1, (p - 1) * k)]
            for which, v in enumerate((add2(p, a, b), sub2(p, a, b), mul2(p, a, b))):
                PRE.append((base + which, "C", "PAIR", 2 * n, fq2(a, n) + fq2(b, n), fq2(v, n)))


# ---- fcalls: (function, parameters, results, parameters in A or None if the same) ----

IDS = {  # function: id in A, B, C; 0 = not there
    "K1_FP_INV": (1, 1, 1), "K1_FN_INV": (2, 2, 2), "K1_FP_SQRT": (3, 3, 3), "MSB_256": (4, 4, 17), "K1_VERIFY": (0, 20, 4), "R1_VERIFY": (0, 21, 5),
    "BN_FP_INV": (6, 6, 6), "BN_FP2_INV": (7, 7, 7), "BN_ADD_LINE": (8, 8, 8), "BN_DBL_LINE": (9, 9, 9), "BLS_FP_INV": (10, 10, 10),
    "BLS_FP_SQRT": (11, 11, 11), "BLS_FP2_INV": (12, 12, 12), "BLS_FP2_SQRT": (0, 19, 13), "BLS_ADD_LINE": (13, 13, 14), "BLS_DBL_LINE": (14, 14, 15),
    "MSB_384": (15, 15, 18), "U256_DIV": (16, 16, 19), "U256_INV": (0, 0, 20), "U256_INV_MOD": (0, 0, 21), "BIG_DIV": (17, 17, 22), "BINARY": (18, 18, 16),
}


def call(function, params, results, only="ABC"):
    for abi, number in zip("ABC", IDS[function]):
        if number and abi in only:
            CALLS.append((number, abi, params, results))


def counted(v, zero_groups=1):
    limbs = -(-v.bit_length() // 256) * 4 if v else 4 * zero_groups
    return [limbs] + words(v, limbs)


def verify(function, p, a, n, G):
    for k in range(7):
        d, z, r, s = (R.randrange(1, n) for _ in range(4))
        if k == 2:
            z = -r * d % n  # the sum is the point at infinity
        elif k > 2:  # the key is the generator, its opposite, its double; equal scalars
            d = (1, n - 1, 2, 1)[k - 3]
            s, z, r = ((1, 5, 3), (1, 9, 2), (1, 2, 1), (1, 7, 7))[k - 3]
        P = mul(p, a, d, G)
        i = pow(s, -1, n)
        S = add(p, a, mul(p, a, z * i % n, G), mul(p, a, r * i % n, P))
        assert (S is None) == (k == 2)
        call(function, point(P, 4) + words(z, 4) + words(r, 4) + words(s, 4), point(S, 4) if S else [0] * 8)


def fcalls():
    for k in range(4):
        for function, p, n, pushed in (("K1_FP_INV", K1_P, 4, 4), ("K1_FN_INV", K1_N, 4, 4), ("BN_FP_INV", BN_P, 4, 4), ("BLS_FP_INV", BLS_P, 6, 8)):
            a = (1, p - 1, 2)[k] if k < 3 else R.randrange(1, p)
            call(function, words(a, pushed), words(pow(a, -1, p), n))
        for function, p, n in (("BN_FP2_INV", BN_P, 4), ("BLS_FP2_INV", BLS_P, 6)):
            a = ((0, 1), (p - 1, 0))[k] if k < 2 else (R.randrange(p), R.randrange(1, p))
            call(function, fq2(a, n), fq2(inv2(p, a), n))
        for x in (R.randrange(K1_P), R.randrange(K1_P) ** 2 % K1_P):
            square = pow(x, (K1_P - 1) // 2, K1_P) == 1
            root = pow(x if square else 3 * x, (K1_P + 1) // 4, K1_P)
            for parity in (0, 1):
                r = K1_P - root if square and root % 2 != parity else root
                call("K1_FP_SQRT", words(x, 4) + [parity], [int(square)] + words(r, 4))
            x = R.randrange(BLS_P)
            square = pow(x, (BLS_P - 1) // 2, BLS_P) == 1
            call("BLS_FP_SQRT", words(x, 8), [int(square)] + words(pow(x if square else 2 * x, (BLS_P + 1) // 4, BLS_P), 6))
    for a in [(0, 0), (4, 0), (BLS_P - 4, 0), (0, 2)] + [(R.randrange(BLS_P), R.randrange(BLS_P)) for _ in range(6)]:
        root = sqrt2(BLS_P, a)
        call("BLS_FP2_SQRT", fq2(a, 6) + [0] * 4, [int(root is not None)] + fq2(root or sqrt2(BLS_P, mul2(BLS_P, a, (1, 1))), 6))
    verify("K1_VERIFY", K1_P, 0, K1_N, K1_G)
    verify("R1_VERIFY", R1_P, -3, R1_N, R1_G)
    for name, p, n, G in (("BN", BN_P, 4, BN_G2), ("BLS", BLS_P, 6, BLS_G2)):
        P, Q = G, twist_double(p, G)
        for _ in range(3):
            call(name + "_ADD_LINE", fq2(P[0], n) + fq2(P[1], n) + fq2(Q[0], n) + fq2(Q[1], n), sum((fq2(v, n) for v in line(p, P, Q)), []))
            call(name + "_DBL_LINE", fq2(Q[0], n) + fq2(Q[1], n), sum((fq2(v, n) for v in line(p, Q)), []))
            Q = twist_double(p, Q)
    for x, y in ((1, 0), (0, 2**255), (2**64, 2**63), (R.getrandbits(130), R.getrandbits(200)), (2**192, 2**192)):
        top = max(x, y).bit_length() - 1
        call("MSB_256", words(x, 4) + words(y, 4), [top // 64, top % 64], "A")
        call("MSB_256", [2] + words(x, 4) + words(y, 4), [top // 64, top % 64], "BC")
        call("MSB_256", [3] + words(x, 4) + words(y, 4) + words(1, 4), [top // 64, top % 64], "BC")
        call("MSB_384", words(x << 128, 6) + [7, 7] + words(y << 100, 6) + [9, 9], [(t := max(x << 128, y << 100).bit_length() - 1) // 64, t % 64])
    for _ in range(4):
        a, b = R.getrandbits(256), R.getrandbits(R.choice([10, 100, 256])) | 1
        call("U256_DIV", words(a, 4) + words(b, 4), words(a // b, 4) + words(a % b, 4))
        odd = a | 1
        call("U256_INV", words(odd, 4), [1] + words(pow(odd, -1, 2**256), 4))
        call("U256_INV", words(odd - 1, 4), [0] * 5)
        call("U256_INV_MOD", words(a % K1_N, 4) + words(K1_N, 4), [1] + words(pow(a, -1, K1_N), 4))
        call("U256_INV_MOD", words(a, 4) + words(1, 4), [1, 0, 0, 0, 0])
        call("U256_INV_MOD", words(6, 4) + words(9, 4), [0] * 5)
        for la, lb in ((8, 4), (3, 2), (4, 8), (40, 17)):
            a, b = R.getrandbits(64 * la), R.getrandbits(64 * lb) | 1
            for abi, zero in (("AB", 0), ("C", 1)):
                call("BIG_DIV", [la] + words(a, la) + [lb] + words(b, lb), counted(a // b, zero) + counted(a % b), abi)
                call("BIG_DIV", [la + lb] + words(a * b, la + lb) + [lb] + words(b, lb), counted(a, zero) + counted(0), abi)
    for v, n in ((0, 2), (1, 1), (2**64, 2), (R.getrandbits(200), 4), (2**640 - 1, 10)):
        bits = [int(c) for c in bin(v)[2:]] if v else []
        call("BINARY", [n] + words(v, n), [len(bits)] + bits, "AB")
        call("BINARY", [n] + words(v, n), [len(bits)] + bits if v else [1, 0], "C")


# ---- Output ----


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    precompiles()
    fcalls()
    data, offsets = [], {}

    def place(values):
        key = tuple(values)
        if key not in offsets:
            offsets[key] = len(data)
            data.extend(values)
        return offsets[key]

    pre = [f"    {{0x{csr:03x}, '{abi}', FORM_{form}, {n}, {place(i)}, {place(o)}, {len(o)}}},\n" for csr, abi, form, n, i, o in PRE]
    calls = [f"    {{{number}, '{abi}', {place(i)}, {len(i)}, {place(o)}, {len(o)}}},\n" for number, abi, i, o in CALLS]
    rows = ["    " + ", ".join(hex(v) for v in data[k : k + 6]) + ",\n" for k in range(0, len(data), 6)]
    text = (
        "/* Written by gen_precompile_vectors.py; do not edit. */\n"
        "static const uint64_t data[] = {\n" + "".join(rows) + "};\n\n"
        "/* csr, abi, form, words of an operand, operands' place in data, result's place, its words */\n"
        "static const struct precompile_vector precompile_vectors[] = {\n" + "".join(pre) + "};\n\n"
        "/* number, abi, parameters' place and count, results' place and count */\n"
        "static const struct fcall_vector fcall_vectors[] = {\n" + "".join(calls) + "};\n"
    )
    if args.check:
        return OUT.read_text() != text
    OUT.write_text(text)
    return 0


sys.exit(main())
