/* import_job: one import under way: what its format's reader works with. The owner's thread only. */
#ifndef WEIR_CAPTURE_IMPORT_IMPORT_JOB_H
#define WEIR_CAPTURE_IMPORT_IMPORT_JOB_H

#include "capture/capture.h"
#include "capture/import/import.h"
#include "capture/import/input.h"
#include "capture/piece.h"
#include "capture/roster.h"

struct import_job {
    struct input *input;
    struct capture *capture;
    struct roster_session *session;
    struct uid_maker uids;
    struct import_report *report;
    uint64_t now_us;                                             /* when the import began: wall clock */
    void (*progress)(void *self, uint64_t done, uint64_t total); /* may be NULL */
    uint64_t told_bytes;                                         /* up to where it was told */
    void *progress_self;
};

/* which: the first is kept as an example. */
void import_count(struct import_job *job, enum import_reason reason, const char *which, ...)
    __attribute__((format(printf, 3, 4)));
/* One line that says where and what. */
void import_damage(struct import_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The reader has come to offset. */
void import_progress(struct import_job *job, uint64_t offset);

/* The formats. */
bool har_is_mine(struct input *input);
void har_read(struct import_job *job);
bool flows_are_mine(struct input *input);
void flows_read(struct import_job *job);
bool cookies_are_mine(struct input *input);
void cookies_read(struct import_job *job);

#endif
