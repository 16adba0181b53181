/* The same table as --help, one row an item, for people who read documentation. Vertical bars inside a cell are escaped. */
#include "libshared/config.h"

#include <stdio.h>

static void cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputs("\\|", f);
        else if (*text == '<')
            fputs("&lt;", f);
        else
            fputc(*text, f);
    }
}

static void flag_cell(FILE *f, const struct vn_config_item *it)
{
    if (!it->flag)
        return;
    fputc('`', f);
    if (it->short_flag)
        fprintf(f, "-%c, ", it->short_flag);
    fprintf(f, "--%s", it->flag);
    const char *value = it->value_name ? it->value_name : "VALUE";
    if (it->type == VN_CONFIG_OPTVAL)
        fprintf(f, "[=%s]", value);
    else if (it->type != VN_CONFIG_BOOL && it->type != VN_CONFIG_COUNT)
        fprintf(f, " %s", value);
    fputc('`', f);
}

static void type_cell(FILE *f, const struct vn_config_item *it)
{
    switch (it->type) {
    case VN_CONFIG_STRING:
    case VN_CONFIG_OPTVAL:
        cell(f, it->choices ? it->choices : "text");
        break;
    case VN_CONFIG_LIST:
        fputs("list of texts", f);
        break;
    case VN_CONFIG_BOOL:
        fputs("true, false", f);
        break;
    case VN_CONFIG_COUNT:
        fputs("how often given", f);
        break;
    case VN_CONFIG_NUMBER:
        if (it->max)
            fprintf(f, "%llu to %llu", (unsigned long long)it->min, (unsigned long long)it->max);
        else
            fprintf(f, "number from %llu", (unsigned long long)it->min);
        break;
    }
}

void vn_config_table(const struct vn_config_spec *spec, void *file)
{
    FILE *f = file;
    fputs("| Key | Flag | Environment | Values | Default | Meaning |\n|---|---|---|---|---|---|\n", f);
    int has_keys = 0;
    for (const struct vn_config_item *it = spec->items; it->key || it->flag; it++) {
        has_keys |= it->key != NULL;
        fprintf(f, "| %s%s%s | ", it->key ? "`" : "", it->key ? it->key : "", it->key ? "`" : "");
        flag_cell(f, it);
        fprintf(f, " | %s | ", it->env ? it->env : "");
        type_cell(f, it);
        fprintf(f, " | %s | ", it->fallback ? it->fallback : it->type == VN_CONFIG_BOOL ? "false" : "");
        cell(f, it->help ? it->help : "");
        if (it->conflicts)
            fprintf(f, "; not together with `--%s`", it->conflicts);
        fputs(" |\n", f);
    }
    if (has_keys)
        fprintf(f, "| | `--config FILE` | %s | text | | configuration file |\n", spec->path_env ? spec->path_env : "");
    fputs("| | `-h, --help` | | | | print a list of the options |\n| | `-V, --version` | | | | print the version |\n", f);
}
