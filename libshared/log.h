#ifndef VN_LOG_H
#define VN_LOG_H
/* Process log: one line an event, a fixed event name and key=value fields. To stderr and, when given, to a file as well. Thread-safe. */

#include "libshared/status.h"

enum vn_log_level { VN_LOG_ERROR, VN_LOG_WARN, VN_LOG_INFO, VN_LOG_DEBUG, VN_LOG_TRACE };
enum vn_log_format { VN_LOG_PRETTY, VN_LOG_JSON, VN_LOG_COMPACT };

/* process: name in every line ("scheduler"). path NULL = stderr only. */
enum vn_status vn_log_open(const char *process, enum vn_log_level level, enum vn_log_format format, const char *path, struct vn_error *err) VN_MUST_CHECK;
void vn_log_close(void);
/* Opens the file anew under its name, for log rotation; nothing to do without a file. Errors: VN_ERR_IO: the old file stays in use. */
enum vn_status vn_log_reopen(struct vn_error *err) VN_MUST_CHECK;
void vn_log_set_level(enum vn_log_level level);
/* Levels for single components, which are the part of an event's name before the dot: "engine=debug,job=trace"; "engine" alone means debug. Bare
 * levels and levels nobody knows are passed over, so that RUST_LOG can be given as it is. Replaces an earlier filter; NULL or "" clears it.
 * Shape: at most 16 components of at most 23 characters; more are passed over. */
void vn_log_set_filter(const char *filter);
int vn_log_level_parse(const char *text, enum vn_log_level *out);   /* 1 if understood; also takes RUST_LOG forms "info,foo=debug" (first bare level counts) */
int vn_log_format_parse(const char *text, enum vn_log_format *out);

/* fields: printf format of `key=value key="quoted value"` pairs, may be "". Use as VN_LOG(VN_LOG_INFO, "job.started", "job=%s", id). */
void vn_log_write(enum vn_log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));
int vn_log_enabled(enum vn_log_level level);
#define VN_LOG(level, event, ...) do { if (vn_log_enabled(level)) vn_log_write(level, event, __VA_ARGS__); } while (0)

#endif
