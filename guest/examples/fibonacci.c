/* Input: one record, n as u32 or u64, little endian. Output: fib(n) mod 2^64, then fib(n) mod 10^9 + 7, eight bytes each. */
#include <string.h>
#include <venus.h>

int main(void)
{
    size_t len;
    const uint8_t *input = venus_read_input(&len);
    uint64_t n = 0;
    if (!input || len > sizeof n)
        return 1;
    memcpy(&n, input, len);

    const uint32_t modulus = 1000000007;
    uint64_t a = 0, b = 1;
    uint32_t am = 0, bm = 1;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t next = a + b;
        a = b;
        b = next;
        uint32_t next_mod = (am + bm) % modulus;
        am = bm;
        bm = next_mod;
    }
    uint64_t out[2] = {a, am};
    venus_write_output(out, sizeof out);
    return 0;
}
