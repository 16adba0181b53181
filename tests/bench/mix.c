/* A mixed workload: CRC, matrix product, quicksort, hash table, text scan. The first input record's first eight bytes say how many rounds. */
#include <venus.h>

static uint32_t seed = 1;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static uint32_t crc(const uint8_t *p, size_t n)
{
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

static uint64_t matrix(void)
{
    static int32_t a[12][12], b[12][12];
    uint64_t sum = 0;
    for (int i = 0; i < 144; i++) {
        a[i / 12][i % 12] = (int32_t)next_random() >> 20;
        b[i / 12][i % 12] = (int32_t)next_random() >> 20;
    }
    for (int i = 0; i < 12; i++)
        for (int j = 0; j < 12; j++) {
            int64_t s = 0;
            for (int k = 0; k < 12; k++)
                s += (int64_t)a[i][k] * b[k][j];
            sum = sum * 31 + (uint64_t)s;
        }
    return sum;
}

static void sort(uint32_t *v, int lo, int hi)
{
    while (lo < hi) {
        uint32_t pivot = v[(lo + hi) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        sort(v, lo, j);
        lo = i;
    }
}

int main(void)
{
    static uint32_t v[256], table[512];
    static uint8_t text[512];
    size_t n;
    const uint8_t *input = venus_read_input(&n);
    uint64_t rounds = 0, sum = 0;
    for (size_t i = 0; i < 8 && i < n; i++)
        rounds |= (uint64_t)input[i] << (8 * i);
    for (uint64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < 512; i++)
            text[i] = (uint8_t)next_random();
        for (int i = 0; i < 256; i++)
            v[i] = next_random();
        sort(v, 0, 255);
        for (int i = 0; i < 256; i++) {
            uint32_t h = v[i] % 509;
            while (table[h] && table[h] != v[i])
                h = h + 1 == 512 ? 0 : h + 1;
            table[h] = (r & 1) ? 0 : v[i];
        }
        int words = 0;
        for (int i = 1; i < 512; i++)
            words += (text[i - 1] < 'a' || text[i - 1] > 'z') && text[i] >= 'a' && text[i] <= 'z';
        sum = sum * 0x9e3779b97f4a7c15u + crc(text, 512) + matrix() + v[128] + (uint64_t)words + sum / (r + 3);
        for (int i = 0; (r & 1) && i < 512; i++)
            table[i] = 0;
    }
    venus_write_output(&sum, sizeof sum);
    return 0;
}
