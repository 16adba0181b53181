/* Sources are applied from the weakest to the strongest: defaults, file, environment, command line. The command line is read twice: first only for
 * --help, --version and --config, then for good. Each item remembers the source that set it, which is how a stronger source replaces a value and
 * two values of the same source are found to be given twice or in conflict.
 * inih hands over section, name and the rest of the line, without the line's number: our reader counts the lines it has handed to inih, which
 * asks for one line at a time. Quotes, comments after a value and lists are taken apart here, so that inih's own handling of them is off. */
#include "libshared/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ITEMS = 128,
    MAX_LINE = 4096, /* bytes of a line in the file */
};

enum source { FROM_NOWHERE, FROM_DEFAULT, FROM_FILE, FROM_ENV, FROM_COMMAND_LINE };

struct loader {
    const struct vn_config_spec *spec;
    char *config;
    unsigned n_items;
    unsigned char source[MAX_ITEMS];
    const char *path; /* of the file being read */
    FILE *file;
    int line;
    int too_long;
    enum vn_status status; /* first failure inside inih's callbacks */
    struct vn_error *err;
};

/* Where a value stands, for messages: "etc/x.toml:12: server.port", "--port" or "VARIABLE". */
struct place {
    enum source source;
    char text[300];
};

static int item_is_end(const struct vn_config_item *it) { return !it->key && !it->flag; }

static char **string_at(struct loader *l, const struct vn_config_item *it) { return (char **)(void *)(l->config + it->offset); }
static uint64_t *number_at(struct loader *l, const struct vn_config_item *it) { return (uint64_t *)(void *)(l->config + it->offset); }
static char ***list_at(struct loader *l, const struct vn_config_item *it) { return (char ***)(void *)(l->config + it->offset); }

static void item_clear(char *config, const struct vn_config_item *it)
{
    void *at = config + it->offset;
    switch (it->type) {
    case VN_CONFIG_STRING:
    case VN_CONFIG_OPTVAL: {
        char **s = at;
        free(*s);
        *s = NULL;
        break;
    }
    case VN_CONFIG_LIST: {
        char ***list = at;
        for (char **p = *list; p && *p; p++)
            free(*p);
        free(*list);
        *list = NULL;
        break;
    }
    case VN_CONFIG_NUMBER:
    case VN_CONFIG_BOOL:
    case VN_CONFIG_COUNT:
        *(uint64_t *)at = 0;
        break;
    }
}

void vn_config_fini(const struct vn_config_spec *spec, void *config)
{
    for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++)
        item_clear(config, it);
}

/* ---- values ---- */

static int parse_number(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        unsigned digit = (unsigned)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return 0;
        v = v * 10 + digit;
    }
    *out = v;
    return 1;
}

static int is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices;; p++) {
        size_t k = strcspn(p, "|");
        if (k == n && memcmp(p, text, n) == 0)
            return 1;
        p += k;
        if (!*p)
            return 0;
    }
}

static enum vn_status set_number(struct loader *l, const struct vn_config_item *it, const char *text, const struct place *at)
{
    uint64_t v;
    uint64_t max = it->max ? it->max : UINT64_MAX;
    if (!parse_number(text, &v))
        return vn_fail(l->err, VN_ERR_ARGUMENT, "%s: expected a whole number, got \"%s\"", at->text, text);
    if (v < it->min || v > max)
        return vn_fail(l->err, VN_ERR_ARGUMENT, "%s: %llu is out of range (%llu to %llu)", at->text, (unsigned long long)v, (unsigned long long)it->min,
                       (unsigned long long)max);
    *number_at(l, it) = v;
    return VN_OK;
}

