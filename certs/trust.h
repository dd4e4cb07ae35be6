/* trust: put the CA into the stores of roots of this machine and this person, and take it out again.
 *
 * The system's store (Debian, Fedora, Arch, openSUSE), and the NSS databases of Chrome, Chromium and every
 * Firefox profile, also those of snap and flatpak. Each store is tried, whatever became of the others, and
 * has its entry in a report. Installing twice changes nothing; removing leaves each store as it was, a
 * database that was made for it included. After a renewal of the CA installing replaces the old certificate.
 *
 * Nobody is asked for anything: where root or a password is missing, the report says what to run. Blocks
 * while the system's own tools run. The caller's thread only. */
#ifndef WEIR_CERTS_TRUST_H
#define WEIR_CERTS_TRUST_H

#include <stddef.h>

#include "certs/ca.h"

enum trust_outcome {
    TRUST_ADDED,
    TRUST_ALREADY_THERE,
    TRUST_REMOVED,
    TRUST_NOT_THERE,
    TRUST_SKIPPED, /* it is somebody else's to do; detail says what */
    TRUST_FAILED,  /* detail says why */
};

struct trust_entry {
    char *store; /* for people: "Debian and Ubuntu", "Firefox" */
    char *path;  /* the file or database */
    enum trust_outcome outcome;
    char *detail; /* one line; may be empty */
    char *undo;   /* a command; empty when nothing was done */
};

struct trust_report {
    struct trust_entry *entries; /* in the order of the work */
    size_t count;
};

/* Where the stores are. Tests put folders of their own here. */
struct trust_roots {
    const char *home;           /* NULL: the databases of browsers are left out */
    const char *system_root;    /* put before the paths of the system's store; "" in real life */
    const char *update_command; /* instead of the system's own after a change; NULL: the system's own */
};

/* *out_report is the caller's, to be emptied with trust_report_clear. */
void trust_install(const struct ca *ca, const struct trust_roots *roots, struct trust_report *out_report);
void trust_remove(const struct ca *ca, const struct trust_roots *roots, struct trust_report *out_report);

void trust_report_clear(struct trust_report *report);
const char *trust_outcome_text(enum trust_outcome outcome); /* "added", "already there", ... */

#endif
