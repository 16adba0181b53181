/* The messages a job is answered with. Proofs are read back from the job directory; everything allocated for one answer hangs on a
 * short list and is freed together once the message is packed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/worker-agent/job.h"
#include "services/worker-agent/words.h"

/* One allocation, chained to the others of the same answer. */
struct scrap {
    struct scrap *next;
    max_align_t data[];
};

static void *scrap_alloc(struct scrap **list, size_t bytes)
{
    struct scrap *s = calloc(1, sizeof *s + bytes);
    if (!s)
        return NULL;
    s->next = *list;
    *list = s;
    return s->data;
}

static void scrap_free(struct scrap *list)
{
    while (list) {
        struct scrap *next = list->next;
        free(list);
        list = next;
    }
}

static enum vn_status pack(task_response *response, uint8_t **bytes, size_t *n_bytes, struct vn_error *err)
{
    worker_message message = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    message.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE;
    message.execute_task_response = response;
    size_t len = zisk__distributed__api__v1__worker_message__get_packed_size(&message);
    if (len > VN_API_MAX_MESSAGE)
        return vn_fail(err, VN_ERR_LIMIT, "The answer would have %zu bytes; a message has at most %u", len, VN_API_MAX_MESSAGE);
    uint8_t *buffer = malloc(len + 1);
    if (!buffer)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for an answer of %zu bytes", len);
    *n_bytes = zisk__distributed__api__v1__worker_message__pack(&message, buffer);
    *bytes = buffer;
    return VN_OK;
}

static enum vn_status fill_challenges(const struct vn_job *job, struct scrap **list, task_response *response, struct vn_error *err)
{
    size_t n = job->n_owned_shards;
    challenges_list *answer = scrap_alloc(list, sizeof *answer);
    witness_info *witness = scrap_alloc(list, sizeof *witness);
    execute_time *time = scrap_alloc(list, sizeof *time);
    challenges *items = scrap_alloc(list, n * sizeof *items);
    challenges **pointers = scrap_alloc(list, n * sizeof *pointers);
    uint64_t *elements = scrap_alloc(list, n * VN_LEAF_ELEMENTS * sizeof *elements);
    uint64_t *publics = scrap_alloc(list, VN_PUBLIC_WORDS * sizeof *publics);
    uint64_t *values = scrap_alloc(list, (3 + VN_LEAF_ELEMENTS) * sizeof *values);
    char *summary = scrap_alloc(list, 160);
    if (!answer || !witness || !time || !items || !pointers || !elements || !publics || !values || !summary)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for an answer");

    for (size_t i = 0; i < n; i++) {
        zisk__distributed__api__v1__challenges__init(&items[i]);
        items[i].worker_index = job->rank;
        items[i].airgroup_id = job->owned_shards[i];
        items[i].n_challenge = VN_LEAF_ELEMENTS;
        items[i].challenge = elements + i * VN_LEAF_ELEMENTS;
        for (unsigned e = 0; e < VN_LEAF_ELEMENTS; e++)
            items[i].challenge[e] = job->own_leaves[i][e];
        pointers[i] = &items[i];
    }
    for (unsigned i = 0; i < VN_PUBLIC_WORDS; i++)
        publics[i] = job->publics[i];
    values[0] = job->n_exec;
    values[1] = job->n_mem;
    values[2] = job->steps;
    for (unsigned i = 0; i < VN_LEAF_ELEMENTS; i++)
        values[3 + i] = job->vk_digest[i];
    snprintf(summary, 160, "%llu steps in %u execution and %u memory shards, %zu of them here", (unsigned long long)job->steps, job->n_exec, job->n_mem, n);

    zisk__distributed__api__v1__witness_exec_info__init(witness);
    witness->witness_time = (float)job->execute_seconds;
    witness->n_publics = VN_PUBLIC_WORDS;
    witness->publics = publics;
    witness->n_proof_values = 3 + VN_LEAF_ELEMENTS;
    witness->proof_values = values;
    witness->summary_info = summary;
    zisk__distributed__api__v1__zisk_execute_time__init(time);
    time->total_duration = (float)job->execute_seconds;
    time->execution_duration = (float)job->execute_seconds;
    time->task_received_time = job->received_at;
    zisk__distributed__api__v1__challenges_list__init(answer);
    answer->n_challenges = n;
    answer->challenges = pointers;
    answer->witness_info = witness;
    answer->zisk_execution_time = time;
    response->result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES;
    response->challenges = answer;
    return VN_OK;
}