static enum vn_status set_bool(struct loader *l, const struct vn_config_item *it, const char *text, const struct place *at)
{
    int yes = strcmp(text, "true") == 0 || (at->source == FROM_ENV && strcmp(text, "1") == 0);
    int no = strcmp(text, "false") == 0 || (at->source == FROM_ENV && strcmp(text, "0") == 0);
    if (!yes && !no)
        return vn_fail(l->err, VN_ERR_ARGUMENT, "%s: expected true or false, got \"%s\"", at->text, text);
    *number_at(l, it) = (uint64_t)yes;
    return VN_OK;
}

static enum vn_status set_string(struct loader *l, const struct vn_config_item *it, const char *text, const struct place *at)
{
    if (it->choices && *text && !is_choice(it->choices, text))
        return vn_fail(l->err, VN_ERR_ARGUMENT, "%s: \"%s\" is not one of %s", at->text, text, it->choices);
    char *copy = strdup(text);
    if (!copy)
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for %s", at->text);
    free(*string_at(l, it));
    *string_at(l, it) = copy;
    return VN_OK;
}

static enum vn_status add_to_list(struct loader *l, const struct vn_config_item *it, const char *text, const struct place *at)
{
    char ***list = list_at(l, it);
    size_t n = 0;
    while (*list && (*list)[n])
        n++;
    char *copy = strdup(text);
    char **grown = copy ? realloc(*list, (n + 2) * sizeof **list) : NULL;
    if (!grown) {
        free(copy);
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for %s", at->text);
    }
    grown[n] = copy;
    grown[n + 1] = NULL;
    *list = grown;
    return VN_OK;
}

/* again: this source may set the item more than once (counts and lists). */
static enum vn_status take(struct loader *l, const struct vn_config_item *it, const struct place *at, int again)
{
    unsigned char *source = &l->source[it - l->spec->items];
    if (*source == at->source && !again)
        return vn_fail(l->err, VN_ERR_ARGUMENT, "%s: given twice", at->text);
    if (*source != at->source)
        item_clear(l->config, it);
    *source = (unsigned char)at->source;
    return VN_OK;
}

static enum vn_status set(struct loader *l, const struct vn_config_item *it, const char *text, const struct place *at)
{
    int again = it->type == VN_CONFIG_LIST || (it->type == VN_CONFIG_COUNT && at->source == FROM_COMMAND_LINE);
    enum vn_status s = take(l, it, at, again);
    if (s != VN_OK)
        return s;
    switch (it->type) {
    case VN_CONFIG_NUMBER:
    case VN_CONFIG_COUNT:
        return set_number(l, it, text, at);
    case VN_CONFIG_BOOL:
        return set_bool(l, it, text, at);
    case VN_CONFIG_STRING:
    case VN_CONFIG_OPTVAL:
        return set_string(l, it, text, at);
    case VN_CONFIG_LIST:
        return add_to_list(l, it, text, at);
    }
    return VN_ERR_INTERNAL;
}

/* ---- file ---- */

