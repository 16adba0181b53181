/* venus-engine child against requests nobody would send. Whatever comes down the socket, it answers with frames that parse, says Result or Failure last,
 * and ends by itself with the exit code that goes with it: never by a signal, never with the code of a sanitizer. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.pb-c.h"
#include "libshared/process.h"
#include "tests/unit/shared/hostile.h"
#include "tests/unit/vm/elf_builder.h"

enum { FRAME_MAX = 8192, RANDOM_REQUESTS = 150, DAMAGED_REQUESTS = 400 };

static char dir[32];
static int dir_fd;

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(name, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* The job directory, which is the current one too; its files are not what a run writes. */
static void setup(void)
{
    strcpy(dir, "/tmp/vn-child-XXXXXX");
    cr_assert(mkdtemp(dir) && chdir(dir) == 0);
    dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(dir_fd, 0);
    const uint32_t code[] = {RV_ADDI(17, 0, 93), RV_ECALL};
    struct elf program = elf_of_code(code, sizeof code / sizeof *code);
    size_t len;
    uint8_t *bytes = elf_build(&program, &len);
    write_file("guest.elf", bytes, len);
    write_file("cut.elf", bytes, len / 2);
    free(bytes);
    write_file("run.sum", "not a summary", 13);
    write_file("shard-1.pkg", "not a package", 13);
    write_file("proof-1.bin", "not a proof", 11);
    write_file("input.bin", "12345678", 8);
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(child, .init = setup, .fini = teardown, .timeout = 300);

/* Takes the frames apart; returns the exit code that belongs to the last one. */
static int expected_exit(const uint8_t *bytes, size_t n)
{
    int code = -1;
    while (n) {
        cr_assert_geq(n, 4, "a frame's head is cut off");
        size_t len = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
        cr_assert_geq(n - 4, len, "a frame is cut off");
        Venus__Engine__V1__Event *event = venus__engine__v1__event__unpack(NULL, len, bytes + 4);
        cr_assert(event && code == -1, "an event does not parse, or comes after the last one");
        if (event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_RESULT)
            code = 0;
        else if (event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE)
            code = vn_status_exit_code((enum vn_status)event->failure->status);
        else
            cr_assert_eq(event->event_case, VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS);
        venus__engine__v1__event__free_unpacked(event, NULL);
        bytes += 4 + len;
        n -= 4 + len;
    }
    return code;
}

/* One child; its exit code. */
static int serve(const uint8_t *bytes, size_t n)
{
    static uint8_t answer[1 << 20];
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct vn_child child;
    struct vn_error err;
    char *argv[] = {"venus-engine", "child", NULL};
    cr_assert_eq(vn_child_spawn(&child, VENUS_ENGINE, argv, (int[]){pair[1], dir_fd}, 2, &err), VN_OK, "%s", err.text);
    close(pair[1]);
    cr_assert_eq(send(pair[0], bytes, n, MSG_NOSIGNAL), (ssize_t)n);
    cr_assert_eq(shutdown(pair[0], SHUT_WR), 0);
    size_t heard = 0;
    for (ssize_t got; (got = recv(pair[0], answer + heard, sizeof answer - heard, 0)) > 0;)
        heard += (size_t)got;
    close(pair[0]);
    int code = -1;
    cr_assert_eq(vn_child_reap(&child, &code), VN_OK);
    cr_assert_eq(code, expected_exit(answer, heard), "exit code %d does not go with the answer", code);
    return code;
}

static void frame(uint8_t *bytes, size_t claimed)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(claimed >> 8 * i);
}

static const char *const texts[] = {"guest.elf", "cut.elf", "run.sum", ".", "", "nobody.elf", "scalar", "quantum", "\xff\xfe"};

