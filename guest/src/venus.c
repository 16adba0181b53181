/* The machine's side of <venus.h>: input records lie at INPUT + 8 as {u64 length, bytes, padding to 8}, public output is memory at OUTPUT, the console
 * is a one-byte store. The input window behind the last record reads as zero, so a record of length 0 with nothing but zeros behind it cannot be told
 * from the end: both are the end. */
#include <stdlib.h>
#include <venus.h>

#define INPUT ((const uint8_t *)0x40000000)
#define INPUT_BYTES (UINT64_C(1) << 30)
#define OUTPUT ((volatile uint8_t *)0xa0010000)
#define OUTPUT_BYTES 256
#define UART ((volatile uint8_t *)0xa0000200)
#define EXIT_CALL 93

static size_t input_cursor = 8;
static size_t output_cursor;

const uint8_t *venus_read_input(size_t *len)
{
    *len = 0;
    if (input_cursor > INPUT_BYTES - 8)
        return NULL;
    uint64_t n = *(const uint64_t *)(INPUT + input_cursor);
    if (n == 0)
        return NULL;
    if (n > INPUT_BYTES - 8 - input_cursor)
        venus_panic("malformed input record");
    const uint8_t *data = INPUT + input_cursor + 8;
    input_cursor += 8 + ((n + 7) & ~UINT64_C(7));
    *len = n;
    return data;
}

void venus_write_output(const void *data, size_t len)
{
    const uint8_t *from = data;
    if (len > OUTPUT_BYTES - output_cursor)
        venus_panic("more than 256 bytes of public output");
    for (size_t i = 0; i < len; i++)
        OUTPUT[output_cursor++] = from[i];
}

void venus_set_output(unsigned index, uint32_t value)
{
    if (index >= OUTPUT_BYTES / 4)
        venus_panic("public output number above 63");
    ((volatile uint32_t *)OUTPUT)[index] = value;
}

void venus_print(const char *text)
{
    while (*text)
        *UART = (uint8_t)*text++;
}

_Noreturn void venus_panic(const char *reason)
{
    venus_print("panic: ");
    venus_print(reason);
    venus_print("\n");
    for (;;)
        __asm__ volatile("unimp");
}

_Noreturn void exit(int code)
{
    if (code != 0)
        venus_panic("the program returned a non-zero code");
    register long number __asm__("a7") = EXIT_CALL;
    for (;;)
        __asm__ volatile("ecall" : : "r"(number) : "memory");
}

_Noreturn void abort(void)
{
    venus_panic("abort");
}
