#ifndef VN_METRICS_COMMON_H
#define VN_METRICS_COMMON_H
/* Labels that the tables of several processes share, so that one query covers all of them. */

#include "libshared/metrics.h"

enum vn_metric_direction { VN_DIRECTION_IN, VN_DIRECTION_OUT, VN_DIRECTION_COUNT };
static const char *const vn_direction_labels[VN_DIRECTION_COUNT] = {"in", "out"};

/* What an engine was asked for. */
enum vn_metric_piece {
    VN_METRIC_PIECE_SETUP, VN_METRIC_PIECE_EXECUTE, VN_METRIC_PIECE_CONTRIBUTE, VN_METRIC_PIECE_PROVE, VN_METRIC_PIECE_AGGREGATE, VN_METRIC_PIECE_VERIFY, VN_METRIC_PIECE_COUNT
};
static const char *const vn_piece_labels[VN_METRIC_PIECE_COUNT] = {"setup", "execute", "contribute", "prove", "aggregate", "verify"};

/* How an engine ended: with a result, with a failure it reported, without either, or killed because nobody wanted it any more. */
enum vn_metric_engine_outcome { VN_OUTCOME_OK, VN_OUTCOME_FAILED, VN_OUTCOME_CRASHED, VN_OUTCOME_CANCELLED, VN_OUTCOME_COUNT };
static const char *const vn_engine_outcome_labels[VN_OUTCOME_COUNT] = {"ok", "failed", "crashed", "cancelled"};

/* Seconds of work: shards take seconds, phases of big jobs most of an hour. */
static const double vn_work_bounds[] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600};

#define VN_ENGINE_OUTCOMES_HELP "Engine processes that ended, by what they were asked for and how they ended."
#define VN_START_TIME_HELP "When the process started, in seconds since 1970."

#endif
