/* <venus.h> for qemu-riscv64 user mode: input records from standard input, the 256 output bytes on standard output at a clean end, console on standard
 * error, 1 as exit code for a panic. */
#include <stdlib.h>
#include <venus.h>

#define INPUT_MAX (1 << 20)
#define OUTPUT_BYTES 256

static uint64_t input_words[INPUT_MAX / 8];
static size_t input_bytes, input_cursor;
static union {
    uint8_t bytes[OUTPUT_BYTES];
    uint32_t words[OUTPUT_BYTES / 4];
} output;
static size_t output_cursor;

__asm__(".bss\n"
        ".balign 16\n"
        ".globl _kernel_heap_bottom, _kernel_heap_top\n"
        "_kernel_heap_bottom: .space 0x400000\n"
        "_kernel_heap_top:\n"
        ".text\n"
        ".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "call qemu_main\n");

int main(void);

static long call(long number, long a, long b, long c)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}

static long sys_read(int fd, void *p, size_t n) { return call(63, fd, (long)p, (long)n); }
static long sys_write(int fd, const void *p, size_t n) { return call(64, fd, (long)p, (long)n); }

_Noreturn static void sys_exit(int code)
{
    for (;;)
        call(93, code, 0, 0);
}

const uint8_t *venus_read_input(size_t *len)
{
    *len = 0;
    if (input_cursor + 8 > input_bytes || input_words[input_cursor / 8] == 0)
        return NULL;
    const uint8_t *data = (const uint8_t *)input_words + input_cursor + 8;
    *len = input_words[input_cursor / 8];
    input_cursor += 8 + ((*len + 7) & ~(size_t)7);
    return data;
}

void venus_write_output(const void *data, size_t len)
{
    const uint8_t *from = data;
    if (len > OUTPUT_BYTES - output_cursor)
        venus_panic("more than 256 bytes of public output");
    for (size_t i = 0; i < len; i++)
        output.bytes[output_cursor++] = from[i];
}

void venus_set_output(unsigned index, uint32_t value)
{
    if (index >= OUTPUT_BYTES / 4)
        venus_panic("public output number above 63");
    output.words[index] = value;
}

void venus_print(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    sys_write(2, text, n);
}

_Noreturn void venus_panic(const char *reason)
{
    venus_print("panic: ");
    venus_print(reason);
    venus_print("\n");
    sys_exit(1);
}

_Noreturn void exit(int code)
{
    if (code != 0)
        venus_panic("the program returned a non-zero code");
    sys_write(1, output.bytes, OUTPUT_BYTES);
    sys_exit(0);
}

_Noreturn void abort(void)
{
    venus_panic("abort");
}

_Noreturn void qemu_main(void)
{
    long n;
    while (input_bytes < INPUT_MAX && (n = sys_read(0, (uint8_t *)input_words + input_bytes, INPUT_MAX - input_bytes)) > 0)
        input_bytes += (size_t)n;
    exit(main());
}
