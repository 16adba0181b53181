/* Configuration files of the worker and of the coordinator. First byte: whose. */
#include <fcntl.h>
#include <unistd.h>

#include "services/coordinator/settings.h"
#include "services/worker-agent/worker_config.h"
#include "tests/fuzz/fuzz.h"

static char path[128];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(path, sizeof path, "%s/config.toml", fuzz_directory(NULL));
    return 0;
}

static void write_file(const uint8_t *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

/* Numbers lie in their ranges and texts among their choices, whatever the file says. */
static void check_values(const struct vn_config_spec *spec, const void *config)
{
    for (const struct vn_config_item *i = spec->items; i->key || i->flag; i++) {
        const uint8_t *at = (const uint8_t *)config + i->offset;
        if (i->type == VN_CONFIG_NUMBER) {
            uint64_t v;
            memcpy(&v, at, sizeof v);
            must(v >= i->min || v == 0);
            must(i->max == 0 || v <= i->max);
        } else if (i->type == VN_CONFIG_STRING && i->choices) {
            const char *text;
            memcpy(&text, at, sizeof text);
            must(!text || strstr(i->choices, text) != NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    union {
        struct vn_worker_config worker;
        struct vn_settings coordinator;
    } config;
    const struct vn_config_spec *spec = data[0] & 1 ? &vn_worker_spec : &vn_settings_spec;
    char program[] = "fuzz", flag[] = "--config";
    char *argv[] = {program, flag, path, NULL};
    const char *positional[4];
    unsigned n_positional = 0;
    int done = 0;
    struct vn_error err = {0};
    memset(&config, 0, sizeof config);
    write_file(data + 1, size - 1);
    if (vn_config_load(spec, &config, 3, argv, positional, &n_positional, &done, &err) == VN_OK) {
        must(!done);
        check_values(spec, &config);
        vn_config_fini(spec, &config);
    } else {
        must(err.text[0]);
    }
    return 0;
}