static enum vn_status fill_words(const struct vn_job *job, struct scrap **list, const char *name, size_t max_bytes, uint64_t **words, size_t *n_words,
                                 struct vn_error *err)
{
    uint8_t *bytes;
    size_t len;
    enum vn_status s = vn_job_dir_read(&job->dir, name, max_bytes, &bytes, &len, err);
    if (s != VN_OK)
        return s;
    *n_words = vn_words_count(len);
    *words = scrap_alloc(list, *n_words * sizeof **words);
    if (*words)
        vn_words_pack(*words, bytes, len);
    else
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for an answer");
    free(bytes);
    return s;
}

static enum vn_status fill_proofs(const struct vn_job *job, struct scrap **list, task_response *response, struct vn_error *err)
{
    size_t n = job->n_owned_shards;
    proof_list *answer = scrap_alloc(list, sizeof *answer);
    shard_proof *items = scrap_alloc(list, n * sizeof *items);
    shard_proof **pointers = scrap_alloc(list, n * sizeof *pointers);
    if (!answer || !items || !pointers)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "proof-%u.bin", job->owned_shards[i]);
        zisk__distributed__api__v1__proof__init(&items[i]);
        items[i].worker_idx = job->rank;
        items[i].airgroup_id = job->owned_shards[i];
        enum vn_status s = fill_words(job, list, name, VN_JOB_MAX_PROOF_BYTES, &items[i].values, &items[i].n_values, err);
        if (s != VN_OK)
            return s;
        pointers[i] = &items[i];
    }
    zisk__distributed__api__v1__proof_list__init(answer);
    answer->n_proofs = n;
    answer->proofs = pointers;
    response->result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_PROOFS;
    response->proofs = answer;
    return VN_OK;
}

/* Empty values unless the aggregation is done. */
static enum vn_status fill_final(const struct vn_job *job, struct scrap **list, task_response *response, struct vn_error *err)
{
    final_proof *answer = scrap_alloc(list, sizeof *answer);
    if (!answer)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for an answer");
    zisk__distributed__api__v1__final_proof__init(answer);
    answer->executed_steps = job->steps;
    if (job->stage == VN_JOB_DONE) {
        enum vn_status s = fill_words(job, list, "final.bin", VN_JOB_MAX_FINAL_BYTES, &answer->values, &answer->n_values, err);
        if (s != VN_OK)
            return s;
    }
    response->result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_FINAL_PROOF;
    response->final_proof = answer;
    return VN_OK;
}

enum vn_status vn_job_answer(const struct vn_job *job, task_type type, uint8_t **bytes, size_t *n_bytes, struct vn_error *err)
{
    task_response response = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__INIT;
    response.job_id = (char *)job->id;
    response.worker_id = (char *)job->settings->worker_id;
    response.task_type = type;
    response.success = 1;
    struct scrap *list = NULL;
    enum vn_status s = type == TASK_CONTRIBUTION ? fill_challenges(job, &list, &response, err)
                       : type == TASK_PROVE      ? fill_proofs(job, &list, &response, err)
                                                 : fill_final(job, &list, &response, err);
    if (s == VN_OK)
        s = pack(&response, bytes, n_bytes, err);
    scrap_free(list);
    return s;
}

/* The published coordinators want a result of the right kind even in a failure. */
enum vn_status vn_job_answer_failure(const char *worker_id, const char *job_id, task_type type, const char *text, uint8_t **bytes, size_t *n_bytes)
{
    task_response response = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__INIT;
    challenges_list list = ZISK__DISTRIBUTED__API__V1__CHALLENGES_LIST__INIT;
    witness_info witness = ZISK__DISTRIBUTED__API__V1__WITNESS_EXEC_INFO__INIT;
    execute_time time = ZISK__DISTRIBUTED__API__V1__ZISK_EXECUTE_TIME__INIT;
    proof_list proofs = ZISK__DISTRIBUTED__API__V1__PROOF_LIST__INIT;
    final_proof final = ZISK__DISTRIBUTED__API__V1__FINAL_PROOF__INIT;
    response.job_id = (char *)job_id;
    response.worker_id = (char *)worker_id;
    response.task_type = type;
    response.error_message = (char *)text;
    if (type == TASK_CONTRIBUTION) {
        list.witness_info = &witness;
        list.zisk_execution_time = &time;
        response.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES;
        response.challenges = &list;
    } else if (type == TASK_PROVE) {
        response.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_PROOFS;
        response.proofs = &proofs;
    } else {
        response.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_FINAL_PROOF;
        response.final_proof = &final;
    }
    return pack(&response, bytes, n_bytes, NULL);
}