static char *skip_space(char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

static int is_rest_empty(char *s)
{
    s = skip_space(s);
    return *s == 0 || *s == '#' || *s == ';';
}

/* Takes a quoted string apart in place; *s stands on the opening quote and ends up behind the closing one. NULL: no closing quote or bad escape. */
static char *unquote(char **s)
{
    char quote = **s;
    char *out = *s + 1, *w = out, *r = out;
    for (; *r != quote; r++) {
        if (*r == 0)
            return NULL;
        if (quote == '"' && *r == '\\') {
            r++;
            static const char from[] = "\"\\nt";
            static const char to[] = "\"\\\n\t";
            const char *p = *r ? strchr(from, *r) : NULL;
            if (!p)
                return NULL;
            *w++ = to[p - from];
        } else {
            *w++ = *r;
        }
    }
    *w = 0;
    *s = r + 1;
    return out;
}

static char *unquoted(char *s)
{
    size_t n = 0;
    while (s[n] && !((s[n] == '#' || s[n] == ';') && (n == 0 || s[n - 1] == ' ' || s[n - 1] == '\t')))
        n++;
    s[n] = 0;
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        s[--n] = 0;
    return s;
}

static enum vn_status set_from_list(struct loader *l, const struct vn_config_item *it, char *s, const struct place *at)
{
    s = skip_space(s + 1);
    while (*s != ']') {
        char *text = *s == '"' || *s == '\'' ? unquote(&s) : NULL;
        if (!text)
            return vn_fail(l->err, VN_ERR_FORMAT, "%s: expected a list of quoted strings on one line", at->text);
        enum vn_status st = set(l, it, text, at);
        if (st != VN_OK)
            return st;
        s = skip_space(s);
        if (*s == ',')
            s = skip_space(s + 1);
        else if (*s != ']')
            return vn_fail(l->err, VN_ERR_FORMAT, "%s: expected , or ] in the list", at->text);
    }
    if (!is_rest_empty(s + 1))
        return vn_fail(l->err, VN_ERR_FORMAT, "%s: text after the list", at->text);
    return VN_OK;
}

static enum vn_status set_from_file(struct loader *l, const struct vn_config_item *it, char *s, const struct place *at)
{
    if (l->source[it - l->spec->items] == FROM_FILE)
        return vn_fail(l->err, VN_ERR_FORMAT, "%s: given twice", at->text);
    s = skip_space(s);
    int wants_text = it->type == VN_CONFIG_STRING || it->type == VN_CONFIG_LIST || it->type == VN_CONFIG_OPTVAL;
    if (*s == '[' && it->type == VN_CONFIG_LIST)
        return set_from_list(l, it, s, at);
    if (*s == '"' || *s == '\'') {
        char *text = unquote(&s);
        if (!text || !is_rest_empty(s))
            return vn_fail(l->err, VN_ERR_FORMAT, "%s: the quoted string does not end as it should", at->text);
        if (!wants_text)
            return vn_fail(l->err, VN_ERR_FORMAT, "%s: expected %s, got a string", at->text, it->type == VN_CONFIG_BOOL ? "true or false" : "a whole number");
        return set(l, it, text, at);
    }
    char *text = unquoted(s);
    if (!*text)
        return vn_fail(l->err, VN_ERR_FORMAT, "%s: no value", at->text);
    return set(l, it, text, at);
}

static char *read_line(char *buffer, int size, void *stream)
{
    struct loader *l = stream;
    if (l->status != VN_OK || !fgets(buffer, size, l->file))
        return NULL;
    l->line++;
    if (!strchr(buffer, '\n') && !feof(l->file)) {
        l->too_long = 1;
        return NULL;
    }
    return buffer;
}

static int handle_pair(void *user, const char *section, const char *name, const char *value)
{
    struct loader *l = user;
    if (l->status != VN_OK)
        return 0;
    char key[200];
    snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", name);
    struct place at = {.source = FROM_FILE};
    snprintf(at.text, sizeof at.text, "%.150s:%d: %.120s", l->path, l->line, key);
    for (const struct vn_config_item *it = l->spec->items; !item_is_end(it); it++)
        if (it->key && strcmp(it->key, key) == 0) {
            char copy[MAX_LINE];
            snprintf(copy, sizeof copy, "%s", value ? value : "");
            l->status = set_from_file(l, it, copy, &at);
            return l->status == VN_OK;
        }
    l->status = vn_fail(l->err, VN_ERR_FORMAT, "%s: unknown key", at.text);
    return 0;
}

static enum vn_status load_file(struct loader *l, const char *path)
{
    l->path = path;
    l->file = fopen(path, "re");
    if (!l->file)
        return vn_fail(l->err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot open the configuration file %s: %s", path, strerror(errno));
    ini_max_line = MAX_LINE;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    int rc = ini_parse_stream(read_line, l, handle_pair, l);
    fclose(l->file);
    if (l->status != VN_OK)
        return l->status;
    if (l->too_long)
        return vn_fail(l->err, VN_ERR_LIMIT, "%s:%d: the line is longer than %d bytes", path, l->line, MAX_LINE - 3);
    if (rc != 0)
        return vn_fail(l->err, VN_ERR_FORMAT, "%s:%d: expected [section] or key = value", path, rc);
    return VN_OK;
}

/* ---- command line ---- */

struct arguments {
    int argc, next;
    char **argv;
    int dry; /* first reading: only the built-in flags count */
    const char *config_path;
    int help, version, table;
    const char **positional;
    unsigned n_positional;
};

static int has_keys(const struct vn_config_spec *spec)
{
    for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++)
        if (it->key)
            return 1;
    return 0;
}

static const struct vn_config_item *item_of_flag(const struct vn_config_spec *spec, const char *name, size_t n)
{
    for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++)
        if (it->flag && strlen(it->flag) == n && memcmp(it->flag, name, n) == 0)
            return it;
    return NULL;
}

