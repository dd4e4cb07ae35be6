/* faulty_store: disks that fail on command. A VFS of SQLite that passes everything on to the usual one, but
 * for what a test says. Any thread. */
#ifndef WEIR_TESTS_SUPPORT_FAULTY_STORE_H
#define WEIR_TESTS_SUPPORT_FAULTY_STORE_H

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

#endif
