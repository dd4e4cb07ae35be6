/* golden: text that is compared with a file of the tree.
 *
 * With WEIR_GOLDEN=write in the environment the file is written instead: look at the difference in git. */
#ifndef WEIR_TESTS_GOLDEN_H
#define WEIR_TESTS_GOLDEN_H

/* path is from the root of the tree. Fails the test with the first line that differs. */
void golden_compare(const char *text, const char *path);

#endif