Test(child, random_requests)
{
    struct hostile h = {.state = 1, .texts = texts + 1, .n_texts = sizeof texts / sizeof *texts - 1};
    for (unsigned i = 0; i < RANDOM_REQUESTS; i++) {
        uint8_t bytes[FRAME_MAX];
        size_t len = hostile_message(&h, bytes + 4, sizeof bytes - 4, &venus__engine__v1__request__descriptor);
        frame(bytes, len);
        cr_assert_neq(serve(bytes, len + 4), 0);
    }
}

/* A request for work that gets as far as the files of the directory, or to leaves that do not belong there. */
static size_t request(uint8_t *out, unsigned what)
{
    Venus__Engine__V1__Common common = VENUS__ENGINE__V1__COMMON__INIT;
    Venus__Engine__V1__Execute execute = VENUS__ENGINE__V1__EXECUTE__INIT;
    Venus__Engine__V1__Contribute contribute = VENUS__ENGINE__V1__CONTRIBUTE__INIT;
    Venus__Engine__V1__Prove prove = VENUS__ENGINE__V1__PROVE__INIT;
    Venus__Engine__V1__Aggregate aggregate = VENUS__ENGINE__V1__AGGREGATE__INIT;
    Venus__Engine__V1__Leaf leaf = VENUS__ENGINE__V1__LEAF__INIT, *leaves[] = {&leaf};
    uint32_t elements[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, one = 1, none = 0;
    common.elf_path = "guest.elf";
    common.threads = 1;
    leaf.shard = 1;
    leaf.n_elements = 9;
    leaf.elements = elements;
    execute.job_units = 1;
    execute.n_units = 1;
    execute.units = &one; /* not below job_units */
    contribute.n_shards = prove.n_shards = 1;
    contribute.shards = &none; /* shards count from one */
    prove.shards = &one;
    prove.n_leaves = aggregate.n_leaves = 1;
    prove.leaves = aggregate.leaves = leaves;
    Venus__Engine__V1__Request r = VENUS__ENGINE__V1__REQUEST__INIT;
    r.common = &common;
    switch (what) {
    case 0:
        r.work_case = VENUS__ENGINE__V1__REQUEST__WORK_EXECUTE;
        r.execute = &execute;
        break;
    case 1:
        r.work_case = VENUS__ENGINE__V1__REQUEST__WORK_CONTRIBUTE;
        r.contribute = &contribute;
        break;
    case 2:
        r.work_case = VENUS__ENGINE__V1__REQUEST__WORK_PROVE;
        r.prove = &prove;
        break;
    default:
        r.work_case = VENUS__ENGINE__V1__REQUEST__WORK_AGGREGATE;
        r.aggregate = &aggregate;
    }
    return venus__engine__v1__request__pack(&r, out);
}

Test(child, damaged_requests)
{
    struct hostile h = {.state = 2, .texts = texts, .n_texts = sizeof texts / sizeof *texts};
    for (unsigned i = 0; i < DAMAGED_REQUESTS; i++) {
        uint8_t bytes[FRAME_MAX];
        size_t len = request(bytes + 4, i % 4);
        if (i < 4) {
            frame(bytes, len);
            cr_assert_neq(serve(bytes, len + 4), 0);
            continue;
        }
        len = hostile_edit(&h, bytes + 4, len, sizeof bytes - 4);
        frame(bytes, len);
        serve(bytes, len + 4); /* an edit may have turned it into work that can be done */
    }
}

Test(child, frames)
{
    uint8_t bytes[FRAME_MAX];
    size_t len = request(bytes + 4, 3);
    const size_t claims[] = {len + 1, len - 1, 0, 16u << 20, (16u << 20) + 1, UINT32_MAX};
    for (unsigned i = 0; i < sizeof claims / sizeof *claims; i++) {
        frame(bytes, claims[i]);
        cr_assert_neq(serve(bytes, len + 4), 0);
    }
    frame(bytes, len);
    for (size_t cut = 0; cut < 6; cut++)
        cr_assert_neq(serve(bytes, cut), 0);
}
