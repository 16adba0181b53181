/* zisk-coordinator prove: launches a proof and, unless told otherwise, follows it to its end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/process.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/rpc.h"
#include "zisk_distributed_api.pb-c.h"

#define MAX_INLINE (127u << 20) /* bytes; the rest of the 128 MiB message is its envelope */
#define AT(member) offsetof(struct prove_config, member)

struct prove_config {
    char *inputs_uri, *data_id, *url, *hints_uri, *simulated_node, *program, *output;
    uint64_t capacity, minimal, direct, stream_hints, queue, priority, detach, timeout_seconds, json;
};

static const struct vn_config_item items[] = {
    {.flag = "inputs-uri", .type = VN_CONFIG_STRING, .offset = AT(inputs_uri), .value_name = "FILE",
     .help = "input file: a name below the workers' --inputs-folder, or with -x a file here"},
    {.flag = "compute-capacity", .short_flag = 'c', .type = VN_CONFIG_NUMBER, .offset = AT(capacity), .fallback = "0", .max = UINT32_MAX, .value_name = "N",
     .help = "compute units for the proof (required)"},
    {.flag = "minimal-compute-capacity", .short_flag = 'm', .type = VN_CONFIG_NUMBER, .offset = AT(minimal), .fallback = "0", .max = UINT32_MAX,
     .value_name = "N", .help = "start with as little as this (default: as much as --compute-capacity)"},
    {.flag = "coordinator-url", .type = VN_CONFIG_STRING, .offset = AT(url), .fallback = VN_DEFAULT_URL, .value_name = "URL", .help = "the coordinator"},
    {.flag = "data-id", .type = VN_CONFIG_STRING, .offset = AT(data_id), .value_name = "ID", .help = "label of the job (default: the input file's name)"},
    {.flag = "direct-inputs", .short_flag = 'x', .type = VN_CONFIG_BOOL, .offset = AT(direct), .help = "send the file's bytes with the request"},
    {.flag = "hints-uri", .type = VN_CONFIG_STRING, .offset = AT(hints_uri), .value_name = "URI",
     .help = "precompile hints: a file that every worker reads, or with --stream-hints a source on the coordinator's host, file://PATH or unix://PATH"},
    {.flag = "stream-hints", .type = VN_CONFIG_BOOL, .offset = AT(stream_hints), .help = "the coordinator streams the hints to the workers"},
    {.flag = "simulated-node", .type = VN_CONFIG_STRING, .offset = AT(simulated_node), .value_name = "N", .help = "do only this node's share of a simulated cluster; for tests, gives no proof"},
    {.flag = "program", .type = VN_CONFIG_STRING, .offset = AT(program), .value_name = "HASH",
     .help = "hash id of a registered program (default: the one the workers were started with)"},
    {.flag = "queue", .type = VN_CONFIG_BOOL, .offset = AT(queue), .help = "wait for workers instead of being refused when too few are idle"},
    {.flag = "priority", .type = VN_CONFIG_NUMBER, .offset = AT(priority), .fallback = "0", .max = 1000000, .value_name = "N",
     .help = "of waiting jobs, those with the largest number start first"},
    {.flag = "output", .short_flag = 'o', .type = VN_CONFIG_STRING, .offset = AT(output), .value_name = "FILE", .help = "write the proof to this file"},
    {.flag = "detach", .type = VN_CONFIG_BOOL, .offset = AT(detach), .conflicts = "output", .help = "print the job's id and do not wait for the proof"},
    {.flag = "timeout", .type = VN_CONFIG_NUMBER, .offset = AT(timeout_seconds), .fallback = "0", .max = 604800, .value_name = "SECONDS",
     .help = "stop waiting after so long; the job goes on (0: never)"},
    {.flag = "json", .type = VN_CONFIG_BOOL, .offset = AT(json), .help = "print the result as JSON and no progress"},
    {0},
};
static const struct vn_config_spec spec = {
    .program = "zisk-coordinator prove",
    .usage = "zisk-coordinator prove --inputs-uri FILE --compute-capacity N [options]",
    .about = "Asks a running coordinator for a proof, shows its progress and fetches it. Ctrl-C cancels the job.",
    .items = items,
};

/* The file's name without folder and last extension, or a new UUID. */
static void default_id(const char *uri, char out[256])
{
    const char *name = uri ? strrchr(uri, '/') : NULL;
    name = name ? name + 1 : uri;
    if (!name || !*name || snprintf(out, 256, "%s", name) >= 256) {
        vn_uuid(out, 1);
        return;
    }
    char *dot = strrchr(out, '.');
    if (dot && dot != out)
        *dot = 0;
}

