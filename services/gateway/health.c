/* grpc.health.v1: the gateway serves when the scheduler answers it. The empty name stands for the whole server. */
#include <stdlib.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "services/gateway/gateway.h"

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

static Grpc__Health__V1__HealthCheckResponse__ServingStatus status_of(const struct vn_gateway *g, const char *service)
{
    static const char *const always[] = {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"};
    static const char *const backed[] = {"", "zisk.distributed.api.v1.ZiskDistributedApi", "zisk.coordinator.v1.ZiskCoordinatorApi"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strcmp(service, always[i]) == 0)
            return g->stopping ? NOT_SERVING : SERVING;
    for (size_t i = 0; i < sizeof backed / sizeof backed[0]; i++)
        if (strcmp(service, backed[i]) == 0)
            return vn_link_is_up(g->link) && !g->stopping ? SERVING : NOT_SERVING;
    return SERVICE_UNKNOWN;
}

static grpc_slice answer(Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    Grpc__Health__V1__HealthCheckResponse r = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    r.status = status;
    return vn_slice_pack(&r.base);
}

static Grpc__Health__V1__HealthCheckRequest *unpack(struct vn_call *c, grpc_slice message)
{
    Grpc__Health__V1__HealthCheckRequest *q =
        grpc__health__v1__health_check_request__unpack(NULL, GRPC_SLICE_LENGTH(message), GRPC_SLICE_START_PTR(message));
    if (!q)
        vn_call_fail(c, VN_ERR_FORMAT, "malformed request");
    return q;
}

void vn_health_check(struct vn_call *c, grpc_slice message)
{
    Grpc__Health__V1__HealthCheckRequest *q = unpack(c, message);
    if (!q)
        return;
    Grpc__Health__V1__HealthCheckResponse__ServingStatus status = status_of(c->gateway, q->service);
    grpc__health__v1__health_check_request__free_unpacked(q, NULL);
    if (status == SERVICE_UNKNOWN)
        vn_call_finish(c, GRPC_STATUS_NOT_FOUND, "unknown service");
    else
        vn_call_reply(c, answer(status));
}

void vn_health_watch(struct vn_call *c, grpc_slice message)
{
    Grpc__Health__V1__HealthCheckRequest *q = unpack(c, message);
    if (!q)
        return;
    c->deadline_ns = 0;
    c->service = strdup(q->service);
    grpc__health__v1__health_check_request__free_unpacked(q, NULL);
    if (!c->service) {
        vn_call_fail(c, VN_ERR_MEMORY, NULL);
        return;
    }
    c->watching = 1;
    c->health = status_of(c->gateway, c->service);
    (void)!vn_call_send(c, answer(c->health), 1);
}

void vn_health_changed(struct vn_gateway *g)
{
    for (struct vn_call *c = g->calls; c; c = c->next) {
        if (!c->watching || c->finishing)
            continue;
        Grpc__Health__V1__HealthCheckResponse__ServingStatus status = status_of(g, c->service);
        if (status == c->health)
            continue;
        c->health = status;
        (void)!vn_call_send(c, answer(status), 1); /* the newest is the one that counts */
    }
}
