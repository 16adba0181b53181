/* Input: one record of u32 values, little endian. Output: their number, the smallest, the largest and a checksum over the sorted order, four bytes each. */
#include <stdlib.h>
#include <string.h>
#include <venus.h>

static void sift_down(uint32_t *v, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && v[child] < v[child + 1])
            child++;
        if (v[root] >= v[child])
            return;
        uint32_t t = v[root];
        v[root] = v[child];
        v[child] = t;
    }
}

static void heap_sort(uint32_t *v, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(v, i, n);
    for (size_t end = n; end-- > 1;) {
        uint32_t t = v[0];
        v[0] = v[end];
        v[end] = t;
        sift_down(v, 0, end);
    }
}

int main(void)
{
    size_t len;
    const uint8_t *input = venus_read_input(&len);
    size_t n = len / 4;
    uint32_t *values = malloc(len);
    if (!input || n == 0 || len % 4 || !values)
        return 1;
    memcpy(values, input, len);
    heap_sort(values, n);

    uint32_t checksum = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && values[i - 1] > values[i])
            return 1;
        checksum = checksum * 31 + values[i];
    }
    venus_set_output(0, (uint32_t)n);
    venus_set_output(1, values[0]);
    venus_set_output(2, values[n - 1]);
    venus_set_output(3, checksum);
    return 0;
}