static enum vn_status check(const struct prove_config *c, uint32_t *node, struct vn_error *err)
{
    if (c->capacity == 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "--compute-capacity N is required and must be greater than zero");
    if (c->minimal > c->capacity)
        return vn_fail(err, VN_ERR_ARGUMENT, "--minimal-compute-capacity must not exceed --compute-capacity");
    if (c->stream_hints && !c->hints_uri)
        return vn_fail(err, VN_ERR_ARGUMENT, "--stream-hints needs --hints-uri URI");
    if (c->hints_uri && strncmp(c->hints_uri, "quic://", 7) == 0)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "--hints-uri: quic:// is not supported, there is no QUIC library to build on; use file:// or unix://");
    if (c->priority && !c->queue)
        return vn_fail(err, VN_ERR_ARGUMENT, "--priority needs --queue");
    if (c->direct && !c->inputs_uri)
        return vn_fail(err, VN_ERR_ARGUMENT, "-x needs --inputs-uri FILE");
    if (c->simulated_node && c->output)
        return vn_fail(err, VN_ERR_ARGUMENT, "--simulated-node gives no proof that --output could take");
    if (c->simulated_node) {
        char *end;
        errno = 0;
        unsigned long v = strtoul(c->simulated_node, &end, 10);
        if (errno || !*c->simulated_node || *end || v > UINT32_MAX || *c->simulated_node == '-')
            return vn_fail(err, VN_ERR_ARGUMENT, "--simulated-node: '%s' is not a number", c->simulated_node);
        *node = (uint32_t)v;
    }
    return c->output ? vn_file_writable(c->output, err) : VN_OK;
}

static enum vn_status launch(struct vn_rpc *rpc, const struct prove_config *c, uint32_t node, char **job_id, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    char id[256];
    default_id(c->inputs_uri, id);
    q.data_id = c->data_id ? c->data_id : id;
    q.compute_capacity = (uint32_t)c->capacity;
    q.minimal_compute_capacity = (uint32_t)(c->minimal ? c->minimal : c->capacity);
    uint8_t *bytes = NULL;
    if (c->inputs_uri) {
        q.inputs_mode = c->direct ? ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA : ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_PATH;
        q.inputs_uri_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_URI_PRESENCE_INPUTS_URI;
        q.inputs_uri = c->inputs_uri;
    }
    if (c->direct) {
        enum vn_status s = vn_file_read(c->inputs_uri, MAX_INLINE, &bytes, &q.inputs_data.len, err);
        if (s != VN_OK)
            return s;
        q.inputs_data.data = bytes;
        q.inputs_data_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_DATA_PRESENCE_INPUTS_DATA;
    }
    if (c->hints_uri) {
        q.hints_mode = c->stream_hints ? ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM : ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_PATH;
        q.hints_uri_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__HINTS_URI_PRESENCE_HINTS_URI;
        q.hints_uri = c->hints_uri;
    }
    q.queue = c->queue != 0;
    q.priority = (uint32_t)c->priority;
    if (c->program)
        q.hash_id = c->program;
    if (c->simulated_node) {
        q.simulated_node_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__SIMULATED_NODE_PRESENCE_SIMULATED_NODE;
        q.simulated_node = node;
    }
    ProtobufCMessage *m;
    enum vn_status s = vn_rpc_call(rpc, VN_RPC_DISTRIBUTED "LaunchProof", &q.base, &zisk__distributed__api__v1__launch_proof_response__descriptor, VN_ANSWER_NS,
                                   &m, err);
    free(bytes);
    if (s == VN_ERR_CAPACITY) {
        struct vn_error why = *err;
        return vn_fail(err, s, "%.300s; 'zisk-coordinator workers' lists who is there, start more workers, ask for less with -c or -m, or wait with --queue", why.text);
    }
    if (s != VN_OK)
        return s;
    Zisk__Distributed__Api__V1__LaunchProofResponse *a = (Zisk__Distributed__Api__V1__LaunchProofResponse *)m;
    if (a->result_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__RESULT_JOB_ID) {
        *job_id = strdup(a->job_id);
        if (!*job_id)
            s = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    } else if (a->result_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__RESULT_ERROR) {
        s = vn_fail(err, VN_ERR_ARGUMENT, "%.400s", a->error->message);
    } else {
        s = vn_fail(err, VN_ERR_PEER, "the coordinator gave neither a job nor a reason");
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return s;
}

int vn_prove_main(int argc, char **argv)
{
    struct prove_config c = {0};
    struct vn_error err = {0};
    unsigned n = 0;
    int done = 0;
    uint32_t node = 0;
    char *job_id = NULL;
    struct vn_rpc *rpc = NULL;
    enum vn_status s = vn_config_load(&spec, &c, argc, argv, NULL, &n, &done, &err);
    if (s == VN_OK && !done) {
        s = check(&c, &node, &err);
        if (s == VN_OK)
            s = vn_rpc_open(&rpc, c.url, &err);
        if (s == VN_OK)
            s = launch(rpc, &c, node, &job_id, &err);
        if (s == VN_OK && c.detach) {
            puts(job_id);
        } else if (s == VN_OK) {
            if (!c.json)
                fprintf(stderr, "job %s\n", job_id);
            vn_rpc_catch_interrupts();
            struct vn_follow follow = {
                .job_id = job_id, .output = c.output, .json = (int)c.json, .timeout_ns = c.timeout_seconds * 1000000000u, .cancel_on_interrupt = 1,
                .simulated = c.simulated_node != NULL};
            s = vn_follow(rpc, &follow, &err);
        }
    }
    vn_rpc_close(rpc);
    free(job_id);
    vn_config_fini(&spec, &c);
    return vn_report("prove", s, &err);
}
