/* A webhook's URL template, the job id put into it, and the body of the notification, which must be JSON that says what was asked.
 * Three texts, each ended by a zero byte: template, job id, error message. */
#include <cjson/cJSON.h>

#include "services/scheduler/webhook.h"
#include "tests/fuzz/fuzz.h"

static char *take_text(struct fuzz_reader *r)
{
    size_t n = 0;
    while (n < fuzz_left(r) && r->at[n])
        n++;
    char *text = malloc(n + 1);
    must(text);
    memcpy(text, r->at, n);
    text[n] = 0;
    r->at += n < fuzz_left(r) ? n + 1 : n;
    return text;
}

/* Whatever the job id is, the URL keeps the template's structure: nothing but unreserved characters and escapes is put in. */
static void check_url(const char *template, const char *job_id)
{
    struct vn_error err = {0};
    char *url = NULL;
    if (vn_webhook_check_url(template, &err) != VN_OK) {
        must(err.text[0]);
        return;
    }
    must(vn_webhook_url(&url, template, job_id) == VN_OK);
    for (const char *p = url; *p; p++)
        must((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f);
    size_t delimiters[2] = {0, 0};
    const char *const texts[2] = {template, url};
    int named = strstr(template, VN_WEBHOOK_TOKEN) != NULL;
    for (int i = 0; i < 2; i++)
        for (const char *p = texts[i]; *p; p++)
            delimiters[i] += strchr("/?#@&", *p) != NULL;
    must(delimiters[1] == delimiters[0] || (!named && delimiters[1] == delimiters[0] + 1)); /* without a token the id is one segment more */
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader r = {data, data + size};
    char *template = take_text(&r), *job_id = take_text(&r), *message = take_text(&r);
    if (*job_id && strlen(job_id) <= VN_WEBHOOK_MAX_JOB_ID)
        check_url(template, job_id);

    struct vn_webhook_event e = {.job_id = job_id, .success = message[0] & 1, .error_code = "INTERNAL", .error_message = message,
                                 .ended_wall_ns = UINT64_C(1700000000000000000), .proof = r.at, .proof_len = fuzz_left(&r)};
    char *body = NULL;
    size_t n = 0;
    must(vn_webhook_body(&body, &n, &e) == VN_OK);
    cJSON *json = cJSON_ParseWithLength(body, n);
    must(json != NULL);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "job_id");
    must(cJSON_IsString(id));
    int ascii = 1;
    for (const char *p = job_id; *p; p++)
        ascii &= (unsigned char)*p < 0x80;
    must(!ascii || strcmp(id->valuestring, job_id) == 0);
    must(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "success")) == (e.success != 0));
    cJSON_Delete(json);
    free(body);
    free(template);
    free(job_id);
    free(message);
    return 0;
}
