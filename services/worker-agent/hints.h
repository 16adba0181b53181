#ifndef VN_HINTS_H
#define VN_HINTS_H
/* Precompile hints: a sequence of 64-bit little-endian words. Every hint is a header word, code << 32 | payload bytes, and the payload, zero padded
 * to whole words. Bit 31 of the code: pass-through. START comes first, END last. What this version takes: pieces of the guest's input image
 * (INPUT), and pass-through hints, which are kept as they are. Hints that ask for a computation are refused by name. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_HINTS_MAX_INPUT_BYTES (128u << 20) /* the guest's input region */
#define VN_HINTS_MAX_KEPT_BYTES (64u << 20)   /* pass-through hints of a job */
#define VN_HINTS_MAX_BYTES (256u << 20)       /* of a file, padding and headers included */
#define VN_HINTS_MAX_WAITING_BYTES (16u << 20) /* pieces that came before their turn: a second of a fast link */
#define VN_HINTS_MAX_WAITING 1024u

struct vn_hint_bytes {
    uint8_t *data;
    size_t len, capacity;
};

/* The parser. Zeroed = at the start. */
struct vn_hints {
    struct vn_hint_bytes input; /* INPUT pieces joined */
    struct vn_hint_bytes kept;  /* pass-through hints with their headers */
    int has_input;              /* an INPUT hint came, perhaps an empty one */
    int started, ended;
    uint64_t n_hints;
    uint32_t code;              /* of the hint whose payload is being read */
    uint64_t left;              /* payload bytes still to come */
};

/* The next words; a hint may go on in the next call. n_bytes must be a multiple of 8.
 * Errors: VN_ERR_FORMAT, VN_ERR_UNSUPPORTED (a computing hint), VN_ERR_CANCELLED (the source gave up), VN_ERR_LIMIT, VN_ERR_MEMORY. */
enum vn_status vn_hints_feed(struct vn_hints *h, const uint8_t *bytes, size_t n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* Nothing more comes: END must have been the last word. Errors: VN_ERR_FORMAT. */
enum vn_status vn_hints_finish(const struct vn_hints *h, struct vn_error *err) VN_MUST_CHECK;
/* A whole file from descriptor `fd`. Errors: as both, and VN_ERR_IO. */
enum vn_status vn_hints_read(struct vn_hints *h, int fd, struct vn_error *err) VN_MUST_CHECK;
void vn_hints_fini(struct vn_hints *h);

struct vn_hint_piece {
    uint32_t sequence;
    uint8_t *data;
    size_t len;
};

/* Puts numbered pieces back in order and feeds them to the parser. Zeroed = waiting for START. */
struct vn_hint_stream {
    struct vn_hints hints;
    int open, complete;
    int has_last;
    uint32_t next;  /* sequence number of the piece that is due; the first is 1 */
    uint32_t last;  /* sequence number of END */
    struct vn_hint_piece *waiting; /* ascending */
    size_t n_waiting, waiting_bytes;
};

/* Errors: VN_ERR_PEER: a message out of place, a piece twice, a gap; and those of the parser. */
enum vn_status vn_hint_stream_start(struct vn_hint_stream *s, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_hint_stream_data(struct vn_hint_stream *s, uint32_t sequence, const uint8_t *bytes, size_t n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* END with its number, one above the last piece's. It may overtake pieces: `complete` says when everything is there. */
enum vn_status vn_hint_stream_end(struct vn_hint_stream *s, uint32_t sequence, struct vn_error *err) VN_MUST_CHECK;
/* END without a number: everything must have come. */
enum vn_status vn_hint_stream_end_unnumbered(struct vn_hint_stream *s, struct vn_error *err) VN_MUST_CHECK;
void vn_hint_stream_fini(struct vn_hint_stream *s);

/* "SHA256" for 0x100; NULL for a code without a name. */
const char *vn_hint_name(uint32_t code);

#endif
