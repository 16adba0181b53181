/* Server reflection, v1 and v1alpha (the same bytes). The descriptor set of the public API is part of the program; its
 * files are handed out as the raw bytes they are there, and unpacked once to index which file declares which name. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "libshared/log.h"
#include "services/gateway/gateway.h"

#define MAX_FILES 64u
#define MAX_NAME 512u

__asm__(".pushsection .rodata\n"
        "vn_descriptor_set:\n"
        ".incbin \"" VENUS_DESCRIPTOR_SET "\"\n"
        "vn_descriptor_set_end:\n"
        ".popsection\n");
extern const uint8_t vn_descriptor_set[] __attribute__((visibility("hidden")));
extern const uint8_t vn_descriptor_set_end[] __attribute__((visibility("hidden")));

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;

struct file {
    ProtobufCBinaryData raw;
    file_proto *proto;
};
struct symbol {
    char *name;
    unsigned file;
};
struct vn_reflection {
    struct file files[MAX_FILES];
    unsigned n_files;
    struct symbol *symbols; /* sorted by name */
    size_t n_symbols, room;
    char **services;
    size_t n_services;
    int failed;
};

static void qualify(struct vn_reflection *r, char out[MAX_NAME], const char *scope, const char *name)
{
    int n = snprintf(out, MAX_NAME, "%s%s%s", scope, *scope ? "." : "", name);
    r->failed |= n >= (int)MAX_NAME;
}

static void add(struct vn_reflection *r, unsigned file, const char *scope, const char *name)
{
    if (r->n_symbols == r->room) {
        size_t room = r->room ? 2 * r->room : 512;
        struct symbol *bigger = realloc(r->symbols, room * sizeof *bigger);
        if (!bigger) {
            r->failed = 1;
            return;
        }
        r->symbols = bigger;
        r->room = room;
    }
    char full[MAX_NAME];
    qualify(r, full, scope, name);
    char *copy = strdup(full);
    if (copy)
        r->symbols[r->n_symbols++] = (struct symbol){copy, file};
    else
        r->failed = 1;
}

static void add_enum(struct vn_reflection *r, unsigned file, const char *scope, const enum_proto *e)
{
    add(r, file, scope, e->name);
    for (size_t i = 0; i < e->n_value; i++)
        add(r, file, scope, e->value[i]->name); /* values are siblings of their type */
}

static void add_message(struct vn_reflection *r, unsigned file, const char *scope, const message_proto *m)
{
    char inner[MAX_NAME];
    qualify(r, inner, scope, m->name);
    add(r, file, scope, m->name);
    for (size_t i = 0; i < m->n_field; i++)
        add(r, file, inner, m->field[i]->name);
    for (size_t i = 0; i < m->n_oneof_decl; i++)
        add(r, file, inner, m->oneof_decl[i]->name);
    for (size_t i = 0; i < m->n_nested_type; i++)
        add_message(r, file, inner, m->nested_type[i]);
    for (size_t i = 0; i < m->n_enum_type; i++)
        add_enum(r, file, inner, m->enum_type[i]);
}

static void index_file(struct vn_reflection *r, unsigned file)
{
    const file_proto *f = r->files[file].proto;
    const char *package = f->package ? f->package : "";
    for (size_t i = 0; i < f->n_message_type; i++)
        add_message(r, file, package, f->message_type[i]);
    for (size_t i = 0; i < f->n_enum_type; i++)
        add_enum(r, file, package, f->enum_type[i]);
    for (size_t i = 0; i < f->n_service; i++) {
        char full[MAX_NAME];
        qualify(r, full, package, f->service[i]->name);
        add(r, file, package, f->service[i]->name);
        for (size_t k = 0; k < f->service[i]->n_method; k++)
            add(r, file, full, f->service[i]->method[k]->name);
        char **bigger = realloc(r->services, (r->n_services + 1) * sizeof *bigger);
        if (bigger) {
            r->services = bigger;
            r->services[r->n_services] = strdup(full);
            r->failed |= !r->services[r->n_services++];
        } else {
            r->failed = 1;
        }
    }
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name); }

struct vn_reflection *vn_reflection_new(void)
{
    struct vn_reflection *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    const uint8_t *p = vn_descriptor_set, *end = vn_descriptor_set_end;
    while (p < end && !r->failed) { /* repeated field 1 of FileDescriptorSet, nothing else */
        size_t len = 0;
        unsigned shift = 0;
        if (*p++ != 0x0a || r->n_files == MAX_FILES)
            abort();
        do
            len |= (size_t)(*p & 0x7f) << shift, shift += 7;
        while (*p++ & 0x80);
        struct file *f = &r->files[r->n_files];
        f->raw = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
        f->proto = google__protobuf__file_descriptor_proto__unpack(NULL, len, p);
        r->failed |= !f->proto;
        if (f->proto)
            index_file(r, r->n_files++);
        p += len;
    }
    if (r->failed) {
        vn_reflection_free(r);
        return NULL;
    }
    qsort(r->symbols, r->n_symbols, sizeof *r->symbols, by_name);
    return r;
}

