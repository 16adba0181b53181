#ifndef VN_PROGRAM_H
#define VN_PROGRAM_H
/* A guest program as the prover sees it: decoded instructions, page kinds and initial memory.
 * Everything here is fixed by the ELF file and the ABI generation, and is what the verifying key commits to. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

/* Address space: a key is space * 2^29 + word; space 0 = memory (word = address / 8), space 1 = registers (word = number 0..31). */
#define VN_SPACE_MEMORY 0u
#define VN_SPACE_REGISTER 1u
#define VN_KEY(space, word) (((uint32_t)(space) << 29) | (uint32_t)(word))

#define VN_CODE_BASE 0x80000000u
#define VN_CODE_END 0x88000000u
#define VN_JUMP_END 0xc0000000u /* no instruction leads here or further: pc / 2 stays below the field's modulus (docs/soundness.md) */
#define VN_BIOS_EXIT 0x1000u /* ra at entry: two synthetic instructions `addi a7,x0,93; ecall` live here */
#define VN_RAM_BASE 0xa0000000u
#define VN_RAM_END 0xc0000000u
#define VN_OUTPUT_ADDR 0xa0010000u
#define VN_OUTPUT_BYTES 256u
#define VN_UART_ADDR 0xa0000200u
#define VN_INPUT_ADDR_A 0x90000000u
#define VN_INPUT_ADDR_BC 0x40000000u
#define VN_EXIT_CALL 93u

enum vn_abi { VN_ABI_AUTO = 0, VN_ABI_A = 'A', VN_ABI_B = 'B', VN_ABI_C = 'C' };

/* Operations of the machine. The numbers appear in the program tuple: stable, part of the params version.
 * What the fields of struct vn_insn hold for each:
 *   CONST               lui, auipc, jal, fence, nop-like: rd <- imm (64 bit), continue at next
 *   ADD..DIV family R   rs1, rs2 -> rd;               next = that of the instruction behind it
 *   ...I forms          imm = sign-extended 64-bit immediate as four 16-bit limbs (shifts: imm[0] = amount, others 0)
 *   branches            next = target / 2; imm[0] = length of the instruction / 2, by which it falls through; rd = 0, wr = 0
 *   JALR                imm[0], imm[1] = limb 0 of the offset and its sign limb (0 or 0xffff); imm[2], imm[3] = low limbs of the link value; next = 0
 *   loads, stores       imm[0], imm[1] = limb 0 of the offset and its sign limb; imm[2] = imm[3] = 0; next as above
 *   atomics             rs1 (the address), rs2 (0 for lr) -> rd; no immediate; next as above; the word form is one above the doubleword form
 *   HALT                ecall: ends the program when a7 = 93; rs1 = 17, next = 0
 * Fields an instruction does not have are 0. wr = 1 iff rd is written (rd != 0). */
enum vn_op {
    VN_OP_INVALID = 0, /* padding of the program table; never executed */
    VN_OP_CONST = 1,
    VN_OP_ADD = 2, VN_OP_SUB, VN_OP_ADDI, VN_OP_ADDW, VN_OP_SUBW, VN_OP_ADDIW,
    VN_OP_BEQ = 8, VN_OP_BNE, VN_OP_BLT, VN_OP_BGE, VN_OP_BLTU, VN_OP_BGEU,
    VN_OP_JALR = 14,
    VN_OP_AND = 15, VN_OP_OR, VN_OP_XOR, VN_OP_ANDI, VN_OP_ORI, VN_OP_XORI,
    VN_OP_SLL = 21, VN_OP_SRL, VN_OP_SRA, VN_OP_SLLI, VN_OP_SRLI, VN_OP_SRAI,
    VN_OP_SLLW = 27, VN_OP_SRLW, VN_OP_SRAW, VN_OP_SLLIW, VN_OP_SRLIW, VN_OP_SRAIW,
    VN_OP_SLT = 33, VN_OP_SLTU, VN_OP_SLTI, VN_OP_SLTIU,
    VN_OP_MUL = 37, VN_OP_MULH, VN_OP_MULHSU, VN_OP_MULHU, VN_OP_MULW,
    VN_OP_DIV = 42, VN_OP_DIVU, VN_OP_REM, VN_OP_REMU, VN_OP_DIVW, VN_OP_DIVUW, VN_OP_REMW, VN_OP_REMUW,
    VN_OP_LB = 50, VN_OP_LH, VN_OP_LW, VN_OP_LD, VN_OP_LBU, VN_OP_LHU, VN_OP_LWU,
    VN_OP_SB = 57, VN_OP_SH, VN_OP_SW, VN_OP_SD,
    VN_OP_HALT = 61,
    VN_OP_LR_D = 62, VN_OP_LR_W, VN_OP_SC_D, VN_OP_SC_W,
    VN_OP_AMOSWAP_D = 66, VN_OP_AMOSWAP_W, VN_OP_AMOADD_D, VN_OP_AMOADD_W, VN_OP_AMOXOR_D, VN_OP_AMOXOR_W, VN_OP_AMOOR_D, VN_OP_AMOOR_W,
    VN_OP_AMOAND_D, VN_OP_AMOAND_W, VN_OP_AMOMIN_D, VN_OP_AMOMIN_W, VN_OP_AMOMAX_D, VN_OP_AMOMAX_W,
    VN_OP_AMOMINU_D = 80, VN_OP_AMOMINU_W, VN_OP_AMOMAXU_D, VN_OP_AMOMAXU_W,
    VN_OP_UNSUPPORTED = 84, /* a known instruction this machine cannot prove yet, or no instruction at all: executing it is an error; never in the program table */
    VN_OP_COUNT = 85
};

