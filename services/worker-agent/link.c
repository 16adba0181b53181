/* Chooses the kind of connection from the URL. */
#include "services/worker-agent/link.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PORT "50051"
#define TARGET_MAX 300

static int has_prefix(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* host:port of an http URL, the port filled in. */
static int grpc_target(const char *url, char target[TARGET_MAX], struct vn_error *err)
{
    const char *host = url + strlen("http://");
    size_t n = strcspn(host, "/");
    if (n == 0 || n > 255 || (host[n] == '/' && host[n + 1] != '\0') || strcspn(host, "@?# \t") < n) {
        vn_fail(err, VN_ERR_ARGUMENT, "The coordinator URL %s is not of the form http://host:port", url);
        return 0;
    }
    const char *bracket = memchr(host, ']', n);
    const char *colon = bracket ? memchr(bracket, ':', n - (size_t)(bracket - host)) : memchr(host, ':', n);
    snprintf(target, TARGET_MAX, "%.*s%s", (int)n, host, colon ? "" : ":" DEFAULT_PORT);
    return 1;
}

int vn_link_url_ok(const char *url, struct vn_error *err)
{
    char target[TARGET_MAX];
    if (has_prefix(url, "http://"))
        return grpc_target(url, target, err);
    if (has_prefix(url, "https://")) {
        vn_fail(err, VN_ERR_UNSUPPORTED, "The coordinator URL %s asks for TLS, which this version of the worker does not have; use http://host:port", url);
        return 0;
    }
    if ((has_prefix(url, "tcp://") && strlen(url) > strlen("tcp://")) || (has_prefix(url, "ipc://") && strlen(url) > strlen("ipc://")))
        return 1;
    vn_fail(err, VN_ERR_ARGUMENT, "The coordinator URL %s begins with none of http://, tcp:// and ipc://", url);
    return 0;
}

enum vn_status vn_link_open(struct vn_link **link, const char *url, struct vn_error *err)
{
    struct vn_error why = {0};
    if (!vn_link_url_ok(url, &why))
        return vn_fail(err, why.status, "%s", why.text);
    char target[TARGET_MAX];
    if (has_prefix(url, "http://") && grpc_target(url, target, &why))
        return vn_link_open_grpc(link, target, err);
    return vn_link_open_bus(link, url, err);
}
