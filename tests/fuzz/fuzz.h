#ifndef VN_TEST_FUZZ_H
#define VN_TEST_FUZZ_H
/* What the libFuzzer targets share. A target is one .c file: it gets bytes, does what a hostile peer could make the program do with them, and calls
 * must() on what has to hold whatever they are. ASan and UBSan watch the rest. docs/testing.md says how to run them. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size); /* libFuzzer's own mutations */

/* A property of the program, not of the input. */
#define must(property)                                                            \
    do {                                                                          \
        if (!(property)) {                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #property); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* Takes values from the front of an input; zeros when it is used up. */
struct fuzz_reader {
    const uint8_t *at, *end;
};

static inline uint32_t fuzz_u8(struct fuzz_reader *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

static inline uint32_t fuzz_u16(struct fuzz_reader *r)
{
    uint32_t low = fuzz_u8(r);
    return low | fuzz_u8(r) << 8;
}

static inline uint32_t fuzz_u32(struct fuzz_reader *r)
{
    uint32_t low = fuzz_u16(r);
    return low | fuzz_u16(r) << 16;
}

static inline size_t fuzz_left(const struct fuzz_reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline uint64_t fuzz_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A file of the folder of large seeds (VENUS_FUZZ_DATA), made by fuzz-seeds. Ends the process if it is not there. */
uint8_t *fuzz_data(const char *name, size_t *len);

/* An empty directory of this process in shared memory, removed at exit; `fd` may be NULL. */
const char *fuzz_directory(int *fd);

#endif
