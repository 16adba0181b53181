/* zisk-coordinator register, execute: guest programs that the coordinator keeps and hands to workers, and runs of them without a proof. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/coordinator/coordinator.h"
#include "services/coordinator/rpc.h"
#include "zisk_coordinator_api.pb-c.h"

#define MAX_INLINE (127u << 20) /* bytes; the rest of the 128 MiB message is its envelope */
#define AT(member) offsetof(struct program_config, member)

struct program_config {
    char *url, *program, *inputs_uri, *hints_uri, *output;
    uint64_t json, detach, priority, timeout_seconds;
};

#define URL {.flag = "coordinator-url", .type = VN_CONFIG_STRING, .offset = AT(url), .fallback = VN_DEFAULT_URL, .value_name = "URL", .help = "the coordinator"}
#define JSON {.flag = "json", .type = VN_CONFIG_BOOL, .offset = AT(json), .help = "print JSON and no progress"}

/* ---- register ---- */

static const struct vn_config_item register_items[] = {URL, JSON, {0}};
static const struct vn_config_spec register_spec = {
    .program = "zisk-coordinator register",
    .usage = "zisk-coordinator register ELF [options]",
    .about = "Gives the coordinator a guest program and prints its hash id, for prove --program and execute --program.",
    .items = register_items,
    .max_positional = 1,
};

static enum vn_status send_program(const struct program_config *c, const char *path, struct vn_error *err)
{
    Zisk__Coordinator__V1__RegisterGuestProgramRequest q = ZISK__COORDINATOR__V1__REGISTER_GUEST_PROGRAM_REQUEST__INIT;
    struct vn_rpc *rpc = NULL;
    ProtobufCMessage *m;
    enum vn_status s = vn_file_read(path, MAX_INLINE, &q.zisk_elf.data, &q.zisk_elf.len, err);
    if (s == VN_OK)
        s = vn_rpc_open(&rpc, c->url, err);
    if (s == VN_OK)
        s = vn_rpc_call(rpc, VN_RPC_COORDINATOR "RegisterGuestProgram", &q.base, &zisk__coordinator__v1__register_guest_program_response__descriptor,
                        VN_ANSWER_NS, &m, err);
    if (s == VN_OK) {
        const char *hash = ((Zisk__Coordinator__V1__RegisterGuestProgramResponse *)m)->hash_id;
        if (c->json) {
            cJSON *o = cJSON_CreateObject();
            cJSON_AddStringToObject(o, "hash_id", hash);
            char *text = cJSON_PrintUnformatted(o);
            puts(text ? text : "{}");
            cJSON_free(text);
            cJSON_Delete(o);
        } else {
            puts(hash);
        }
        protobuf_c_message_free_unpacked(m, NULL);
    }
    vn_rpc_close(rpc);
    free(q.zisk_elf.data);
    return s;
}

int vn_register_main(int argc, char **argv)
{
    struct program_config c = {0};
    struct vn_error err = {0};
    const char *path[2];
    unsigned n = 0;
    int done = 0;
    enum vn_status s = vn_config_load(&register_spec, &c, argc, argv, path, &n, &done, &err);
    if (s == VN_OK && !done)
        s = n ? send_program(&c, path[0], &err) : vn_fail(&err, VN_ERR_ARGUMENT, "the ELF file is missing; see --help");
    vn_config_fini(&register_spec, &c);
    return vn_report("register", s, &err);
}

/* ---- execute ---- */

static const struct vn_config_item execute_items[] = {
    {.flag = "program", .type = VN_CONFIG_STRING, .offset = AT(program), .value_name = "HASH", .help = "hash id of a registered program (required)"},
    {.flag = "inputs-uri", .type = VN_CONFIG_STRING, .offset = AT(inputs_uri), .value_name = "FILE", .help = "input file; its bytes go with the request"},
    {.flag = "hints-uri", .type = VN_CONFIG_STRING, .offset = AT(hints_uri), .value_name = "URI",
     .help = "precompile hints: a source on the coordinator's host, file://PATH or unix://PATH"},
    URL,
    {.flag = "priority", .type = VN_CONFIG_NUMBER, .offset = AT(priority), .fallback = "0", .max = 1000000, .value_name = "N",
     .help = "of waiting jobs, those with the largest number start first"},
    {.flag = "output", .short_flag = 'o', .type = VN_CONFIG_STRING, .offset = AT(output), .value_name = "FILE", .help = "write the public outputs to this file"},
    {.flag = "detach", .type = VN_CONFIG_BOOL, .offset = AT(detach), .conflicts = "output", .help = "print the job's id and do not wait"},
    {.flag = "timeout", .type = VN_CONFIG_NUMBER, .offset = AT(timeout_seconds), .fallback = "0", .max = 604800, .value_name = "SECONDS",
     .help = "stop waiting after so long; the job goes on (0: never)"},
    JSON,
    {0},
};
static const struct vn_config_spec execute_spec = {
    .program = "zisk-coordinator execute",
    .usage = "zisk-coordinator execute --program HASH [options]",
    .about = "Runs a registered program on the cluster without proving it. Ctrl-C cancels the job.",
    .items = execute_items,
};

