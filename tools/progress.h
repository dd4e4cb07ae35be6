/* progress: one line on a terminal's stderr that says how far something is that takes longer than a second.
 * The line is written over again and gone at the end; whoever has no terminal sees nothing. One thread. */
#ifndef WEIR_TOOLS_PROGRESS_H
#define WEIR_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/strbuf.h"

struct progress {
    uint64_t started_us, shown_us;
    bool is_shown;
};

bool progress_has_place(void); /* stderr is a terminal */
void progress_begin(struct progress *progress);
/* Whether it is time to show something: cheap, to be asked at every step. */
bool progress_is_due(struct progress *progress);
/* "weir: TEXT, 40%"; total 0: without a share. */
void progress_show(struct progress *progress, struct span text, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

#endif
