# Entry: stack and global pointer, main, then exit for 0 and a panic for anything else.
# .bss needs no clearing, all memory starts as zero.
    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, _init_stack_top
    li a0, 0
    li a1, 0
    call main
    call exit
    unimp
    .size _start, . - _start

# Generation of the guest ABI, for the loader.
    .section .venus.abi, "", @progbits
    .ascii "B"