void vn_reflection_free(struct vn_reflection *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_files; i++)
        google__protobuf__file_descriptor_proto__free_unpacked(r->files[i].proto, NULL);
    for (size_t i = 0; i < r->n_symbols; i++)
        free(r->symbols[i].name);
    for (size_t i = 0; i < r->n_services; i++)
        free(r->services[i]);
    free(r->symbols);
    free(r->services);
    free(r);
}

static int file_named(const struct vn_reflection *r, const char *name)
{
    for (unsigned i = 0; i < r->n_files; i++)
        if (strcmp(r->files[i].proto->name, name) == 0)
            return (int)i;
    return -1;
}

static int file_declaring(const struct vn_reflection *r, const char *name)
{
    struct symbol key = {(char *)(uintptr_t)(*name == '.' ? name + 1 : name), 0};
    const struct symbol *s = bsearch(&key, r->symbols, r->n_symbols, sizeof key, by_name);
    return s ? (int)s->file : -1;
}

/* The file first, then everything it imports, each once. */
static size_t closure(const struct vn_reflection *r, int file, ProtobufCBinaryData *out)
{
    unsigned list[MAX_FILES], n = 1;
    list[0] = (unsigned)file;
    for (unsigned i = 0; i < n; i++) {
        const file_proto *f = r->files[list[i]].proto;
        for (size_t k = 0; k < f->n_dependency; k++) {
            int d = file_named(r, f->dependency[k]);
            unsigned seen = 0;
            while (seen < n && list[seen] != (unsigned)d)
                seen++;
            if (d >= 0 && seen == n)
                list[n++] = (unsigned)d;
        }
    }
    for (unsigned i = 0; i < n; i++)
        out[i] = r->files[list[i]].raw;
    return n;
}

static grpc_slice answer(const struct vn_reflection *r, Grpc__Reflection__V1__ServerReflectionRequest *q)
{
    Grpc__Reflection__V1__ServerReflectionResponse a = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    Grpc__Reflection__V1__ExtensionNumberResponse numbers = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse services[MAX_FILES];
    Grpc__Reflection__V1__ServiceResponse *service_list[MAX_FILES];
    ProtobufCBinaryData raw[MAX_FILES];
    a.valid_host = q->host;
    a.original_request = q;
    a.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    a.error_response = &error;
    error.error_code = GRPC_STATUS_NOT_FOUND;

    int file = -1;
    switch (q->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        file = file_named(r, q->file_by_filename);
        error.error_message = (char *)(uintptr_t)"no file of that name";
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        file = file_declaring(r, q->file_containing_symbol);
        error.error_message = (char *)(uintptr_t)"no file declares that symbol";
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        error.error_message = (char *)(uintptr_t)"there are no extensions";
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        error.error_message = (char *)(uintptr_t)"no such type";
        if (file_declaring(r, q->all_extension_numbers_of_type) >= 0) {
            numbers.base_type_name = q->all_extension_numbers_of_type;
            a.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
            a.all_extension_numbers_response = &numbers;
        }
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        for (size_t i = 0; i < r->n_services && i < MAX_FILES; i++) {
            grpc__reflection__v1__service_response__init(&services[i]);
            services[i].name = r->services[i];
            service_list[i] = &services[i];
            list.n_service++;
        }
        list.service = service_list;
        a.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
        a.list_services_response = &list;
        break;
    default:
        error.error_code = GRPC_STATUS_INVALID_ARGUMENT;
        error.error_message = (char *)(uintptr_t)"the request asks for nothing";
        break;
    }
    if (file >= 0) {
        files.n_file_descriptor_proto = closure(r, file, raw);
        files.file_descriptor_proto = raw;
        a.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
        a.file_descriptor_response = &files;
    }
    return vn_slice_pack(&a.base);
}

void vn_reflection_received(struct vn_call *c, grpc_slice message)
{
    Grpc__Reflection__V1__ServerReflectionRequest *q =
        grpc__reflection__v1__server_reflection_request__unpack(NULL, GRPC_SLICE_LENGTH(message), GRPC_SLICE_START_PTR(message));
    if (!q) {
        vn_call_fail(c, VN_ERR_FORMAT, "malformed request");
        return;
    }
    (void)!vn_call_send(c, answer(c->gateway->reflection, q), 0);
    grpc__reflection__v1__server_reflection_request__free_unpacked(q, NULL);
}

void vn_reflection_half_closed(struct vn_call *c) { vn_call_finish(c, GRPC_STATUS_OK, NULL); }
void vn_reflection_sent(struct vn_call *c) { vn_call_receive(c); }
