/* What a notification consists of. The body is measured by the longest each part can be, then written in one go: proofs make it tens of megabytes,
 * which is why numbers are written by hand. The words of a proof are those of FinalProof.values: its length in bytes, then its bytes as
 * little-endian 64-bit words with zeros at the end. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "services/scheduler/webhook.h"

enum {
    MAX_NUMBER = 20,       /* digits of a 64-bit number */
    MAX_ESCAPED = 6,       /* bytes one byte of a string may become */
    FIXED = 512,           /* keys, punctuation, timestamp, flags */
};

static char *put(char *p, const char *s)
{
    size_t n = strlen(s);
    memcpy(p, s, n);
    return p + n;
}

static char *put_number(char *p, uint64_t v)
{
    char digits[MAX_NUMBER];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *p++ = digits[--n];
    return p;
}

/* Length of the UTF-8 sequence at s (shortest form, no surrogates, up to U+10FFFF), or 0. Ends with the string's zero at the latest. */
static unsigned utf8_length(const unsigned char *s)
{
    unsigned n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    for (unsigned i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* What is no UTF-8 becomes U+FFFD, byte by byte. */
static char *put_string(char *p, const char *text)
{
    static const char short_forms[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    *p++ = '"';
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const char *form = strchr(short_forms, *s);
        unsigned n = utf8_length(s);
        if (form) {
            *p++ = '\\';
            *p++ = letters[form - short_forms];
        } else if (*s < 0x20) {
            p += sprintf(p, "\\u%04x", *s);
        } else if (n == 0) {
            p = put(p, "\xef\xbf\xbd");
        } else {
            memcpy(p, s, n);
            p += n;
        }
        s += n ? n : 1;
    }
    *p++ = '"';
    return p;
}

static char *put_proof(char *p, const uint8_t *bytes, size_t n)
{
    *p++ = '[';
    p = put_number(p, n);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        for (size_t b = 0; b < 8 && i + b < n; b++)
            word |= (uint64_t)bytes[i + b] << (8 * b);
        *p++ = ',';
        p = put_number(p, word);
    }
    *p++ = ']';
    return p;
}

static char *put_time(char *p, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm t;
    gmtime_r(&seconds, &t);
    return p + strftime(p, 40, "\"%Y-%m-%dT%H:%M:%SZ\"", &t);
}

enum vn_status vn_webhook_body(char **out, size_t *n, const struct vn_webhook_event *e)
{
    const char *code = !e->success && e->error_code ? e->error_code : "", *message = !e->success && e->error_message ? e->error_message : "";
    const uint8_t *proof = e->success ? e->proof : NULL;
    size_t words = proof ? e->proof_len / 8 + 2 : 0;
    char *body = malloc(FIXED + MAX_ESCAPED * (strlen(e->job_id) + strlen(code) + strlen(message)) + words * (MAX_NUMBER + 1));
    if (!body)
        return VN_ERR_MEMORY;
    char *p = put(body, "{\"job_id\":");
    p = put_string(p, e->job_id);
    p = put(p, e->success ? ",\"success\":true,\"duration_ms\":" : ",\"success\":false,\"duration_ms\":");
    p = put_number(p, e->duration_ms);
    p = put(p, ",\"proof\":");
    p = proof ? put_proof(p, proof, e->proof_len) : put(p, "null");
    p = put(p, ",\"timestamp\":");
    p = put_time(p, e->ended_wall_ns);
    p = put(p, ",\"error\":");
    if (e->success) {
        p = put(p, "null");
    } else {
        p = put(p, "{\"code\":");
        p = put_string(p, code);
        p = put(p, ",\"message\":");
        p = put_string(p, message);
        *p++ = '}';
    }
    *p++ = '}';
    *out = body;
    *n = (size_t)(p - body);
    return VN_OK;
}

void vn_webhook_sign(char out[72], const char *secret, const char *body, size_t n)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)body, n, mac, &len);
    char *p = put(out, "sha256=");
    for (unsigned i = 0; i < len; i++)
        p += sprintf(p, "%02x", mac[i]);
    *p = 0;
}

/* A job id is a UUID and needs none of it; any other text must not change the URL's structure either. */
static char *put_percent(char *p, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        int plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~", c);
        if (plain)
            *p++ = *s;
        else
            p += sprintf(p, "%%%02X", c);
    }
    return p;
}

enum vn_status vn_webhook_url(char **out, const char *url, const char *job_id)
{
    size_t tokens = 0, id_max = 3 * strlen(job_id);
    for (const char *t = url; (t = strstr(t, VN_WEBHOOK_TOKEN)); t += strlen(VN_WEBHOOK_TOKEN))
        tokens++;
    char *text = malloc(strlen(url) + (tokens + 1) * id_max + 2);
    if (!text)
        return VN_ERR_MEMORY;
    char *p = text;
    const char *rest = url;
    for (const char *t; (t = strstr(rest, VN_WEBHOOK_TOKEN)); rest = t + strlen(VN_WEBHOOK_TOKEN)) {
        memcpy(p, rest, (size_t)(t - rest));
        p = put_percent(p + (t - rest), job_id);
    }
    if (tokens == 0) { /* behind the path, before a query */
        size_t path = strcspn(url, "?");
        memcpy(p, url, path);
        p += path;
        if (path == 0 || p[-1] != '/')
            *p++ = '/';
        p = put_percent(p, job_id);
        rest = url + path;
    }
    p = put(p, rest);
    *p = 0;
    *out = text;
    return VN_OK;
}
