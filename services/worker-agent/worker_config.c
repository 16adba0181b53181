/* Keys, flags and defaults are those of the public documentation; engine, shard-log2, backend and metrics are this worker's own. */
#include "services/worker-agent/worker_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/process.h"
#include "services/worker-agent/link.h"

#define AT(field) offsetof(struct vn_worker_config, field)
#define ONE_DAY_S 86400u
#define DEFAULT_PROVING_KEY "~/.zisk/provingKey"
#define DEFAULT_ASM "~/.zisk/cache"
#define COMPONENTS_TEXT "cancel, coordinator, directories, engine, hints, job, message, option, task, worker"

static const struct vn_config_item items[] = {
    {.key = "worker.worker_id", .flag = "worker-id", .type = VN_CONFIG_STRING, .offset = AT(worker_id), .value_name = "ID",
     .help = "unique name of this worker (default: a random UUID)"},
    {.key = "worker.compute_capacity.compute_units", .flag = "compute-capacity", .type = VN_CONFIG_NUMBER, .offset = AT(compute_units), .fallback = "10",
     .min = 1, .max = 1u << 20, .value_name = "UNITS", .help = "compute units this worker offers"},
    {.key = "worker.environment", .type = VN_CONFIG_STRING, .offset = AT(environment), .fallback = "development", .help = "service environment; shows in the log only"},
    {.key = "worker.inputs_folder", .flag = "inputs-folder", .short_flag = 'i', .type = VN_CONFIG_STRING, .offset = AT(inputs_folder), .fallback = ".",
     .value_name = "FOLDER", .help = "folder that input files are looked for in"},
    {.key = "coordinator.url", .flag = "coordinator-url", .short_flag = 'c', .type = VN_CONFIG_STRING, .offset = AT(url),
     .fallback = "http://127.0.0.1:50051", .value_name = "URL", .help = "coordinator: http://HOST:PORT, or its bus as tcp://HOST:PORT or ipc://PATH"},
    {.key = "connection.reconnect_interval_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(reconnect_s), .fallback = "5", .min = 1, .max = ONE_DAY_S,
     .help = "first pause before connecting again; doubles up to a minute"},
    {.key = "connection.heartbeat_timeout_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(heartbeat_timeout_s), .fallback = "30", .min = 1,
     .max = ONE_DAY_S, .help = "silence after which the coordinator counts as lost"},
    {.key = "logging.level", .env = "RUST_LOG", .type = VN_CONFIG_STRING, .offset = AT(log_level), .fallback = "debug",
     .help = "error, warn, info, debug or trace; single components as in info,engine=debug"},
    {.key = "logging.format", .type = VN_CONFIG_STRING, .offset = AT(log_format), .fallback = "pretty", .choices = "pretty|json|compact",
     .help = "form of log lines"},
    {.key = "logging.file_path", .type = VN_CONFIG_STRING, .offset = AT(log_path), .help = "log to this file as well; SIGHUP opens it anew"},
    {.key = "metrics.host", .flag = "metrics-host", .type = VN_CONFIG_STRING, .offset = AT(metrics_host), .fallback = "127.0.0.1", .value_name = "HOST",
     .help = "address to serve metrics on"},
    {.key = "metrics.port", .flag = "metrics-port", .type = VN_CONFIG_NUMBER, .offset = AT(metrics_port), .fallback = "0", .min = 0, .max = 65535,
     .value_name = "PORT", .help = "serve metrics over HTTP on this port; 0: not at all"},
    {.flag = "proving-key", .short_flag = 'k', .type = VN_CONFIG_STRING, .offset = AT(proving_key), .value_name = "FOLDER",
     .help = "folder that set-up data of programs is kept in (default: " DEFAULT_PROVING_KEY ")"},
    {.flag = "elf", .short_flag = 'e', .type = VN_CONFIG_STRING, .offset = AT(elf), .value_name = "FILE", .help = "guest program (required)"},
    {.flag = "asm", .short_flag = 's', .type = VN_CONFIG_STRING, .offset = AT(asm_path), .conflicts = "emulator", .value_name = "FOLDER",
     .help = "execute natively, and keep translated programs in this folder (default: " DEFAULT_ASM ")"},
    {.flag = "emulator", .short_flag = 'l', .type = VN_CONFIG_BOOL, .offset = AT(emulator), .help = "interpret the program instead of running its translation"},
    {.flag = "asm-port", .type = VN_CONFIG_NUMBER, .offset = AT(asm_port), .fallback = "23115", .min = 1, .max = 65535, .conflicts = "emulator",
     .value_name = "PORT", .help = "base port of a native executor's services; ours runs inside the engine and opens no port"},
    {.flag = "shared-tables", .short_flag = 'j', .type = VN_CONFIG_BOOL, .offset = AT(shared_tables),
     .help = "one copy of the preprocessed tables for all engines of this user on the host, in shared memory"},
    {.flag = "verbose", .short_flag = 'v', .type = VN_CONFIG_COUNT, .offset = AT(verbose),
     .help = "log level: -v warn, -vv info, -vvv debug, -vvvv trace; stronger than RUST_LOG and logging.level, which count without -v"},
    {.flag = "debug", .short_flag = 'd', .type = VN_CONFIG_OPTVAL, .offset = AT(debug), .value_name = "COMPONENTS",
     .help = "log debug lines; with a list (such as engine,job) those of these components only: " COMPONENTS_TEXT},
    {.flag = "verify-constraints", .type = VN_CONFIG_BOOL, .offset = AT(verify_constraints),
     .help = "check every witness against all constraints before proving it (slower)"},
    {.flag = "unlock-mapped-memory", .type = VN_CONFIG_BOOL, .offset = AT(unlock_mapped_memory), .conflicts = "emulator",
     .help = "do not lock translated programs in physical memory"},
    {.flag = "hints", .type = VN_CONFIG_BOOL, .offset = AT(hints),
     .help = "process precompile hints: input and pass-through hints; those that ask for a computation are refused by name"},
    {.flag = "minimal-memory", .short_flag = 'm', .type = VN_CONFIG_BOOL, .offset = AT(minimal_memory),
     .help = "half the memory for more time: keep no witness packages but execute again before every piece of work, for as many shards as -t engines take; keep no codewords but make them again"},
    {.flag = "rma", .short_flag = 'r', .type = VN_CONFIG_BOOL, .offset = AT(rma), .help = "RMA mode; there is no MPI here, workers talk to the coordinator only"},
    {.flag = "preallocate", .short_flag = 'z', .type = VN_CONFIG_BOOL, .offset = AT(preallocate),
     .help = "with --backend cuda: each engine takes its part of the GPU's memory when it starts, 90 % divided by -t"},
    {.flag = "max-streams", .short_flag = 't', .type = VN_CONFIG_NUMBER, .offset = AT(max_streams), .fallback = "1", .min = 1, .max = VN_AGENT_MAX_SLOTS,
     .value_name = "N", .help = "engines that work at the same time, each on other shards"},
    {.flag = "number-threads-witness", .short_flag = 'n', .type = VN_CONFIG_NUMBER, .offset = AT(threads), .min = 1, .max = 1024, .value_name = "N",
     .help = "threads of an engine (default: the cores divided by -t)"},
    {.flag = "max-witness-stored", .short_flag = 'x', .type = VN_CONFIG_NUMBER, .offset = AT(max_witness_stored), .min = 1, .max = VN_JOB_MAX_SHARDS,
     .value_name = "N", .help = "witness packages kept in shared memory at a time; others are made again when needed (default: all)"},
    {.flag = "engine", .type = VN_CONFIG_STRING, .offset = AT(engine), .value_name = "FILE", .help = "engine executable (default: venus-engine beside this program)"},
    {.flag = "shard-log2", .type = VN_CONFIG_NUMBER, .offset = AT(shard_log2), .min = 10, .max = 20, .value_name = "N",
     .help = "at most 2^N instructions a shard (default: the engine's); the same on all workers of a job"},
    {.flag = "backend", .type = VN_CONFIG_STRING, .offset = AT(backend), .value_name = "NAME", .choices = "auto|scalar|avx2|avx512|cuda",
     .help = "what engines compute with: an instruction set, or cuda, a GPU (default: auto, the best instruction set there is)"},
    {0},
};

