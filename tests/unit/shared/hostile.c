#include "hostile.h"

#include <string.h>

#define DEPTH_MAX 5u
#define INNER_MAX 4096u
#define SCALAR_MAX 10u /* bytes */

struct sink {
    uint8_t *bytes;
    size_t len, capacity;
};

static uint64_t next(struct hostile *h)
{
    h->state = h->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (h->state ^ h->state >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 16 | h->state >> 60 << 60;
}

uint32_t hostile_below(struct hostile *h, uint32_t n) { return (uint32_t)(next(h) >> 8 & 0xffffffffu) % n; }

static uint64_t number(struct hostile *h)
{
    static const uint64_t edges[] = {0, 1, 2, 3, 9, 64, 127, 128, 1000, 0x7f000000, 0x7f000001, 0x7fffffff, 0xffffffff, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX};
    return hostile_below(h, 2) ? hostile_below(h, 4) : edges[hostile_below(h, sizeof edges / sizeof *edges)];
}

static void put(struct sink *s, const void *bytes, size_t n)
{
    memcpy(s->bytes + s->len, bytes, n);
    s->len += n;
}

static void put_varint(struct sink *s, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        s->bytes[s->len++] = (uint8_t)(v | 0x80);
    s->bytes[s->len++] = (uint8_t)v;
}

static int has_room(const struct sink *s, size_t n) { return s->capacity - s->len >= n + 2 * SCALAR_MAX; /* tag and length too */ }

static void put_block(struct sink *s, uint32_t id, const void *bytes, size_t n)
{
    if (!has_room(s, n))
        return;
    put_varint(s, (uint64_t)id << 3 | 2);
    put_varint(s, n);
    put(s, bytes, n);
}

static void put_scalar(struct hostile *h, struct sink *s, const ProtobufCFieldDescriptor *f)
{
    uint64_t v = number(h);
    if (!has_room(s, SCALAR_MAX))
        return;
    switch (f->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        put_varint(s, (uint64_t)f->id << 3 | 5);
        put(s, &v, 4);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        put_varint(s, (uint64_t)f->id << 3 | 1);
        put(s, &v, 8);
        return;
    default:
        put_varint(s, (uint64_t)f->id << 3);
        put_varint(s, v);
    }
}

static size_t message(struct hostile *h, uint8_t *out, size_t capacity, const ProtobufCMessageDescriptor *d, unsigned depth);

static void put_field(struct hostile *h, struct sink *s, const ProtobufCFieldDescriptor *f, unsigned depth)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        uint8_t inner[INNER_MAX];
        if (depth < DEPTH_MAX)
            put_block(s, f->id, inner, message(h, inner, sizeof inner, f->descriptor, depth + 1));
    } else if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES) {
        const char *text = h->texts[hostile_below(h, h->n_texts)];
        put_block(s, f->id, text, strlen(text));
    } else {
        put_scalar(h, s, f);
    }
}

static size_t message(struct hostile *h, uint8_t *out, size_t capacity, const ProtobufCMessageDescriptor *d, unsigned depth)
{
    static const unsigned lengths[] = {0, 1, 2, 9, 12, 64};
    struct sink s = {out, 0, capacity};
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        unsigned times = hostile_below(h, 8) == 0 ? 2 : hostile_below(h, 4) != 0;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            times = lengths[hostile_below(h, sizeof lengths / sizeof *lengths)];
        while (times--)
            put_field(h, &s, f, depth);
    }
    return s.len;
}

size_t hostile_message(struct hostile *h, uint8_t *out, size_t capacity, const ProtobufCMessageDescriptor *d) { return message(h, out, capacity, d, 0); }

size_t hostile_edit(struct hostile *h, uint8_t *bytes, size_t len, size_t capacity)
{
    for (unsigned edits = 1 + hostile_below(h, 2) * hostile_below(h, 3); edits && len; edits--) {
        size_t at = hostile_below(h, (uint32_t)len), n = 1 + hostile_below(h, (uint32_t)(len - at));
        switch (hostile_below(h, 6)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << hostile_below(h, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)(hostile_below(h, 2) ? 0xff : number(h));
            break;
        case 2: /* cut out */
            memmove(bytes + at, bytes + at + n, len - at - n);
            len -= n;
            break;
        case 3: /* repeat */
            if (len + n <= capacity) {
                memmove(bytes + at + n, bytes + at, len - at);
                len += n;
            }
            break;
        case 4:
            for (size_t i = 0; i < n && i < 16; i++)
                bytes[at + i] = (uint8_t)next(h);
            break;
        default:
            len = at;
        }
    }
    return len;
}