static const struct vn_config_item *item_of_letter(const struct vn_config_spec *spec, char letter)
{
    for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++)
        if (it->short_flag && it->short_flag == letter)
            return it;
    return NULL;
}

/* value: text given together with the flag, or NULL. */
static enum vn_status apply_flag(struct loader *l, struct arguments *a, const struct vn_config_item *it, const char *shown, const char *value)
{
    struct place at = {.source = FROM_COMMAND_LINE};
    snprintf(at.text, sizeof at.text, "%s", shown);
    if (it->type == VN_CONFIG_BOOL || it->type == VN_CONFIG_COUNT) {
        if (value)
            return vn_fail(l->err, VN_ERR_ARGUMENT, "%s takes no value", shown);
        if (a->dry)
            return VN_OK;
        if (it->type == VN_CONFIG_BOOL)
            return set(l, it, "true", &at);
        enum vn_status s = take(l, it, &at, 1);
        if (s == VN_OK)
            ++*number_at(l, it);
        return s;
    }
    if (it->type == VN_CONFIG_OPTVAL)
        value = value ? value : "";
    if (!value) {
        if (a->next >= a->argc)
            return vn_fail(l->err, VN_ERR_ARGUMENT, "%s needs a value", shown);
        value = a->argv[a->next++];
    }
    return a->dry ? VN_OK : set(l, it, value, &at);
}

static enum vn_status read_long(struct loader *l, struct arguments *a, const char *arg)
{
    const char *name = arg + 2;
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    char shown[80];
    snprintf(shown, sizeof shown, "--%.*s", (int)(n < 70 ? n : 70), name);
    const struct vn_config_item *it = item_of_flag(l->spec, name, n);
    if (it)
        return apply_flag(l, a, it, shown, value);
    if (!value && strcmp(name, "help") == 0)
        a->help = 1;
    else if (!value && strcmp(name, "version") == 0)
        a->version = 1;
    else if (!value && strcmp(name, "dump-config-table") == 0)
        a->table = 1;
    else if (n == 6 && memcmp(name, "config", 6) == 0 && has_keys(l->spec)) {
        if (!value && a->next < a->argc)
            value = a->argv[a->next++];
        if (!value)
            return vn_fail(l->err, VN_ERR_ARGUMENT, "--config needs a value");
        if (a->dry && a->config_path)
            return vn_fail(l->err, VN_ERR_ARGUMENT, "--config: given twice");
        a->config_path = value;
    } else {
        return vn_fail(l->err, VN_ERR_ARGUMENT, "unknown flag %s; see %s --help", shown, l->spec->program);
    }
    return VN_OK;
}

static enum vn_status read_short(struct loader *l, struct arguments *a, const char *arg)
{
    for (const char *p = arg + 1; *p; p++) {
        char shown[3] = {'-', *p, 0};
        const struct vn_config_item *it = item_of_letter(l->spec, *p);
        if (!it && *p == 'h') {
            a->help = 1;
            continue;
        }
        if (!it && *p == 'V') {
            a->version = 1;
            continue;
        }
        if (!it)
            return vn_fail(l->err, VN_ERR_ARGUMENT, "unknown flag %s; see %s --help", shown, l->spec->program);
        int has_value = p[1] && it->type != VN_CONFIG_BOOL && it->type != VN_CONFIG_COUNT;
        enum vn_status s = apply_flag(l, a, it, shown, has_value ? p + 1 + (p[1] == '=') : NULL);
        if (s != VN_OK || has_value)
            return s;
    }
    return VN_OK;
}

