#ifndef VN_TEST_FUZZ_SEEDS_H
#define VN_TEST_FUZZ_SEEDS_H
/* Parts of fuzz-seeds. */

#include <stddef.h>
#include <stdint.h>

/* DIR/<target>/<name>; the second puts a byte before the bytes. */
void seed_write(const char *target, const char *name, const void *bytes, size_t len);
void seed_write_tagged(const char *target, const char *name, uint8_t tag, const void *bytes, size_t len);

/* message_seeds.c: conversations with the scheduler, requests to the engine. */
void message_seeds(void);

#endif
