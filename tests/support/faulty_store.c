#include "tests/support/faulty_store.h"

#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* lies behind this struct */
};

static sqlite3_vfs *real_vfs;
static atomic_int current_fault;
static atomic_int writes_left;
static atomic_int calls, first_failing, end_of_failing;
static atomic_bool syncs_are_held;
static atomic_int held;

void faulty_store_set(enum fault fault)
{
    atomic_store(&writes_left, 0);
    atomic_store(&current_fault, (int)fault);
}

void faulty_store_set_after(enum fault fault, int writes)
{
    atomic_store(&writes_left, writes);
    atomic_store(&current_fault, (int)fault);
}

void faulty_store_fail_calls(int skipped, int failing)
{
    atomic_store(&end_of_failing, 0);
    atomic_store(&calls, 0);
    atomic_store(&first_failing, skipped);
    atomic_store(&end_of_failing, skipped + failing);
}

int faulty_store_calls(void)
{
    return atomic_load(&calls);
}

void faulty_store_hold_syncs(bool is_held)
{
    atomic_store(&syncs_are_held, is_held);
}

int faulty_store_held(void)
{
    return atomic_load(&held);
}

static void wait_while_held(void)
{
    atomic_fetch_add(&held, 1);
    while (atomic_load(&syncs_are_held))
        sched_yield();
    atomic_fetch_sub(&held, 1);
}

static bool call_fails(void)
{
    int call = atomic_fetch_add(&calls, 1);

    return call >= atomic_load(&first_failing) && call < atomic_load(&end_of_failing);
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

#define PASS(call) real_of(file)->pMethods->call

static int file_close(sqlite3_file *file)
{
    return PASS(xClose(real_of(file)));
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    return PASS(xRead(real_of(file), to, n, at));
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    int fault = atomic_load(&current_fault);

    if (call_fails())
        return SQLITE_IOERR_WRITE;
    if (fault != FAULT_NONE && atomic_fetch_sub(&writes_left, 1) <= 0) {
        atomic_store(&writes_left, 0);
        return fault == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return PASS(xWrite(real_of(file), from, n, at));
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (call_fails())
        return SQLITE_IOERR_TRUNCATE;
    return PASS(xTruncate(real_of(file), size));
}

static int file_sync(sqlite3_file *file, int flags)
{
    wait_while_held();
    if (call_fails())
        return SQLITE_IOERR_FSYNC;
    if (atomic_load(&current_fault) == FAULT_IO && atomic_load(&writes_left) <= 0)
        return SQLITE_IOERR_FSYNC;
    return PASS(xSync(real_of(file), flags));
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out_size)
{
    return PASS(xFileSize(real_of(file), out_size));
}

static int file_lock(sqlite3_file *file, int level)
{
    return PASS(xLock(real_of(file), level));
}

static int file_unlock(sqlite3_file *file, int level)
{
    return PASS(xUnlock(real_of(file), level));
}

static int file_is_reserved(sqlite3_file *file, int *out_reserved)
{
    return PASS(xCheckReservedLock(real_of(file), out_reserved));
}

static int file_control(sqlite3_file *file, int what, void *arg)
{
    return PASS(xFileControl(real_of(file), what, arg));
}

static int file_sector_size(sqlite3_file *file)
{
    return PASS(xSectorSize(real_of(file)));
}

static int file_characteristics(sqlite3_file *file)
{
    return PASS(xDeviceCharacteristics(real_of(file)));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out_memory)
{
    if (call_fails())
        return SQLITE_IOERR_SHMMAP;
    return PASS(xShmMap(real_of(file), page, size, extend, out_memory));
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    /* SQLite gives locks back without asking whether that went well. */
    if ((flags & SQLITE_SHM_LOCK) != 0 && call_fails())
        return SQLITE_IOERR_SHMLOCK;
    return PASS(xShmLock(real_of(file), offset, n, flags));
}

static void file_shm_barrier(sqlite3_file *file)
{
    PASS(xShmBarrier(real_of(file)));
}

static int file_shm_unmap(sqlite3_file *file, int is_last)
{
    return PASS(xShmUnmap(real_of(file), is_last));
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct faulty_file *faulty = (struct faulty_file *)file;
    int result;

    (void)vfs;
    faulty->real = (sqlite3_file *)(faulty + 1);
    result = real_vfs->xOpen(real_vfs, name, faulty->real, flags, out_flags);
    file->pMethods = faulty->real->pMethods != NULL ? &methods : NULL;
    return result;
}

void faulty_store_install(void)
{
    static sqlite3_vfs vfs;

    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    sqlite3_vfs_register(&vfs, 1);
}