static enum vn_status read_arguments(struct loader *l, struct arguments *a)
{
    int only_positional = 0;
    a->next = 1;
    a->n_positional = 0;
    while (a->next < a->argc) {
        const char *arg = a->argv[a->next++];
        enum vn_status s = VN_OK;
        if (!only_positional && strcmp(arg, "--") == 0)
            only_positional = 1;
        else if (!only_positional && strncmp(arg, "--", 2) == 0)
            s = read_long(l, a, arg);
        else if (!only_positional && arg[0] == '-' && arg[1])
            s = read_short(l, a, arg);
        else if (a->n_positional >= l->spec->max_positional)
            s = vn_fail(l->err, VN_ERR_ARGUMENT, "unexpected argument \"%s\"; see %s --help", arg, l->spec->program);
        else {
            if (a->positional)
                a->positional[a->n_positional] = arg;
            a->n_positional++;
        }
        if (s != VN_OK)
            return s;
    }
    return VN_OK;
}

/* ---- the whole ---- */

static enum vn_status apply_defaults(struct loader *l)
{
    for (const struct vn_config_item *it = l->spec->items; !item_is_end(it); it++) {
        item_clear(l->config, it);
        if (!it->fallback)
            continue;
        struct place at = {.source = FROM_DEFAULT};
        snprintf(at.text, sizeof at.text, "default of %.100s", it->key ? it->key : it->flag);
        enum vn_status s = set(l, it, it->fallback, &at);
        if (s != VN_OK)
            return s;
    }
    return VN_OK;
}

static enum vn_status apply_environment(struct loader *l)
{
    for (const struct vn_config_item *it = l->spec->items; !item_is_end(it); it++) {
        const char *value = it->env ? getenv(it->env) : NULL;
        if (!value || !*value)
            continue;
        struct place at = {.source = FROM_ENV};
        snprintf(at.text, sizeof at.text, "%.100s (environment)", it->env);
        enum vn_status s = set(l, it, value, &at);
        if (s != VN_OK)
            return s;
    }
    return VN_OK;
}

static enum vn_status check_conflicts(struct loader *l)
{
    for (unsigned i = 0; i < l->n_items; i++) {
        const struct vn_config_item *it = &l->spec->items[i];
        if (!it->conflicts || l->source[i] < FROM_FILE)
            continue;
        const struct vn_config_item *other = item_of_flag(l->spec, it->conflicts, strlen(it->conflicts));
        if (other && l->source[other - l->spec->items] == l->source[i])
            return vn_fail(l->err, VN_ERR_ARGUMENT, "--%s cannot be used together with --%s", it->flag ? it->flag : it->key, it->conflicts);
    }
    return VN_OK;
}

static enum vn_status load(struct loader *l, struct arguments *a)
{
    enum vn_status s = apply_defaults(l);
    const char *path = a->config_path;
    if (!path && l->spec->path_env)
        path = getenv(l->spec->path_env);
    if (s == VN_OK && path && *path)
        s = load_file(l, path);
    if (s == VN_OK)
        s = apply_environment(l);
    if (s == VN_OK) {
        a->dry = 0;
        s = read_arguments(l, a);
    }
    return s == VN_OK ? check_conflicts(l) : s;
}

