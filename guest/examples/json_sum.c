/* Input: one record, a JSON text. Output: the sum of all integers in it (values, not names or text in strings) as i64, then their number as u64.
 * A text that is not JSON, or a number that is not an integer, is a panic. */
#include <string.h>
#include <venus.h>

#define MAX_DEPTH 256

struct parser {
    const uint8_t *at, *end;
    uint64_t sum, count;
};

static int peek(const struct parser *p) { return p->at < p->end ? *p->at : -1; }

static void skip_space(struct parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        p->at++;
}

static void expect(struct parser *p, int c)
{
    if (peek(p) != c)
        venus_panic("the input is not JSON");
    p->at++;
}

static void string(struct parser *p)
{
    expect(p, '"');
    while (peek(p) != '"') {
        if (peek(p) < ' ')
            venus_panic("unfinished string");
        if (*p->at++ == '\\' && p->at < p->end)
            p->at++;
    }
    p->at++;
}

static void integer(struct parser *p)
{
    int negative = peek(p) == '-';
    uint64_t v = 0;
    p->at += negative;
    if (peek(p) < '0' || peek(p) > '9')
        venus_panic("the input is not JSON");
    while (peek(p) >= '0' && peek(p) <= '9') {
        unsigned digit = (unsigned)(*p->at++ - '0');
        if (v > ((uint64_t)INT64_MAX - digit) / 10)
            venus_panic("integer too large");
        v = 10 * v + digit;
    }
    if (peek(p) == '.' || peek(p) == 'e' || peek(p) == 'E')
        venus_panic("a number is not an integer");
    p->sum += negative ? 0 - v : v;
    p->count++;
}

static void word(struct parser *p, const char *text)
{
    while (*text)
        expect(p, *text++);
}

static void value(struct parser *p, int depth)
{
    if (depth > MAX_DEPTH)
        venus_panic("nested too deeply");
    skip_space(p);
    int open = peek(p), close = open == '{' ? '}' : ']';
    switch (open) {
    case '{':
    case '[':
        p->at++;
        skip_space(p);
        if (peek(p) == close) {
            p->at++;
            break;
        }
        for (;;) {
            if (open == '{') {
                skip_space(p);
                string(p);
                skip_space(p);
                expect(p, ':');
            }
            value(p, depth + 1);
            skip_space(p);
            if (peek(p) != ',')
                break;
            p->at++;
        }
        expect(p, close);
        break;
    case '"': string(p); break;
    case 't': word(p, "true"); break;
    case 'f': word(p, "false"); break;
    case 'n': word(p, "null"); break;
    default: integer(p); break;
    }
}

int main(void)
{
    size_t len;
    const uint8_t *text = venus_read_input(&len);
    struct parser p = {text, text + len, 0, 0};
    value(&p, 0);
    skip_space(&p);
    if (p.at != p.end)
        return 1;
    venus_write_output(&p.sum, sizeof p.sum);
    venus_write_output(&p.count, sizeof p.count);
    return 0;
}
