"""Raw RV64IMA instructions for the comparison with qemu.

every_instruction: each instruction over edge operands, one public output each, so that a difference names it.
atomics: each atomic over edge operands. misaligned: each load and store at every offset.
sequence: random straight-line instruction sequences, all registers dumped."""

import random

REG = ["add", "sub", "sll", "slt", "sltu", "xor", "srl", "sra", "or", "and", "addw", "subw", "sllw", "srlw", "sraw",
       "mul", "mulh", "mulhsu", "mulhu", "div", "divu", "rem", "remu", "mulw", "divw", "divuw", "remw", "remuw"]
IMM = ["addi", "slti", "sltiu", "xori", "ori", "andi", "addiw"]
SHIFT = [("slli", 64), ("srli", 64), ("srai", 64), ("slliw", 32), ("srliw", 32), ("sraiw", 32)]
BRANCH = ["beq", "bne", "blt", "bge", "bltu", "bgeu"]
LOAD = [("lb", 1), ("lh", 2), ("lw", 4), ("ld", 8), ("lbu", 1), ("lhu", 2), ("lwu", 4)]
STORE = [("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)]
OTHER = ["lui", "auipc", "jal", "jalr", "fence", "ebreak"]

HEAD = """#include <venus.h>
#include <string.h>
static const uint64_t operands[] = {%s};
#define N (sizeof operands / sizeof operands[0])
static uint64_t buffer[1024];
static uint32_t mix(uint32_t h, uint64_t v)
{
    uint64_t x = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(x ^ x >> 32);
}
"""


def operand_table(r):
    edges = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
             0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xffffffff7fffffff, 0xffffffff80000000,
             0xfffffffffffffffe, 0xffffffffffffffff]
    edges += [r.getrandbits(64) for _ in range(6)]
    return ", ".join(f"{v:#x}ull" for v in edges)


def every_instruction(seed):
    r = random.Random(seed)
    out = [HEAD % operand_table(r)]
    body = []
    index = 0

    def function(name, asm, args):
        lines = "".join(f'"{line}\\n"' for line in asm + ["ret"])
        out.append(f"__attribute__((naked, noinline)) static uint64_t {name}({args})\n{{\n    __asm__({lines});\n}}")

    def emit(calls, two):
        nonlocal index
        loop = "for (size_t i = 0; i < N; i++) for (size_t j = 0; j < N; j++)" if two else "for (size_t i = 0; i < N; i++)"
        body.append("    h = 1;")
        for call in calls:
            body.append(f"    {loop} h = mix(h, {call});")
        body.append(f"    venus_set_output({index}, h);")
        index += 1

    for op in REG:
        variants = {"": f"{op} a0, a0, a1", "same": f"{op} a0, a0, a0", "second": f"{op} a1, a0, a1; mv a0, a1", "third": f"{op} a2, a0, a1; mv a0, a2",
                    "none": f"{op} x0, a0, a1", "zero1": f"{op} a0, x0, a1", "zero2": f"{op} a0, a0, x0"}
        for k, asm in variants.items():
            function(f"{op}_{k}", asm.split("; "), "uint64_t a, uint64_t b")
        emit([f"{op}_{k}(operands[i], operands[j])" for k in variants], True)
    for op in IMM:
        values = [0, 1, -1, 2047, -2048, 1024, -1024] + [r.randint(-2048, 2047) for _ in range(5)]
        for k, v in enumerate(values):
            function(f"{op}_{k}", [f"{op} a0, a0, {v}"], "uint64_t a")
        emit([f"{op}_{k}(operands[i])" for k in range(len(values))], False)
    for op, bits in SHIFT:
        values = [0, 1, 7, 8, 15, 16, bits // 2, bits - 1]
        for k, v in enumerate(values):
            function(f"{op}_{k}", [f"{op} a0, a0, {v}"], "uint64_t a")
        emit([f"{op}_{k}(operands[i])" for k in range(len(values))], False)
    for op in BRANCH:
        function(f"{op}_t", [f"{op} a0, a1, 1f", "li a0, 0", "ret", "1: li a0, 1"], "uint64_t a, uint64_t b")
        function(f"{op}_b", ["j 2f", "1: li a0, 5", "ret", f"2: {op} a0, a1, 1b", "li a0, 6"], "uint64_t a, uint64_t b")
        function(f"{op}_s", [f"{op} a0, a0, 1f", "li a0, 0", "ret", "1: li a0, 1"], "uint64_t a, uint64_t b")
        emit([f"{op}_{k}(operands[i], operands[j])" for k in "tbs"], True)
    for op, size in LOAD:
        offsets = [0, size, -size, 2048 - size, -2048] + [size * r.randint(-2048 // size, 2047 // size) for _ in range(4)]
        for k, v in enumerate(offsets):
            function(f"{op}_{k}", [f"{op} a0, {v}(a0)"], "const void *p")
        function(f"{op}_x", [f"{op} x0, 0(a0)"], "const void *p")
        emit([f"{op}_{k}((uint8_t *)(buffer + 512) + {size} * i)" for k in range(len(offsets))] + [f"(0 * {op}_x(buffer))"], False)
    for op, size in STORE:
        offsets = [0, size, 2048 - size, -2048] + [size * r.randint(-2048 // size, 2047 // size) for _ in range(4)]
        for k, v in enumerate(offsets):
            function(f"{op}_{k}", [f"{op} a1, {v}(a0)"], "void *p, uint64_t v")
        emit([f"({op}_{k}((uint8_t *)(buffer + 512) + {size} * i, operands[i]), buffer[(512 * 8 + {v} + {size} * (int)i) / 8])" for k, v in enumerate(offsets)], False)
    for name, asm in {
        "lui": ["lui a0, 0", "lui a1, 0xfffff", "add a0, a0, a1", "lui a1, 0x80000", "xor a0, a0, a1", "lui a1, 0x7ffff", "sub a0, a0, a1", "lui x0, 5"],
        "auipc": ["auipc a0, 0x12345", "auipc a1, 0x12345", "sub a0, a1, a0", "auipc a1, 0xfffff", "auipc a2, 1", "sub a1, a2, a1", "add a0, a0, a1", "auipc x0, 7"],
        "jal": ["jal a1, 1f", "1: auipc a2, 0", "sub a0, a2, a1", "jal x0, 2f", "li a0, 99", "2: nop"],
        "jalr": ["mv a3, ra", "la a1, 1f", "jalr a1, 4(a1)", "1: li a0, 77", "la a2, 1b", "sub a0, a1, a2", "la a1, 3f", "jalr x0, -3(a1)", "li a0, 5", "3: addi a0, a0, 1",
                 "mv ra, a3"],
        "fence": ["li a0, 11", "fence", "fence r, w", ".word 0x0000100f"],
    }.items():
        function(f"{name}_f", asm, "void")
        emit([f"{name}_f()"], False)
    out.append("int main(void)\n{\n    uint32_t h;\n    for (size_t i = 0; i < 1024; i++)\n        buffer[i] = (i + 1) * 0x9e3779b97f4a7c15ull ^ i << 60;")
    out += body
    out.append("    return 0;\n}")
    assert index <= 64
    return "\n".join(out) + "\n"


REGS = [f"x{k}" for k in range(5, 32)]


def sequence(seed):
    r = random.Random(seed)
    out = [HEAD % operand_table(r)]
    n_functions = 6
    for k in range(n_functions):
        asm = ["addi sp, sp, -512"]
        asm += [f"sd {x}, {8 * i}(sp)" for i, x in enumerate(["x1", "x3", "x4"] + REGS)]
        asm += ["sd a1, 248(sp)", "mv x31, a0"]
        asm += [f"ld {x}, {8 * i}(x31)" for i, x in enumerate(REGS)]
        for _ in range(150):
            rd, a, b = r.choice(REGS + ["x0"]), r.choice(REGS + ["x0"]), r.choice(REGS + ["x0"])
            kind = r.random()
            if kind < 0.55:
                asm.append(f"{r.choice(REG)} {rd}, {a}, {b}")
            elif kind < 0.70:
                asm.append(f"{r.choice(IMM)} {rd}, {a}, {r.randint(-2048, 2047)}")
            elif kind < 0.80:
                op, bits = r.choice(SHIFT)
                asm.append(f"{op} {rd}, {a}, {r.randrange(bits)}")
            elif kind < 0.86:
                op, size = r.choice(LOAD)
                asm.append(f"{op} {rd}, {256 + size * r.randrange(256 // size)}(sp)")
            elif kind < 0.92:
                op, size = r.choice(STORE)
                asm.append(f"{op} {a}, {256 + size * r.randrange(256 // size)}(sp)")
            elif kind < 0.96:
                asm.append(f"lui {rd}, {r.randrange(1 << 20)}")
            else:
                asm += [f"{r.choice(BRANCH)} {a}, {b}, .+8", f"addi {rd}, {a}, 1"]
        asm += ["sd x31, 240(sp)", "ld x31, 248(sp)"]
        asm += [f"sd {x}, {8 * i}(x31)" for i, x in enumerate(REGS[:-1])]
        asm += ["ld x30, 240(sp)", f"sd x30, {8 * (len(REGS) - 1)}(x31)"]
        asm += [f"ld {x}, {8 * i}(sp)" for i, x in enumerate(["x1", "x3", "x4"] + REGS)]
        asm += ["addi sp, sp, 512", "ret"]
        text = "".join(f'"{line}\\n"' for line in asm)
        out.append(f"__attribute__((naked, noinline)) static void s{k}(const uint64_t *in, uint64_t *out)\n{{\n    __asm__({text});\n}}")
    out.append("static void (*const all[])(const uint64_t *, uint64_t *) = {" + ", ".join(f"s{k}" for k in range(n_functions)) + "};")
    out.append(f"""int main(void)
{{
    uint64_t in[{len(REGS)}], res[{len(REGS)}] = {{0}};
    uint32_t h[64] = {{0}};
    for (uint32_t round = 0; round < 40; round++) {{
        for (size_t k = 0; k < {len(REGS)}; k++)
            in[k] = round % 2 ? operands[(k * 7 + round * 3) % N] : operands[(k + round) % N] ^ res[k];
        all[round % {n_functions}](in, res);
        for (size_t k = 0; k < {len(REGS)}; k++) {{
            h[k] = mix(h[k], res[k]);
            h[32 + k] = (uint32_t)res[k];
        }}
    }}
    (void)buffer;
    for (unsigned k = 0; k < 64; k++)
        venus_set_output(k, h[k]);
    return 0;
}}""")
    return "\n".join(out) + "\n"


AMO = ["amoswap", "amoadd", "amoxor", "amoand", "amoor", "amomin", "amomax", "amominu", "amomaxu"]


def atomics(seed):
    """Every atomic, with result register equal to its operands too; the memory word after it counts as well."""
    out, body = [HEAD % operand_table(random.Random(seed))], []
    for index, (op, size) in enumerate((op, size) for op in AMO + ["lrsc"] for size in "wd"):
        if op == "lrsc":
            variants = [f"lr.{size} a2, (a0); sc.{size} a3, a1, (a0); add a0, a2, a3"]
        else:
            variants = [f"{op}.{size} a0, a1, (a0)", f"{op}.{size}.aqrl a1, a1, (a0); mv a0, a1", f"{op}.{size} x0, a1, (a0); li a0, 1"]
        body.append("    h = 1;")
        for k, asm in enumerate(variants):
            name = f"{op}_{size}_{k}"
            lines = "".join(f'"{line.strip()}\\n"' for line in asm.split(";") + ["ret"])
            out.append(f"__attribute__((naked, noinline)) static uint64_t {name}(uint64_t *p, uint64_t v)\n{{\n    __asm__({lines});\n}}")
            body.append("    for (size_t i = 0; i < N; i++) for (size_t j = 0; j < N; j++) {")
            body.append(f"        buffer[1] = operands[i]; h = mix(h, {name}(buffer + 1, operands[j])); h = mix(h, buffer[1]);")
            body.append("    }")
        body.append(f"    venus_set_output({index}, h);")
    return "\n".join(out) + "\nint main(void)\n{\n    uint32_t h;\n" + "\n".join(body) + "\n    return 0;\n}\n"


def misaligned(seed):
    out, body = [HEAD % operand_table(random.Random(seed))], []
    for index, (op, _) in enumerate(LOAD):
        out.append(f'__attribute__((naked, noinline)) static uint64_t {op}_(void *p)\n{{\n    __asm__("{op} a0, 3(a0)\\nret\\n");\n}}')
        body.append("    h = 1;\n    for (size_t i = 0; i < sizeof operands - 16; i++) h = mix(h, %s_((char *)operands + i));\n    venus_set_output(%d, h);" % (op, index))
    for index, (op, _) in enumerate(STORE, len(LOAD)):
        out.append(f'__attribute__((naked, noinline)) static void {op}_(void *p, uint64_t v)\n{{\n    __asm__("{op} a1, -5(a0)\\nret\\n");\n}}')
        body.append("    h = 1;\n    for (size_t i = 0; i < 200; i++) { %s_((char *)buffer + 8 + i, operands[i %% N]); h = mix(h, buffer[i / 8]); h = mix(h, buffer[i / 8 + 1]); }\n"
                    "    venus_set_output(%d, h);" % (op, index))
    return "\n".join(out) + "\nint main(void)\n{\n    uint32_t h;\n" + "\n".join(body) + "\n    return 0;\n}\n"
