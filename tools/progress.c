#include "tools/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "proxy/base/clock.h"

/* What is quicker says nothing; what is slower, so often. */
#define QUIET_US         1000000
#define INTERVAL_US      250000
#define TO_AN_EMPTY_LINE "\r\033[K"

bool progress_has_place(void)
{
    return isatty(STDERR_FILENO);
}

void progress_begin(struct progress *progress)
{
    *progress = (struct progress){ .started_us = clock_mono_us() };
}

bool progress_is_due(struct progress *progress)
{
    uint64_t now_us = clock_mono_us();

    if (now_us < progress->started_us + QUIET_US || now_us < progress->shown_us + INTERVAL_US)
        return false;
    progress->shown_us = now_us;
    return true;
}

void progress_show(struct progress *progress, struct span text, uint64_t done, uint64_t total)
{
    fprintf(stderr, TO_AN_EMPTY_LINE "weir: %.*s", SPAN_ARG(text));
    if (total != 0)
        fprintf(stderr, ", %u%%", (unsigned)(done * 100 / total));
    fflush(stderr);
    progress->is_shown = true;
}

void progress_end(struct progress *progress)
{
    if (progress->is_shown)
        fputs(TO_AN_EMPTY_LINE, stderr);
    progress->is_shown = false;
}
