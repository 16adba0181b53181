/* Unit u starts its search at worker u mod n, so workers of equal capacity get every n-th unit and larger ones take what smaller ones cannot. */
#include <assert.h>

#include "services/scheduler/core.h"

void vn_deal_units(uint32_t *owner, uint32_t *dealt, uint32_t n_units, const uint32_t *capacity, uint32_t n)
{
    for (uint32_t w = 0; w < n; w++)
        dealt[w] = 0;
    for (uint32_t u = 0; u < n_units; u++) {
        uint32_t w = u % n;
        for (uint32_t tried = 0; dealt[w] >= capacity[w]; tried++) {
            assert(tried < n);
            w = (w + 1) % n;
        }
        dealt[w]++;
        owner[u] = w;
    }
}
