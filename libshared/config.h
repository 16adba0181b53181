#ifndef VN_CONFIG_H
#define VN_CONFIG_H
/* One table per process describes every key and flag; parser, --help and checks come from it.
 * Precedence: default < file (INI through inih, "section.key", quoted strings, dotted keys) < environment < command line. Unknown keys, wrong
 * types, values out of range and conflicting flags are errors that name file, line and key. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

enum vn_config_type {
    VN_CONFIG_STRING, /* char * (malloc'ed, NULL when unset) */
    VN_CONFIG_NUMBER, /* uint64_t */
    VN_CONFIG_BOOL,   /* uint64_t 0/1; a flag without value */
    VN_CONFIG_COUNT,  /* uint64_t; -v -v or -vv adds up */
    VN_CONFIG_OPTVAL, /* char *; flag with an optional =value ("" when given bare) */
    VN_CONFIG_LIST,   /* char ** NULL-terminated; flag may be repeated */
};

struct vn_config_item {
    const char *key;     /* "server.port"; NULL = no file key */
    const char *flag;    /* "port" for --port; NULL = no flag */
    char short_flag;     /* 'p' or 0 */
    const char *env;     /* environment variable or NULL */
    enum vn_config_type type;
    size_t offset;       /* into the process's config struct */
    const char *fallback; /* default as text; NULL = unset / 0 */
    uint64_t min, max;   /* numbers; max 0 = no limit */
    const char *choices; /* strings: "pretty|json|compact" or NULL */
    const char *conflicts; /* other flag it excludes, or NULL */
    const char *value_name; /* for --help: "PORT" */
    const char *help;
};

struct vn_config_spec {
    const char *program;  /* "zisk-coordinator" */
    const char *usage;    /* lines after "Usage: " */
    const char *about;
    const struct vn_config_item *items; /* ends with an item without key and flag */
    const char *path_env; /* variable naming the file when --config is not given, or NULL; "--config" is built in when the spec has any key */
    unsigned max_positional;
    const char *epilog;   /* printed after the options, may be NULL */
};

/* Fills *config (caller's struct, zeroed first). Positionals are returned in `positional` (pointers into argv).
 * --help, --version and --dump-config-table print to stdout and make *done = 1 (nothing is loaded then). On failure everything loaded is freed.
 * A value of one source replaces that of a weaker one; lists are replaced whole. An item given twice in one source is an error, except for
 * repeated list flags and counts; `conflicts` looks at items given in the same source. An empty environment variable counts as unset. */
enum vn_status vn_config_load(const struct vn_config_spec *spec, void *config, int argc, char **argv, const char **positional, unsigned *n_positional,
                              int *done, struct vn_error *err) VN_MUST_CHECK;
void vn_config_fini(const struct vn_config_spec *spec, void *config);
void vn_config_help(const struct vn_config_spec *spec, void *file /* FILE * */);
/* The table for docs/configuration.md, in Markdown. --dump-config-table, which --help does not show, prints it in every process. */
void vn_config_table(const struct vn_config_spec *spec, void *file /* FILE * */);

#endif
