/* What a bus is called and which kind it is; shared by airc and its consumers. */
#include "services/prover-engine/air/graph.h"

int vn_air_bus_is_lookup(unsigned bus)
{
    return bus == VN_BUS_PROGRAM || (bus >= VN_BUS_BITS && bus <= VN_BUS_IMAGE);
}

const char *vn_air_bus_name(unsigned bus)
{
    static const char *const names[] = {"?",    "EXEC", "PROGRAM", "MEMORY", "BITS",  "BYTE",         "TIME",
                                        "POW",  "PAGE", "IMAGE",   "CHAIN",  "GLOBAL_MEMORY", "OUTPUT"};
    return bus < sizeof names / sizeof names[0] ? names[bus] : names[0];
}
