/* Included before every C file by scripts/guest-cc: where the compiler puts a trap (ebreak, which this machine ignores), a panic stands instead. */
#ifndef __ASSEMBLER__
__asm__(".macro ebreak\n.word 0xc0001073\n.endm");
#endif
