/* faulty_store: disks that fail on command. A VFS of SQLite that passes everything on to the usual one, but
 * for what a test says. Any thread. */
#ifndef WEIR_TESTS_SUPPORT_FAULTY_STORE_H
#define WEIR_TESTS_SUPPORT_FAULTY_STORE_H

#include <stdbool.h>

/* Becomes the default VFS of the process; call before a store is opened. */
void faulty_store_install(void);

enum fault {
    FAULT_NONE,
    FAULT_FULL, /* ENOSPC: every write */
    FAULT_IO,   /* EIO: every write and sync */
};
void faulty_store_set(enum fault fault);
/* Takes effect after so many more writes. */
void faulty_store_set_after(enum fault fault, int writes);

/* Of the calls from now on that a disk may refuse (writes, syncs, truncations, locks and pages of the shared
 * memory, each of which counts), those from the skipped-th on fail, so many of them: EIO. */
void faulty_store_fail_calls(int skipped, int failing);
/* How many such calls there have been since, those that failed among them. */
int faulty_store_calls(void);

/* Each sync takes until it is let go. */
void faulty_store_hold_syncs(bool is_held);
int faulty_store_held(void); /* how many wait */

#endif