const struct vn_config_spec vn_worker_spec = {
    .program = "zisk-worker",
    .usage = "zisk-worker --elf FILE [OPTIONS]",
    .about = "Worker of a proving cluster: connects to a coordinator, offers compute units and proves what it is given.",
    .items = items,
    .path_env = "ZISK_WORKER_CONFIG_PATH",
};

static enum vn_status replace(char **value, const char *with, struct vn_error *err)
{
    char *copy = strdup(with);
    if (!copy)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    free(*value);
    *value = copy;
    return VN_OK;
}

static enum vn_status check_id(struct vn_worker_config *c, struct vn_error *err)
{
    if (!c->worker_id || !c->worker_id[0]) {
        char uuid[37];
        vn_uuid(uuid, 0);
        return replace(&c->worker_id, uuid, err);
    }
    if (strlen(c->worker_id) > 64)
        return vn_fail(err, VN_ERR_ARGUMENT, "The worker id has more than 64 characters");
    for (const char *p = c->worker_id; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"')
            return vn_fail(err, VN_ERR_ARGUMENT, "The worker id may hold printable ASCII characters without spaces and quotes only");
    return VN_OK;
}

static enum vn_status check_elf(struct vn_worker_config *c, struct vn_error *err)
{
    if (!c->elf || !c->elf[0])
        return vn_fail(err, VN_ERR_ARGUMENT, "The guest program is missing: give it with --elf FILE");
    int fd = open(c->elf, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? vn_fail(err, VN_ERR_NOT_FOUND, "ELF file '%s' not found", c->elf)
                               : vn_fail(err, VN_ERR_PERMISSION, "ELF file '%s' cannot be read: %s", c->elf, strerror(errno));
    struct stat st;
    char magic[4] = "";
    int regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int elf = regular && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && memcmp(magic, "\177ELF", 4) == 0;
    close(fd);
    if (!elf)
        return vn_fail(err, VN_ERR_FORMAT, "'%s' is not an ELF file", c->elf);
    char resolved[PATH_MAX];
    if (!realpath(c->elf, resolved))
        return vn_fail(err, VN_ERR_IO, "ELF file '%s': %s", c->elf, strerror(errno));
    return replace(&c->elf, resolved, err);
}

static enum vn_status check_inputs(struct vn_worker_config *c, struct vn_error *err)
{
    struct stat st;
    if (stat(c->inputs_folder, &st) != 0)
        return vn_fail(err, VN_ERR_NOT_FOUND, "The inputs folder '%s' cannot be opened: %s", c->inputs_folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return vn_fail(err, VN_ERR_ARGUMENT, "The inputs folder '%s' is not a folder", c->inputs_folder);
    return VN_OK;
}

/* mkdir -p */
static int make_folders(const char *path)
{
    char part[PATH_MAX];
    if (strlen(path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return 0;
    }
    for (size_t i = 0;; i++) {
        if (i > 0 && (path[i] == '/' || path[i] == '\0')) {
            part[i] = '\0';
            if (mkdir(part, 0777) != 0 && errno != EEXIST)
                return 0;
        }
        if (path[i] == '\0')
            return 1;
        part[i] = path[i];
    }
}

/* Makes the folder where it is missing and resolves it to an absolute path; 0 with errno when it cannot be used. */
static int find_folder(const char *wanted, char resolved[PATH_MAX])
{
    char path[PATH_MAX];
    const char *home = getenv("HOME");
    int n = wanted[0] == '~' && wanted[1] == '/' && home && home[0] ? snprintf(path, sizeof path, "%s%s", home, wanted + 1)
                                                                    : snprintf(path, sizeof path, "%s", wanted);
    if (n <= 0 || (size_t)n >= sizeof path || path[0] == '~') {
        errno = n > 0 && path[0] != '~' ? ENAMETOOLONG : ENOENT;
        return 0;
    }
    struct stat st;
    if (!make_folders(path) || stat(path, &st) != 0 || !realpath(path, resolved))
        return 0;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

/* A folder that was asked for must be there; one that cannot be written to is left alone and the default one taken. Without that the engine works
 * without a cache. */
static enum vn_status check_proving_key(struct vn_worker_config *c, struct vn_error *err)
{
    char path[PATH_MAX];
    int asked = c->proving_key && c->proving_key[0];
    if (asked && !find_folder(c->proving_key, path))
        return vn_fail(err, VN_ERR_ARGUMENT, "The proving key folder '%s' cannot be used: %s", c->proving_key, strerror(errno));
    c->proving_key_read_only = asked && access(path, W_OK) != 0;
    if (asked && !c->proving_key_read_only)
        return replace(&c->proving_key, path, err);
    int usable = find_folder(DEFAULT_PROVING_KEY, path) && access(path, W_OK) == 0;
    return replace(&c->proving_key, usable ? path : "", err);
}

static enum vn_status check_engine(struct vn_worker_config *c, struct vn_error *err)
{
    char path[PATH_MAX];
    if (!c->engine || !c->engine[0]) {
        enum vn_status s = vn_process_sibling("venus-engine", path, sizeof path);
        if (s != VN_OK)
            return vn_fail(err, s, "The folder of this program cannot be found");
        s = replace(&c->engine, path, err);
        if (s != VN_OK)
            return s;
    }
    if (access(c->engine, X_OK) != 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_PERMISSION, "The engine '%s' cannot be run: %s", c->engine, strerror(errno));
    return VN_OK;
}

static int is_everything(const char *filter) { return !filter[0] || strcmp(filter, "all") == 0; }

static enum vn_status check_components(const struct vn_worker_config *c, struct vn_error *err)
{
    for (const char *s = c->debug && !is_everything(c->debug) ? c->debug : ""; *s;) {
        size_t n = strcspn(s, ",");
        const char *known = COMPONENTS_TEXT;
        size_t len = strcspn(known, ", ");
        while (known[len] && (len != n || memcmp(known, s, n) != 0)) {
            known += len + 2;
            len = strcspn(known, ", ");
        }
        if (len != n || memcmp(known, s, n) != 0)
            return vn_fail(err, VN_ERR_ARGUMENT, "--debug: '%.*s' is no component; there are " COMPONENTS_TEXT, (int)(n < 100 ? n : 100), s);
        s += n;
        if (*s == ',')
            s++;
    }
    return VN_OK;
}

/* Where translated programs are kept; empty: nowhere, every engine makes its own. */
static enum vn_status check_asm(struct vn_worker_config *c, struct vn_error *err)
{
    char path[PATH_MAX];
    int usable = find_folder(c->asm_path && c->asm_path[0] ? c->asm_path : DEFAULT_ASM, path);
    c->asm_unusable = c->asm_path && !usable;
    return replace(&c->asm_path, usable ? path : "", err);
}

enum vn_status vn_worker_config_check(struct vn_worker_config *c, struct vn_error *err)
{
    struct vn_error url = {0};
    if (!vn_link_url_ok(c->url, &url))
        return vn_fail(err, url.status, "%s", url.text);
    enum vn_log_level level;
    if (!strchr(c->log_level, '=') && !vn_log_level_parse(c->log_level, &level))
        return vn_fail(err, VN_ERR_ARGUMENT, "The log level '%s' is none of error, warn, info, debug, trace", c->log_level);
    enum vn_status s = check_components(c, err);
    if (s == VN_OK)
        s = check_id(c, err);
    if (s == VN_OK)
        s = check_elf(c, err);
    if (s == VN_OK)
        s = check_inputs(c, err);
    if (s == VN_OK)
        s = check_proving_key(c, err);
    if (s == VN_OK && !c->emulator)
        s = check_asm(c, err);
    return s == VN_OK ? check_engine(c, err) : s;
}

enum vn_log_level vn_worker_log_level(const struct vn_worker_config *c)
{
    enum vn_log_level level = VN_LOG_INFO;
    if (c->verbose > 0)
        level = c->verbose < VN_LOG_TRACE ? (enum vn_log_level)c->verbose : VN_LOG_TRACE;
    else
        (void)vn_log_level_parse(c->log_level, &level);
    if (c->debug && is_everything(c->debug))
        return level > VN_LOG_DEBUG ? level : VN_LOG_DEBUG;
    return c->debug && level > VN_LOG_INFO ? VN_LOG_INFO : level;
}

void vn_worker_log_filter(const struct vn_worker_config *c, char *out, size_t out_len)
{
    const char *debug = c->debug && !is_everything(c->debug) ? c->debug : "";
    const char *rest = c->verbose > 0 || !strchr(c->log_level, '=') ? "" : c->log_level;
    if (snprintf(out, out_len, "%s%s%s", debug, debug[0] && rest[0] ? "," : "", rest) < (int)out_len)
        return;
    char *comma = strrchr(out, ',');
    *(comma ? comma : out) = '\0';
}

static int uses_gpu(const struct vn_worker_config *c)
{
    return c->backend && strcmp(c->backend, "cuda") == 0;
}

const char *vn_worker_notice(const struct vn_worker_config *c, unsigned i, const char **text)
{
    const struct {
        int given;
        const char *option, *text;
    } notices[] = {
        {c->asm_unusable, "--asm", "the folder cannot be used: every engine translates the program anew"},
        {c->asm_port != 23115, "--asm-port", "native code runs inside the engine: no port is opened"},
        {c->rma != 0, "--rma", "there is no MPI here: nothing changes"},
        {c->preallocate != 0 && !uses_gpu(c), "--preallocate", "engines compute on the CPU: nothing changes"},
        {c->proving_key_read_only, "--proving-key", "the folder cannot be written to: what would be kept there goes to " DEFAULT_PROVING_KEY ", if that can be"},
    };
    for (size_t k = 0; k < sizeof notices / sizeof *notices; k++) {
        if (!notices[k].given || i-- > 0)
            continue;
        *text = notices[k].text;
        return notices[k].option;
    }
    return NULL;
}

/* Of the GPU's memory for each engine; what is left is the driver's. */
static uint32_t preallocate_percent_of(const struct vn_worker_config *c)
{
    return c->preallocate && uses_gpu(c) ? 90 / (uint32_t)c->max_streams : 0;
}

static uint32_t threads_of(const struct vn_worker_config *c)
{
    if (c->threads > 0 || c->max_streams == 1)
        return (uint32_t)c->threads; /* 0: the engine takes all */
    cpu_set_t set;
    uint32_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    return cores > c->max_streams ? cores / (uint32_t)c->max_streams : 1;
}

/* -m keeps what is being worked on and nothing else. */
static uint32_t packages_of(const struct vn_worker_config *c)
{
    uint64_t n = c->max_witness_stored;
    if (c->minimal_memory && (n == 0 || n > c->max_streams))
        n = c->max_streams;
    return (uint32_t)n;
}

struct vn_agent_config vn_worker_agent_config(const struct vn_worker_config *c)
{
    return (struct vn_agent_config){
        .url = c->url,
        .engine = c->engine,
        .compute_units = (uint32_t)c->compute_units,
        .reconnect_s = (uint32_t)c->reconnect_s,
        .heartbeat_timeout_s = (uint32_t)c->heartbeat_timeout_s,
        .metrics_host = c->metrics_host,
        .metrics_port = (uint16_t)c->metrics_port,
        .job = {.worker_id = c->worker_id, .elf = c->elf, .cache_dir = c->proving_key, .backend = c->backend ? c->backend : "", .inputs_folder = c->inputs_folder,
                .threads = threads_of(c), .slots = (uint32_t)c->max_streams, .preallocate_percent = preallocate_percent_of(c), .packages = packages_of(c), .keep_nothing = c->minimal_memory != 0,
                .hints = c->hints != 0, .shard_log2 = (uint32_t)c->shard_log2, .verify_constraints = c->verify_constraints != 0,
                .native_dir = c->emulator ? NULL : c->asm_path, .lock_native = !c->unlock_mapped_memory},
    };
}
