/* The status table and the error sentence. */
#include "libshared/status.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    const char *text;
    enum vn_class class;
    int grpc;
} table[VN_STATUS_COUNT] = {
    [VN_OK] = {"ok", "Success.", VN_CLASS_OK, 0},
    [VN_ERR_ARGUMENT] = {"argument", "An argument is not valid.", VN_CLASS_BAD_INPUT, 3},
    [VN_ERR_NOT_FOUND] = {"not-found", "What was asked for does not exist.", VN_CLASS_BAD_INPUT, 5},
    [VN_ERR_FORMAT] = {"format", "The data is malformed.", VN_CLASS_BAD_INPUT, 3},
    [VN_ERR_UNSUPPORTED] = {"unsupported", "This version does not support it.", VN_CLASS_BAD_INPUT, 12},
    [VN_ERR_LIMIT] = {"limit", "A documented limit would be exceeded.", VN_CLASS_BAD_INPUT, 8},
    [VN_ERR_MEMORY] = {"memory", "Out of memory.", VN_CLASS_RESOURCE, 8},
    [VN_ERR_IO] = {"io", "The operating system reported an error.", VN_CLASS_RESOURCE, 14},
    [VN_ERR_BUSY] = {"busy", "Busy; try again later.", VN_CLASS_RETRY, 14},
    [VN_ERR_CAPACITY] = {"capacity", "Insufficient compute capacity.", VN_CLASS_RETRY, 8},
    [VN_ERR_TIMEOUT] = {"timeout", "The time limit passed.", VN_CLASS_RETRY, 4},
    [VN_ERR_CANCELLED] = {"cancelled", "The work was cancelled.", VN_CLASS_BAD_INPUT, 1},
    [VN_ERR_GUEST] = {"guest", "The guest program did not end through the exit call.", VN_CLASS_BAD_INPUT, 9},
    [VN_ERR_INVALID_PROOF] = {"invalid-proof", "The proof was rejected.", VN_CLASS_BAD_INPUT, 3},
    [VN_ERR_WITNESS] = {"witness", "The witness does not satisfy the constraints.", VN_CLASS_BUG, 13},
    [VN_ERR_PEER] = {"peer", "The other side broke the protocol.", VN_CLASS_RETRY, 13},
    [VN_ERR_PERMISSION] = {"permission", "Not allowed.", VN_CLASS_BAD_INPUT, 7},
    [VN_ERR_INTERNAL] = {"internal", "An internal error occurred.", VN_CLASS_BUG, 13},
};

static unsigned index_of(enum vn_status s)
{
    return (unsigned)s < VN_STATUS_COUNT ? (unsigned)s : VN_ERR_INTERNAL;
}

const char *vn_status_name(enum vn_status s) { return table[index_of(s)].name; }
const char *vn_status_text(enum vn_status s) { return table[index_of(s)].text; }
enum vn_class vn_status_class(enum vn_status s) { return table[index_of(s)].class; }
int vn_status_grpc(enum vn_status s) { return table[index_of(s)].grpc; }

int vn_status_exit_code(enum vn_status s) { return s == VN_OK ? 0 : 10 + (int)index_of(s); }

enum vn_status vn_status_from_exit_code(int code)
{
    if (code == 0)
        return VN_OK;
    if (code > 10 && code < 10 + VN_STATUS_COUNT)
        return (enum vn_status)(code - 10);
    return VN_ERR_INTERNAL;
}

enum vn_status vn_fail(struct vn_error *err, enum vn_status s, const char *format, ...)
{
    if (err) {
        err->status = s;
        va_list ap;
        va_start(ap, format);
        vsnprintf(err->text, sizeof err->text, format, ap);
        va_end(ap);
    }
    return s;
}
