/* Doubling buffer. */
#include "services/prover-engine/pcs/writer.h"

#include <stdlib.h>

void vn_writer_fini(struct vn_writer *w)
{
    free(w->data);
    *w = (struct vn_writer){0};
}

void vn_write_bytes(struct vn_writer *w, const void *bytes, size_t n)
{
    if (w->failed || n == 0)
        return;
    if (w->cap - w->len < n) {
        size_t cap = w->cap ? w->cap : 1 << 16;
        while (cap - w->len < n)
            cap *= 2;
        uint8_t *data = realloc(w->data, cap);
        if (!data) {
            w->failed = 1;
            return;
        }
        w->data = data;
        w->cap = cap;
    }
    memcpy(w->data + w->len, bytes, n);
    w->len += n;
}

void vn_write_u32(struct vn_writer *w, uint32_t x)
{
    uint8_t b[4] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)};
    vn_write_bytes(w, b, 4);
}

void vn_write_fp(struct vn_writer *w, vn_fp a)
{
    vn_write_u32(w, vn_fp_to(a));
}

void vn_write_fp6(struct vn_writer *w, const struct vn_fp6 *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 6; k++)
            vn_write_fp(w, a[i].c[k]);
}

void vn_write_digest(struct vn_writer *w, const struct vn_digest *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < VN_DIGEST_LEN; k++)
            vn_write_fp(w, d[i].c[k]);
}
