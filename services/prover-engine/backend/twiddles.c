/* The tables are zero pages until a level is made, so the full size costs nothing and no allocation can fail inside a kernel.
 * Large levels ask for huge pages. A level's even entries are the level below, its odd ones those times the root. */
#define _GNU_SOURCE
#include "services/prover-engine/backend/twiddles.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { PAGE = 4096, LARGE_LEVEL = 19 };

static _Alignas(PAGE) vn_fp forward[(size_t)1 << VN_TWO_ADICITY];
static _Alignas(PAGE) vn_fp inverse[(size_t)1 << VN_TWO_ADICITY];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint levels; /* levels 1 .. levels are made */

const vn_fp *const vn_twiddles_forward = forward;
const vn_fp *const vn_twiddles_inverse = inverse;

static void make_level(vn_fp *table, unsigned k, vn_fp root)
{
    vn_fp *out = table + ((size_t)1 << (k - 1));
    if (k >= LARGE_LEVEL)
        madvise(out, sizeof *out << (k - 1), MADV_HUGEPAGE); /* only a hint */
    out[0] = VN_FP_ONE;
    const vn_fp *below = out - ((size_t)1 << (k - 1) >> 1);
    for (size_t i = 0; i < (size_t)1 << (k - 1) >> 1; i++) {
        out[2 * i] = below[i];
        out[2 * i + 1] = vn_fp_mul(below[i], root);
    }
}

void vn_twiddles_need(unsigned log_n)
{
    assert(log_n <= VN_TWO_ADICITY);
    if (atomic_load_explicit(&levels, memory_order_acquire) >= log_n)
        return;
    pthread_mutex_lock(&lock);
    for (unsigned k = atomic_load(&levels) + 1; k <= log_n; k++) {
        vn_fp root = vn_fp_root(k);
        make_level(forward, k, root);
        make_level(inverse, k, vn_fp_inv(root));
        atomic_store_explicit(&levels, k, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
}
