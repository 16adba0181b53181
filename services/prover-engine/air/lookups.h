#ifndef VN_AIR_LOOKUPS_H
#define VN_AIR_LOOKUPS_H
/* Which row of a lookup bus's provider holds a tuple. */

#include "services/prover-engine/air/graph.h"
#include "services/prover-engine/rv64/program.h"

#define VN_TIME_LOG_ROWS 20u
#define VN_PAGE_ROWS (1u << 17)
#define VN_NO_ROW UINT32_MAX

/* Provider table of a lookup bus, VN_AIR_MAX_TABLES if the bus has none. */
unsigned vn_lookup_provider(unsigned bus);

/* tuple: canonical. VN_NO_ROW if no row holds it. */
uint32_t vn_lookup_row(const struct vn_program *p, unsigned bus, const uint32_t *tuple);

#endif
