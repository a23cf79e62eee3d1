/*
 * A YAML file as a tree, for who reads what other programs were told and so has no table for it.
 * The same text is refused as by conf.h, with the same sentences: anchors, a second document, what is too
 * large or nested too deeply.
 *
 *	conf_tree_read --> conf_tree_root, conf_node_... --> conf_tree_free
 */
#ifndef BASE_CONF_TREE_H
#define BASE_CONF_TREE_H

#include <stddef.h>
#include "base/conf.h"

struct conf_tree;
/* Part of its tree. */
struct conf_node;

enum conf_node_kind { CONF_NODE_TEXT, CONF_NODE_LIST, CONF_NODE_MAPPING };

/* NULL after the errors are reported; report->unreadable says that it was the file. */
struct conf_tree *conf_tree_read(const char *path, struct conf_report *);
void conf_tree_free(struct conf_tree *);
/* NULL: the file is empty. */
const struct conf_node *conf_tree_root(struct conf_tree *);

enum conf_node_kind conf_node_kind(const struct conf_node *);
struct conf_mark conf_node_mark(const struct conf_node *);
/* NULL of what is no text, or has a NUL within. */
const char *conf_node_text(const struct conf_node *);
/* Of a list or a mapping; 0 of a text. */
size_t conf_node_count(const struct conf_node *);
/* The key of a mapping's pair; NULL of a list. */
const struct conf_node *conf_node_key(struct conf_tree *, const struct conf_node *, size_t index);
/* The item of a list, or the value of a mapping's pair. */
const struct conf_node *conf_node_item(struct conf_tree *, const struct conf_node *, size_t index);

#endif