static enum vn_status request(struct vn_rpc *rpc, const struct program_config *c, char **job_id, struct vn_error *err)
{
    Zisk__Coordinator__V1__InputChunk chunk = ZISK__COORDINATOR__V1__INPUT_CHUNK__INIT;
    Zisk__Coordinator__V1__InputKind input = ZISK__COORDINATOR__V1__INPUT_KIND__INIT, hints = ZISK__COORDINATOR__V1__INPUT_KIND__INIT;
    Zisk__Coordinator__V1__ExecuteRequest execute = ZISK__COORDINATOR__V1__EXECUTE_REQUEST__INIT;
    Zisk__Coordinator__V1__JobKind kind = ZISK__COORDINATOR__V1__JOB_KIND__INIT;
    Zisk__Coordinator__V1__JobRequestMessage q = ZISK__COORDINATOR__V1__JOB_REQUEST_MESSAGE__INIT;
    input.kind_case = ZISK__COORDINATOR__V1__INPUT_KIND__KIND_INLINE;
    input.inline_ = &chunk;
    hints.kind_case = ZISK__COORDINATOR__V1__INPUT_KIND__KIND_STREAM_URI;
    hints.stream_uri = c->hints_uri;
    execute.hash_id = c->program;
    execute.input = &input;
    execute.hints = c->hints_uri ? &hints : NULL;
    execute.priority = (uint32_t)c->priority;
    kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND__KIND_EXECUTE;
    kind.execute = &execute;
    q.job_kind = &kind;
    enum vn_status s = c->inputs_uri ? vn_file_read(c->inputs_uri, MAX_INLINE, &chunk.data.data, &chunk.data.len, err) : VN_OK;
    ProtobufCMessage *m;
    if (s == VN_OK)
        s = vn_rpc_call(rpc, VN_RPC_COORDINATOR "JobRequest", &q.base, &zisk__coordinator__v1__job_response__descriptor, VN_ANSWER_NS, &m, err);
    free(chunk.data.data);
    if (s != VN_OK)
        return s;
    *job_id = strdup(((Zisk__Coordinator__V1__JobResponse *)m)->job_id);
    protobuf_c_message_free_unpacked(m, NULL);
    return *job_id ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "out of memory");
}

static enum vn_status execute_work(const struct program_config *c, struct vn_error *err)
{
    struct vn_rpc *rpc = NULL;
    char *job_id = NULL;
    enum vn_status s = c->output ? vn_file_writable(c->output, err) : VN_OK;
    if (s == VN_OK)
        s = vn_rpc_open(&rpc, c->url, err);
    if (s == VN_OK)
        s = request(rpc, c, &job_id, err);
    if (s == VN_OK && c->detach) {
        puts(job_id);
    } else if (s == VN_OK) {
        if (!c->json)
            fprintf(stderr, "job %s\n", job_id);
        vn_rpc_catch_interrupts();
        struct vn_follow follow = {
            .job_id = job_id, .output = c->output, .json = (int)c->json, .timeout_ns = c->timeout_seconds * 1000000000u, .cancel_on_interrupt = 1};
        s = vn_follow(rpc, &follow, err);
    }
    vn_rpc_close(rpc);
    free(job_id);
    return s;
}

int vn_execute_main(int argc, char **argv)
{
    struct program_config c = {0};
    struct vn_error err = {0};
    unsigned n = 0;
    int done = 0;
    enum vn_status s = vn_config_load(&execute_spec, &c, argc, argv, NULL, &n, &done, &err);
    if (s == VN_OK && !done && !c.program)
        s = vn_fail(&err, VN_ERR_ARGUMENT, "--program HASH is required; 'zisk-coordinator register ELF' prints it");
    else if (s == VN_OK && !done && c.hints_uri && strncmp(c.hints_uri, "quic://", 7) == 0)
        s = vn_fail(&err, VN_ERR_UNSUPPORTED, "--hints-uri: quic:// is not supported, there is no QUIC library to build on; use file:// or unix://");
    else if (s == VN_OK && !done)
        s = execute_work(&c, &err);
    vn_config_fini(&execute_spec, &c);
    return vn_report("execute", s, &err);
}
