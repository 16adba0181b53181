#ifndef VN_TEST_HOSTILE_H
#define VN_TEST_HOSTILE_H
/* Messages nobody would send, made from the descriptors of protobuf: any field may be there, twice or not at all, with values from the edges; and
 * edits of bytes. The seed decides everything. */

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct hostile {
    uint64_t state;            /* the seed */
    const char *const *texts;  /* what strings are drawn from: names that mean something, and some that do not */
    unsigned n_texts;
};

/* 0..n-1. */
uint32_t hostile_below(struct hostile *h, uint32_t n);

/* A message that parses as d. Returns its length, at most `capacity`; fields that do not fit are left out. */
size_t hostile_message(struct hostile *h, uint8_t *out, size_t capacity, const ProtobufCMessageDescriptor *d);

/* Mostly one, at most three edits: a bit, a byte, a piece cut out, repeated or filled with noise, the end missing. Returns the new length, at most `capacity`. */
size_t hostile_edit(struct hostile *h, uint8_t *bytes, size_t len, size_t capacity);

#endif
