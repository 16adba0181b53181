/* The check of foreign bytes: cut, wrong types, text, depth, and that it accepts what the library writes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "services/gateway/wire.h"
#include "zisk_distributed_api.pb-c.h"

#define LAUNCH &zisk__distributed__api__v1__launch_proof_request__descriptor
#define WORKER &zisk__distributed__api__v1__worker_message__descriptor
#define CHECK(type, bytes) vn_wire_check(type, (const uint8_t *)(bytes), sizeof(bytes) - 1, &err)

static struct vn_error err;

/* A worker's answer with every kind of field: packed numbers, floats, doubles, nesting, text. */
static size_t sample(uint8_t **out)
{
    uint64_t words[] = {0, 127, 128, UINT64_MAX};
    Zisk__Distributed__Api__V1__Challenges entry = ZISK__DISTRIBUTED__API__V1__CHALLENGES__INIT;
    entry.n_challenge = 4;
    entry.challenge = words;
    Zisk__Distributed__Api__V1__Challenges *entries[] = {&entry, &entry};
    Zisk__Distributed__Api__V1__WitnessExecInfo info = ZISK__DISTRIBUTED__API__V1__WITNESS_EXEC_INFO__INIT;
    info.witness_time = 1.5f;
    info.summary_info = (char *)(uintptr_t)"gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x8c\x8d";
    Zisk__Distributed__Api__V1__ZiskExecuteTime execute_time = ZISK__DISTRIBUTED__API__V1__ZISK_EXECUTE_TIME__INIT;
    execute_time.task_received_time = 2.5;
    Zisk__Distributed__Api__V1__ChallengesList list = ZISK__DISTRIBUTED__API__V1__CHALLENGES_LIST__INIT;
    list.n_challenges = 2;
    list.challenges = entries;
    list.witness_info = &info;
    list.zisk_execution_time = &execute_time;
    Zisk__Distributed__Api__V1__ExecuteTaskResponse answer = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__INIT;
    answer.job_id = (char *)(uintptr_t)"job";
    answer.success = 1;
    answer.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES;
    answer.challenges = &list;
    Zisk__Distributed__Api__V1__WorkerMessage m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE;
    m.execute_task_response = &answer;
    size_t n = protobuf_c_message_get_packed_size(&m.base);
    *out = malloc(n);
    protobuf_c_message_pack(&m.base, *out);
    return n;
}

Test(wire, accepts_what_the_library_writes)
{
    uint8_t *bytes;
    size_t n = sample(&bytes);
    cr_assert_eq(vn_wire_check(WORKER, bytes, n, &err), VN_OK, "%s", err.text);
    cr_assert_eq(vn_wire_check(WORKER, NULL, 0, &err), VN_OK);
    free(bytes);
}

Test(wire, every_cut_is_refused_or_a_whole_message)
{
    uint8_t *bytes;
    size_t n = sample(&bytes);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut + 1); /* so that a sanitizer sees a read past the end */
        memcpy(copy, bytes, cut);
        uint8_t *exact = realloc(copy, cut ? cut : 1);
        int ours = vn_wire_check(WORKER, exact, cut, &err) == VN_OK;
        ProtobufCMessage *m = protobuf_c_message_unpack(WORKER, NULL, cut, exact);
        cr_assert_eq(ours, m != NULL, "cut at %zu", cut);
        if (m)
            protobuf_c_message_free_unpacked(m, NULL);
        free(exact);
    }
    free(bytes);
}

/* Whatever passes, the library must be able to unpack: it runs on the same bytes in the scheduler. */
Test(wire, flipped_bytes_that_pass_unpack)
{
    uint8_t *bytes;
    size_t n = sample(&bytes);
    for (size_t i = 0; i < n; i++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t kept = bytes[i];
            bytes[i] = (uint8_t)v;
            if (vn_wire_check(WORKER, bytes, n, &err) == VN_OK) {
                ProtobufCMessage *m = protobuf_c_message_unpack(WORKER, NULL, n, bytes);
                cr_assert_not_null(m, "byte %zu = %u", i, v);
                protobuf_c_message_free_unpacked(m, NULL);
            } else {
                cr_assert_eq(err.status, VN_ERR_FORMAT);
                cr_assert_neq(err.text[0], 0);
            }
            bytes[i] = kept;
        }
    }
    free(bytes);
}

Test(wire, text)
{
    static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert(vn_wire_text_ok((const uint8_t *)good[i], strlen(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(vn_wire_text_ok((const uint8_t *)bad[i], strlen(bad[i])), "bad %zu", i);
    cr_assert_not(vn_wire_text_ok((const uint8_t *)"a\0b", 3));
    cr_assert_eq(CHECK(LAUNCH, "\x0a\x03" "a\0b"), VN_ERR_FORMAT);
    cr_assert(strstr(err.text, "data_id"));
}

Test(wire, malformed)
{
    cr_assert_eq(CHECK(LAUNCH, "\x00"), VN_ERR_FORMAT);                                         /* field 0 */
    cr_assert_eq(CHECK(LAUNCH, "\x0b"), VN_ERR_FORMAT);                                         /* a group */
    cr_assert_eq(CHECK(LAUNCH, "\x08\x01"), VN_ERR_FORMAT);                                     /* text as a number */
    cr_assert_eq(CHECK(LAUNCH, "\x12\x00"), VN_ERR_FORMAT);                                     /* a number as bytes */
    cr_assert_eq(CHECK(LAUNCH, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), VN_ERR_FORMAT); /* a number of eleven bytes */
    cr_assert_eq(CHECK(LAUNCH, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), VN_ERR_FORMAT);  /* a length near 2^64 */
    cr_assert_eq(CHECK(LAUNCH, "\xf8\x7f\x01\xfa\x7f\x02zz\xfd\x7f" "1234\xf9\x7f" "12345678"), VN_OK); /* unknown fields of each kind */
}

/* DescriptorProto nests in itself; the walk must give up before the stack does. */
Test(wire, depth)
{
    enum { LEVELS = 20000 };
    static uint8_t bytes[LEVELS * 4 + 4];
    size_t n = 0;
    for (int level = 0; level < LEVELS && n < 80000; level++) { /* inside out: field 3 (nested_type), length, what is there already */
        uint8_t head[6];
        size_t k = 0, len = n;
        head[k++] = 0x1a;
        do
            head[k++] = (uint8_t)((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
        while (len >>= 7);
        if (n + k > sizeof bytes)
            break;
        memmove(bytes + k, bytes, n);
        memcpy(bytes, head, k);
        n += k;
        enum vn_status s = vn_wire_check(&google__protobuf__descriptor_proto__descriptor, bytes, n, &err);
        cr_assert_eq(s, level + 1 < (int)VN_WIRE_MAX_DEPTH ? VN_OK : VN_ERR_FORMAT, "level %d", level);
        if (level > 200)
            level += 400; /* deeper in larger steps of time, not of depth */
    }
}