enum vn_status vn_config_load(const struct vn_config_spec *spec, void *config, int argc, char **argv, const char **positional, unsigned *n_positional,
                              int *done, struct vn_error *err)
{
    struct loader l = {.spec = spec, .config = config, .err = err};
    *done = 0;
    if (n_positional)
        *n_positional = 0;
    while (!item_is_end(&spec->items[l.n_items]))
        l.n_items++;
    if (l.n_items > MAX_ITEMS)
        return vn_fail(err, VN_ERR_INTERNAL, "%u configuration items, at most %d", l.n_items, MAX_ITEMS);

    struct arguments a = {.argc = argc, .argv = argv, .dry = 1, .positional = positional};
    enum vn_status s = read_arguments(&l, &a);
    if (a.help || a.version || a.table) {
        if (a.help)
            vn_config_help(spec, stdout);
        else if (a.table)
            vn_config_table(spec, stdout);
        else
            printf("%s %s\n", spec->program, VN_VERSION);
        *done = 1;
        return VN_OK;
    }
    if (s == VN_OK)
        s = load(&l, &a);
    if (s != VN_OK) {
        vn_config_fini(spec, config);
        return s;
    }
    if (n_positional)
        *n_positional = a.n_positional;
    return VN_OK;
}

/* ---- help ---- */

enum { HELP_COLUMN = 36 };

static void help_item(FILE *f, const struct vn_config_item *it, int with_flag)
{
    char left[160];
    const char *value = it->value_name ? it->value_name : "VALUE";
    size_t n = 0;
    if (with_flag) {
        if (it->short_flag)
            n = (size_t)snprintf(left, sizeof left, "  -%c, --%s", it->short_flag, it->flag);
        else
            n = (size_t)snprintf(left, sizeof left, "      --%s", it->flag);
        if (it->type == VN_CONFIG_OPTVAL)
            snprintf(left + n, sizeof left - n, "[=%s]", value);
        else if (it->type != VN_CONFIG_BOOL && it->type != VN_CONFIG_COUNT)
            snprintf(left + n, sizeof left - n, " <%s>", value);
    } else {
        snprintf(left, sizeof left, "  %s", it->key);
    }
    if (strlen(left) >= HELP_COLUMN)
        fprintf(f, "%s\n%*s", left, HELP_COLUMN, "");
    else
        fprintf(f, "%-*s", HELP_COLUMN, left);
    fputs(it->help ? it->help : "", f);
    if (it->type == VN_CONFIG_LIST)
        fputs(" (may be repeated)", f);
    if (it->choices)
        fprintf(f, " [%s]", it->choices);
    if (it->fallback && *it->fallback)
        fprintf(f, " [default: %s]", it->fallback);
    if (it->key && with_flag)
        fprintf(f, " [key: %s]", it->key);
    if (it->env)
        fprintf(f, " [env: %s]", it->env);
    if (it->conflicts)
        fprintf(f, " [not with --%s]", it->conflicts);
    fputc('\n', f);
}

void vn_config_help(const struct vn_config_spec *spec, void *file)
{
    FILE *f = file;
    if (spec->about)
        fprintf(f, "%s\n\n", spec->about);
    fprintf(f, "Usage: %s\n\nOptions:\n", spec->usage ? spec->usage : spec->program);
    int key_only = 0;
    for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++) {
        if (it->flag)
            help_item(f, it, 1);
        else
            key_only = 1;
    }
    if (has_keys(spec)) {
        fprintf(f, "%-*sConfiguration file", HELP_COLUMN, "      --config <FILE>");
        if (spec->path_env)
            fprintf(f, " [env: %s]", spec->path_env);
        fputc('\n', f);
    }
    fprintf(f, "%-*sPrint this help\n%-*sPrint the version\n", HELP_COLUMN, "  -h, --help", HELP_COLUMN, "  -V, --version");
    if (key_only) {
        fputs("\nIn the configuration file only:\n", f);
        for (const struct vn_config_item *it = spec->items; !item_is_end(it); it++)
            if (!it->flag)
                help_item(f, it, 0);
    }
    if (spec->epilog)
        fprintf(f, "\n%s\n", spec->epilog);
}
