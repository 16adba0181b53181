/* Pieces of a fixed size go through a local buffer. An overlapping copy upward runs from the end, so that no piece is overwritten before it is read. */
#include <inttypes.h>
#include <string.h>

#include "services/prover-engine/vm/precompile/precompile.h"

#define PIECE 4096

static enum vn_status no_source(uint64_t addr, struct vn_error *err)
{
    return vn_fail(err, VN_ERR_GUEST, "reads near 0x%" PRIx64 ", where there is no memory", addr);
}

static enum vn_status no_target(uint64_t addr, struct vn_error *err)
{
    return vn_fail(err, VN_ERR_GUEST, "writes near 0x%" PRIx64 ", where there is no writable memory", addr);
}

enum vn_status vn_dma_copy(const struct vn_guest_port *port, uint64_t dst, uint64_t src, uint64_t bytes, struct vn_error *err)
{
    uint8_t piece[PIECE];
    int backward = dst - src < bytes;
    for (uint64_t done = 0; done < bytes;) {
        uint64_t n = bytes - done < PIECE ? bytes - done : PIECE, at = backward ? bytes - done - n : done;
        if (port->read(port->ctx, src + at, piece, n))
            return no_source(src + at, err);
        if (port->write(port->ctx, dst + at, piece, n))
            return no_target(dst + at, err);
        done += n;
    }
    return VN_OK;
}

enum vn_status vn_dma_fill(const struct vn_guest_port *port, uint64_t dst, uint64_t bytes, uint8_t value, struct vn_error *err)
{
    uint8_t piece[PIECE];
    memset(piece, value, sizeof piece);
    for (uint64_t done = 0; done < bytes;) {
        uint64_t n = bytes - done < PIECE ? bytes - done : PIECE;
        if (port->write(port->ctx, dst + done, piece, n))
            return no_target(dst + done, err);
        done += n;
    }
    return VN_OK;
}

enum vn_status vn_dma_compare(const struct vn_guest_port *port, uint64_t a, uint64_t b, uint64_t bytes, int64_t *order, struct vn_error *err)
{
    uint8_t x[PIECE], y[PIECE];
    *order = 0;
    for (uint64_t done = 0; done < bytes;) {
        uint64_t n = bytes - done < PIECE ? bytes - done : PIECE;
        if (port->read(port->ctx, a + done, x, n))
            return no_source(a + done, err);
        if (port->read(port->ctx, b + done, y, n))
            return no_source(b + done, err);
        if (memcmp(x, y, n)) {
            size_t i = 0;
            while (x[i] == y[i])
                i++;
            *order = (int64_t)x[i] - y[i];
            return VN_OK;
        }
        done += n;
    }
    return VN_OK;
}
