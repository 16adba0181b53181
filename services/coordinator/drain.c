/* Greets, then asks for the active jobs five times a second. Jobs that wait for workers or input are cancelled, so that none of them begins now. */
#include "services/coordinator/drain.h"

#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/bus.h"
#include "libshared/log.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

#define ASK_NS UINT64_C(200000000)
#define SILENCE_NS UINT64_C(5000000000)
#define LIST 1u   /* correlations */
#define CANCEL 2u

struct vn_drain {
    struct vn_bus_client *bus;
    uint64_t heard_ns, asked_ns;
    unsigned running;
    int greeted, listed;
};

enum vn_status vn_drain_open(struct vn_drain **out, const char *bus, uint64_t now_ns, struct vn_error *err)
{
    struct vn_drain *d = calloc(1, sizeof *d);
    if (!d)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    d->heard_ns = now_ns;
    enum vn_status s = vn_bus_client_open(&d->bus, bus, err);
    if (s != VN_OK) {
        free(d);
        return s;
    }
    *out = d;
    return VN_OK;
}

void vn_drain_close(struct vn_drain *d)
{
    if (!d)
        return;
    vn_bus_client_close(d->bus);
    free(d);
}

/* What does not get through is said again a moment later. */
static void say(struct vn_drain *d, uint16_t kind, uint64_t correlation, const ProtobufCMessage *p)
{
    size_t n = protobuf_c_message_get_packed_size(p);
    uint8_t *body = malloc(n + 1);
    if (!body)
        return;
    protobuf_c_message_pack(p, body);
    struct vn_bus_message m = {.kind = kind, .correlation = correlation, .body = body, .body_len = n};
    enum vn_status s = vn_bus_client_send(d->bus, &m);
    if (s != VN_OK && s != VN_ERR_BUSY)
        VN_LOG(VN_LOG_WARN, "drain.unsaid", "kind=%u status=%s", kind, vn_status_name(s));
    free(body);
}

static void ask(struct vn_drain *d)
{
    Venus__Bus__V1__Hello hello = VENUS__BUS__V1__HELLO__INIT;
    Zisk__Distributed__Api__V1__JobsListRequest list = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_REQUEST__INIT;
    hello.role = VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN;
    hello.version = (char *)(uintptr_t)VN_VERSION;
    list.active_only = 1;
    if (d->greeted)
        say(d, VN_KIND_JOBS_LIST, LIST, &list.base);
    else
        say(d, VN_KIND_HELLO, 0, &hello.base);
}

static void on_list(struct vn_drain *d, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__JobsListResponse *a = zisk__distributed__api__v1__jobs_list_response__unpack(NULL, m->body_len, m->body);
    if (!a || a->result_case != ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__RESULT_JOBS_LIST)
        goto out;
    d->listed = 1;
    d->running = 0;
    for (size_t i = 0; i < a->jobs_list->n_jobs; i++) {
        Zisk__Coordinator__V1__CancelJobRequest cancel = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
        cancel.job_id = a->jobs_list->jobs[i]->job_id;
        if (strncmp(a->jobs_list->jobs[i]->state, "Running", 7) == 0)
            d->running++;
        else
            say(d, VN_KIND_CANCEL_JOB, CANCEL, &cancel.base);
    }
out:
    zisk__distributed__api__v1__jobs_list_response__free_unpacked(a, NULL);
}

int vn_drain_done(struct vn_drain *d, uint64_t now_ns, unsigned *running)
{
    struct vn_bus_message m;
    while (vn_bus_client_recv(d->bus, &m) == VN_OK) {
        d->heard_ns = now_ns;
        if (m.kind == VN_KIND_WELCOME) {
            d->greeted = 1;
            d->asked_ns = 0;
        } else if (m.kind == VN_KIND_REPLY && m.correlation == LIST) {
            on_list(d, &m);
        }
        vn_bus_message_fini(&m);
    }
    if (!d->asked_ns || now_ns - d->asked_ns >= ASK_NS) {
        d->asked_ns = now_ns;
        ask(d);
    }
    *running = d->running;
    return (d->listed && d->running == 0) || now_ns - d->heard_ns > SILENCE_NS;
}
