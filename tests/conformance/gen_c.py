"""Random C programs for the comparison with qemu: everything they compute is folded into 64 public outputs.

The program is compiled once and the object linked twice, so even what C leaves undefined (division by zero, overflow) compares the machines; OPAQUE keeps the
compiler from drawing conclusions from it."""

import random

TYPES = ["int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t"]
WIDE = ["__int128", "unsigned __int128"]
BINARY = ["+", "-", "*", "&", "|", "^", "/", "%", "<<", ">>", "<", "<=", ">", ">=", "==", "!="]
EDGES = ["0", "1", "-1", "2", "7", "255", "256", "0x7f", "0x80", "0x7fff", "0x8000", "0x7fffffff", "0x80000000", "0xffffffff", "0x100000000",
         "0x7fffffffffffffff", "0x8000000000000000", "0xffffffffffffffff", "0x123456789abcdef0", "1000000007"]
ARRAY = 32


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines = []
        self.depth = 0
        self.loops = 0
        self.functions = 0

    def put(self, text):
        self.lines.append("    " * self.depth + text)

    def constant(self, kind):
        text = self.r.choice(EDGES) if self.r.random() < 0.5 else hex(self.r.getrandbits(self.r.choice([4, 8, 16, 31, 32, 63, 64])))
        return f"(({kind})({text}ull))" if not text.startswith("-") else f"(({kind}){text})"

    def leaf(self, names):
        x = self.r.random()
        if x < 0.45:
            return self.r.choice(names)
        if x < 0.60:
            return f"g_{self.r.choice(TYPES)}[OPAQUE(unsigned, {self.r.choice(names)}) % {ARRAY}]"
        if x < 0.68:
            return f"records[OPAQUE(unsigned, {self.r.choice(names)}) % 8].{self.r.choice('abcd')}"
        return self.constant(self.r.choice(TYPES))

    def expression(self, names, levels):
        if levels == 0 or self.r.random() < 0.15:
            return self.leaf(names)
        kind = self.r.choice(TYPES if self.r.random() < 0.93 else WIDE)
        x = self.r.random()
        if x < 0.1:
            return f"(({kind}){self.r.choice('-~!')}{self.operand(names, levels - 1)})"
        if x < 0.17:
            return f"({self.operand(names, levels - 1)} ? ({kind}){self.operand(names, levels - 1)} : ({kind}){self.operand(names, levels - 1)})"
        if x < 0.22:
            return f"rotate({self.operand(names, levels - 1)}, {self.operand(names, levels - 1)})"
        op = self.r.choice(BINARY)
        a, b = self.operand(names, levels - 1), self.operand(names, levels - 1)
        if op in ("<<", ">>"):
            bits = 128 if kind in WIDE else 64 if "64" in kind else 32
            return f"(({kind}){a} {op} ((unsigned){b} & {bits - 1}))"
        if op in "/%":  # or the compiler puts a trap where it sees a division by zero
            return f"(({kind}){a} {op} OPAQUE({kind}, {b}))"
        return f"(({kind}){a} {op} ({kind}){b})"

    def operand(self, names, levels):
        return "(" + self.expression(names, levels) + ")"

    def statement(self, names, assignable, budget):
        x = self.r.random()
        if x < 0.40 or budget == 0:
            self.put(f"{self.r.choice(assignable)} {self.r.choice(['=', '+=', '^=', '-=', '*='])} {self.expression(names, 3)};")
        elif x < 0.52:
            self.put(f"g_{self.r.choice(TYPES)}[OPAQUE(unsigned, {self.r.choice(names)}) % {ARRAY}] {self.r.choice(['=', '+=', '^='])} {self.expression(names, 2)};")
        elif x < 0.60:
            self.put(f"records[OPAQUE(unsigned, {self.r.choice(names)}) % 8].{self.r.choice('abcd')} = {self.expression(names, 2)};")
        elif x < 0.72:
            self.put(f"if ({self.expression(names, 2)}) {{")
            self.block(names, assignable, budget - 1, 2)
            self.put("} else {")
            self.block(names, assignable, budget - 1, 2)
            self.put("}")
        elif x < 0.82:
            i = f"i{self.loops}"
            self.loops += 1
            self.put(f"for (unsigned {i} = 0; {i} < {self.r.randint(1, 9)}; {i}++) {{")
            self.block(names + [i], assignable, budget - 1, 3)
            self.put("}")
        elif x < 0.90:
            self.put(f"switch (OPAQUE(unsigned, {self.r.choice(names)}) % 9) {{")
            for k in range(8):
                self.put(f"case {k}:")
                self.block(names, assignable, 0, 1)
                if self.r.random() < 0.8:
                    self.put("    break;")
            self.put("default: break;")
            self.put("}")
        elif self.functions and x < 0.96:
            a, b = self.expression(names, 1), self.expression(names, 1)
            callee = f"functions[OPAQUE(unsigned, {self.r.choice(names)}) % {self.functions}]" if self.r.random() < 0.5 else f"f{self.r.randrange(self.functions)}"
            self.put(f"if (fuel > 0) {self.r.choice(assignable)} ^= {callee}({a}, {b});")
        else:
            name = self.r.choice(assignable)
            self.put(f"{name} = (int64_t)to_bits((double)(int32_t){name} {self.r.choice('+-*/')} (double)({self.leaf(names)}));")

    def block(self, names, assignable, budget, n):
        self.depth += 1
        for _ in range(self.r.randint(1, n)):
            self.statement(names, assignable, budget)
        self.depth -= 1

    def function(self, index):
        self.put(f"static __attribute__((noinline)) uint64_t f{index}(uint64_t p0, int64_t p1)")
        self.put("{")
        self.depth = 1
        names = ["p0", "p1"]
        self.put("fuel--;")
        for k in range(self.r.randint(3, 6)):
            self.put(f"{self.r.choice(TYPES)} v{k} = {self.expression(names, 2)};")
            names.append(f"v{k}")
        for _ in range(self.r.randint(4, 9)):
            self.statement(list(names), names, 2)
        self.put(f"return {self.expression(names, 2)};")
        self.depth = 0
        self.put("}")
        self.put("")
        self.functions = index + 1

    def program(self):
        self.put("#include <stdlib.h>")
        self.put("#include <string.h>")
        self.put("#include <venus.h>")
        self.put('#define OPAQUE(kind, value) ({ kind opaque = (kind)(value); __asm__ volatile("" : "+r"(opaque)); opaque; })')
        for t in TYPES:
            self.put(f"static {t} g_{t}[{ARRAY}] = {{{', '.join(self.constant(t) for _ in range(8))}}};")
        self.put("static struct record { int8_t a; uint16_t b; int32_t c; uint64_t d; } records[8];")
        self.put("static int fuel = 20;")
        self.put("static uint64_t rotate(uint64_t x, uint64_t n) { return x << (n & 63) | x >> (-n & 63); }")
        self.put("static uint64_t to_bits(double d) { uint64_t v; if (d != d) return 0; memcpy(&v, &d, sizeof v); return v; }")
        count = self.r.randint(4, 7)
        self.put(f"static uint64_t (*const functions[{count}])(uint64_t, int64_t);")
        self.put("")
        for index in range(count):
            self.function(index)
        self.put(f"static uint64_t (*const functions[{count}])(uint64_t, int64_t) = {{{', '.join(f'f{k}' for k in range(count))}}};")
        self.put("static uint64_t fold(uint64_t h, const void *p, size_t n)")
        self.put("{ const uint8_t *b = p; for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3ull; return h; }")
        self.put("int main(void)")
        self.put("{")
        self.put("    size_t len;")
        self.put("    const uint8_t *input = venus_read_input(&len);")
        self.put("    uint64_t *heap = malloc(len);")
        self.put("    if (!input || len < 256 || !heap) return 1;")
        self.put("    memcpy(heap, input, len);")
        self.put("    for (unsigned i = 0; i < 24; i++) {")
        self.put("        fuel = 20;")
        self.put(f"        uint64_t x = functions[i % {count}](heap[i], (int64_t)heap[i + 1]);")
        self.put("        heap[i + 2] ^= x;")
        self.put("        venus_set_output(2 * i, (uint32_t)x);")
        self.put("        venus_set_output(2 * i + 1, (uint32_t)(x >> 32));")
        self.put("    }")
        for k, t in enumerate(TYPES):
            self.put(f"    venus_set_output({48 + k}, (uint32_t)fold(14695981039346656037ull, g_{t}, sizeof g_{t}));")
        self.put("    for (unsigned i = 0; i < 8; i++)")
        self.put("        venus_set_output(56 + i, (uint32_t)(records[i].a ^ records[i].b ^ records[i].c ^ records[i].d ^ records[i].d >> 32));")
        self.put("    return 0;")
        self.put("}")
        return "\n".join(self.lines) + "\n"


def generate(seed):
    return Generator(seed).program()
