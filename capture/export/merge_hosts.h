/* merge_hosts: by which variables a collection that is there calls the hosts of a capture.
 *
 * A capture has a variable for the URL of each host. In the file a host's variable is the one with that URL;
 * else the one that items of that host use there, though a person has given it another value (a staging
 * server's). A host that the file does not know keeps its variable, under another name where that is taken.
 */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_HOSTS_H
#define WEIR_CAPTURE_EXPORT_MERGE_HOSTS_H

#include "capture/export/merge_tree.h"

struct merge_host {
    const char *variable, *url; /* of the capture */
    char *used;                 /* the variable's name in the file */
    bool is_declared;           /* there already */
    bool is_used;               /* something new in the file uses it; set by who adds it */
};

struct merge_hosts {
    struct merge_host *list;
    size_t count;
};

/* made and file: the documents; items that are the same by their ids know each other already. Borrowed. */
void merge_hosts_init(struct merge_hosts *out_hosts, const json_t *made, const struct merge_tree *made_tree,
                      const json_t *file, const struct merge_tree *file_tree);
void merge_hosts_clear(struct merge_hosts *hosts);

/* Which of the capture's hosts an item of the file calls, by the host of its call; MERGE_NONE. */
size_t merge_hosts_of_file(const struct merge_hosts *hosts, const char *host);
/* The same of the capture's. */
size_t merge_hosts_of_made(const struct merge_hosts *hosts, const char *host);
/* Whether that is the name of a host's variable in the capture. */
bool merge_hosts_has(const struct merge_hosts *hosts, const char *variable);

/* Gives the URLs of an item of the capture, of its examples too, the names that the file has. */
void merge_hosts_rename(const struct merge_hosts *hosts, json_t *item);

/* A variable of a collection that stands for itself, for a literal {{...}} of the traffic. */
bool merge_is_literal(const json_t *variable);
/* The variable of that name; NULL: there is none that counts. */
const json_t *merge_find_variable(const json_t *document, const char *name);

#endif