struct vn_insn {
    uint32_t pc;      /* bytes, multiple of 4 (of 2 in a compressed program) */
    uint32_t next;    /* address / 2 */
    uint16_t imm[4];
    uint8_t op, rd, rs1, rs2, wr;
    uint8_t bytes;    /* 4, or 2 if it stands compressed in the file */
    uint32_t word;    /* the 32-bit encoding, for messages */
};

/* 64 KiB pages of the 4 GiB space. */
enum vn_page_kind { VN_PAGE_ABSENT = 0, VN_PAGE_IMAGE = 1, VN_PAGE_ZERO = 2, VN_PAGE_INPUT = 3 };

struct vn_image_word {
    uint32_t key;
    uint64_t value;
};

struct vn_program {
    enum vn_abi abi;
    uint32_t entry;              /* bytes */
    struct vn_insn *insns;       /* ascending pc, only executable words */
    size_t n_insns;
    uint8_t page_kind[1 << 16];  /* by address >> 16 */
    struct vn_image_word *image; /* ascending key; every word of every image page, then the 32 registers at entry (space 1) */
    size_t n_image;
    uint32_t input_addr;
    uint64_t input_bytes_max;
    struct vn_code_range {       /* for vn_program_find */
        uint32_t pc, n, first;   /* n instructions from byte address pc, insns[first...] */
    } *ranges;
    size_t n_ranges;
    struct vn_code_section {     /* the code as it stands in the file, what does not decode included; ascending pc */
        uint32_t pc, n, first;   /* n words from byte address pc, words[first...] */
    } *sections;
    size_t n_sections;
    uint32_t *words;
    int compressed;              /* has 16-bit instructions: insns are all instructions, undecodable ones too, without ranges */
    uint32_t signature_begin, signature_end; /* symbols begin_signature and end_signature of the architecture tests; 0 if not there */
};

/* Parses an ELF64 RISC-V executable (hostile bytes) by section headers, as guest-abi says. Errors name what is wrong. */
enum vn_status vn_program_load(struct vn_program **out, const uint8_t *elf, size_t elf_len, enum vn_abi abi, struct vn_error *err) VN_MUST_CHECK;
void vn_program_free(struct vn_program *p);

/* Index of the instruction at byte address pc, or UINT32_MAX. */
uint32_t vn_program_find(const struct vn_program *p, uint32_t pc);

/* The word at pc if it lies in a code section, decodable or not; 0 (and *word unchanged) otherwise. */
int vn_program_word(const struct vn_program *p, uint32_t pc, uint32_t *word);

const char *vn_op_name(enum vn_op op); /* "addiw" */

/* Decodes one 32-bit word at pc. Never fails: what is not known becomes VN_OP_UNSUPPORTED. */
struct vn_insn vn_decode(uint32_t word, uint32_t pc);

/* The same for an instruction of a compressed program, `bytes` long there: pc and jump targets may be 2-byte aligned. */
struct vn_insn vn_decode_compressed(uint32_t word, uint32_t pc, unsigned bytes);

/* The 32-bit instruction that a 16-bit one stands for; 0 if it is none. */
uint32_t vn_expand_compressed(uint16_t parcel);

/* Byte address a branch or jal leads to. */
uint32_t vn_insn_target(const struct vn_insn *insn);

/* Disassembly for messages, e.g. "csrrs x0, 0x8f0, x11"; at least mnemonic and the word. */
void vn_insn_format(const struct vn_insn *insn, char *out, size_t out_len);

#endif
