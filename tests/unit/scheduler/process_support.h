#ifndef VN_TEST_SCHEDULER_PROCESS_H
#define VN_TEST_SCHEDULER_PROCESS_H
/* venus-scheduler as a process, with the test as its gateway and its workers over the real bus; a shell script stands in for the verifier. Everything
 * here asserts its way through. */
#include "bus.pb-c.h"
#include "libshared/bus.h"
#include "libshared/process.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

typedef Zisk__Distributed__Api__V1__WorkerMessage worker_message;
typedef Zisk__Distributed__Api__V1__CoordinatorMessage coordinator_message;
typedef Zisk__Coordinator__V1__JobEvent job_event;

#define CONTRIBUTION ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PARTIAL_CONTRIBUTION
#define PROVE ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PROVE
#define AGGREGATE ZISK__DISTRIBUTED__API__V1__TASK_TYPE__AGGREGATE

/* ---- start and stop ---- */

extern char dir[32], endpoint[64], engine[64], proofs[64], programs[64]; /* paths of this test */
extern struct vn_child scheduler;

void write_engine(const char *body);   /* shell commands, after a check of the arguments */
void say_valid(const char *extra);     /* the verifier accepts, then runs `extra` */
void setup_files(void);
void start_with(const char *const *flags); /* NULL-terminated */
void start(const char *flag, const char *value);
void setup(void);                      /* files and a scheduler with the usual flags */
int stop(void);                        /* its exit code */
void remove_files(void);
void teardown(void);
unsigned files_in(const char *path);

/* ---- the bus ---- */

void send_message(struct vn_bus_client *c, uint16_t kind, uint64_t correlation, const ProtobufCMessage *m);
struct vn_bus_message hear_within(struct vn_bus_client *c, int ms); /* the next message that is no ping; kind 0 when none comes in time */
struct vn_bus_message hear(struct vn_bus_client *c);
struct vn_bus_client *connect_as(Venus__Bus__V1__Hello__Role role);

/* ---- the gateway ---- */

extern struct vn_bus_client *gateway;
extern uint64_t last_correlation;
extern char job[37]; /* the one launched last */

struct vn_bus_message ask(uint16_t kind, const ProtobufCMessage *q);
void expect_error(struct vn_bus_message m, enum vn_status status, const char *text);
struct vn_bus_message launch_with(uint32_t units, Zisk__Distributed__Api__V1__InputMode mode, const char *uri, const char *data);
void launch(uint32_t units);
uint64_t watch(void);
job_event *follow(uint64_t correlation); /* hears events of that watch until it ends; returns the last one */
char *failure_text(void);
Zisk__Coordinator__V1__WaitJobResultResponse *wait_result(uint32_t seconds);

/* ---- workers ---- */

extern const uint32_t all_shards[3];

void worker_send(struct vn_bus_client *c, worker_message *m);
coordinator_message *worker_hear(struct vn_bus_client *c, int payload);
void forget(coordinator_message *m);
void worker_register(struct vn_bus_client *c, const char *id, uint32_t units);
struct vn_bus_client *worker_open(const char *id, uint32_t units);
coordinator_message *hear_task(struct vn_bus_client *c, Zisk__Distributed__Api__V1__TaskType type);
Zisk__Distributed__Api__V1__ExecuteTaskResponse response(const char *id, Zisk__Distributed__Api__V1__TaskType type);
void respond(struct vn_bus_client *c, Zisk__Distributed__Api__V1__ExecuteTaskResponse *r);
void contribute(struct vn_bus_client *c, const char *id, uint32_t rank, unsigned n, const uint32_t *shards);
void prove(struct vn_bus_client *c, const char *id, uint32_t rank, unsigned n, const uint32_t *shards);
void aggregate(struct vn_bus_client *c, const char *id, int final);
void run_alone(struct vn_bus_client *w); /* worker w1 does a whole job */

#endif
