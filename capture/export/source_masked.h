/* source_masked: a session as it is, but with masks where secrets stood: for every exporter that needs no
 * variables.
 *
 * Records, bodies and messages come with their secrets replaced (SECRET_STYLE_MASK). A body whose
 * content coding hides a secret comes decoded, and its record without Content-Encoding; one that can't be
 * decoded is searched as it is. Sizes stay those of the capture, and cookies of the jar are as they are. */
#ifndef WEIR_CAPTURE_EXPORT_SOURCE_MASKED_H
#define WEIR_CAPTURE_EXPORT_SOURCE_MASKED_H

#include "capture/export/secrets.h"
#include "capture/export/source.h"

/* Both are borrowed and must outlive the result. */
void source_masked_init(struct export_source *out_source, const struct export_source *source,
                        struct secrets *secrets);
void source_masked_clear(struct export_source *source);

#endif
