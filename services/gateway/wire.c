/* A walk over tags and lengths. The protobuf library itself takes invalid UTF-8 and cuts text at a zero byte without a
 * word; both would let two readers of the same message see different things. */
#include "services/gateway/wire.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

int vn_wire_text_ok(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t b = s[i];
        if (b == 0)
            return 0;
        if (b < 0x80) {
            i++;
            continue;
        }
        size_t more;
        uint32_t code, least;
        if (b >= 0xc2 && b <= 0xdf) {
            more = 1, code = b & 0x1fu, least = 0x80;
        } else if (b >= 0xe0 && b <= 0xef) {
            more = 2, code = b & 0x0fu, least = 0x800;
        } else if (b >= 0xf0 && b <= 0xf4) {
            more = 3, code = b & 0x07u, least = 0x10000;
        } else {
            return 0;
        }
        if (n - i <= more)
            return 0;
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (s[i + k] & 0x3fu);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        i += more + 1;
    }
    return 1;
}

/* Returns the bytes taken, 0 when there is no whole number. */
static size_t varint(const uint8_t *p, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 10; i++) {
        v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80)) {
            *value = v;
            return i + 1;
        }
    }
    return 0;
}

/* Each number of a packed array ends, within ten bytes. */
static int numbers_ok(const uint8_t *p, size_t n)
{
    unsigned more = 0;
    for (size_t i = 0; i < n; i++) {
        more = p[i] & 0x80 ? more + 1 : 0;
        if (more == 10)
            return 0;
    }
    return more == 0;
}

static unsigned wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static enum vn_status bad(struct vn_error *err, const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, const char *what)
{
    if (field)
        return vn_fail(err, VN_ERR_FORMAT, "malformed request: %s.%s %s", type->short_name, field->name, what);
    return vn_fail(err, VN_ERR_FORMAT, "malformed request: %s %s", type->short_name, what);
}

static enum vn_status check(const ProtobufCMessageDescriptor *type, const uint8_t *p, size_t n, unsigned depth, struct vn_error *err)
{
    if (depth == VN_WIRE_MAX_DEPTH)
        return bad(err, type, NULL, "is nested too deep");
    while (n) {
        uint64_t tag, len = 0;
        size_t took = varint(p, n, &tag);
        if (!took || tag >> 3 == 0 || tag >> 32)
            return bad(err, type, NULL, "has a broken field number");
        p += took, n -= took;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        unsigned wire = tag & 7;
        switch (wire) {
        case WIRE_VARINT:
            len = varint(p, n, &(uint64_t){0});
            if (!len)
                return bad(err, type, field, "is cut short");
            break;
        case WIRE_64:
            len = 8;
            break;
        case WIRE_32:
            len = 4;
            break;
        case WIRE_BYTES:
            took = varint(p, n, &len);
            if (!took)
                return bad(err, type, field, "is cut short");
            p += took, n -= took;
            break;
        default:
            return bad(err, type, field, "uses an unsupported wire type");
        }
        if (len > n)
            return bad(err, type, field, "is cut short");
        if (field) {
            unsigned want = wire_of(field->type);
            int packed = wire == WIRE_BYTES && want != WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED;
            if (wire != want && !packed)
                return bad(err, type, field, "has the wrong type");
            if (packed && want == WIRE_VARINT && !numbers_ok(p, (size_t)len))
                return bad(err, type, field, "holds a broken number");
            if (packed && ((want == WIRE_64 && len % 8) || (want == WIRE_32 && len % 4)))
                return bad(err, type, field, "is cut short");
            if (field->type == PROTOBUF_C_TYPE_STRING && !vn_wire_text_ok(p, (size_t)len))
                return bad(err, type, field, "is not valid UTF-8 text without zero bytes");
            if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
                enum vn_status s = check(field->descriptor, p, (size_t)len, depth + 1, err);
                if (s != VN_OK)
                    return s;
            }
        }
        p += len, n -= (size_t)len;
    }
    return VN_OK;
}

enum vn_status vn_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n, struct vn_error *err)
{
    return check(type, bytes, n, 0, err);
}
