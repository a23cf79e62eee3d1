/* The tree is a document of libyaml; nobody else need know that library for it. */
#include "base/conf_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/conf_private.h"
#include "base/file.h"
#include "base/secret.h"

struct conf_tree {
	yaml_document_t document;
};

static const yaml_node_t *
yaml_of(const struct conf_node *node)
{
	return (const yaml_node_t *)node;
}

struct conf_tree *
conf_tree_read(const char *path, struct conf_report *report)
{
	struct conf_tree *tree = calloc(1, sizeof *tree);
	struct secret text = { 0 };
	char error[FILE_ERROR];
	bool is_loaded;

	report->path = path;
	report->unreadable = !tree || !file_read(&text, path, CONF_FILE_MOST, error);
	if (report->unreadable) {
		report->errors++;
		fprintf(report->out, "%s\n", tree ? error : "memory is short");
		free(tree);
		return NULL;
	}
	is_loaded = conf_document_load(&tree->document, text.data, text.bytes, report);
	secret_wipe(&text);
	if (is_loaded)
		return tree;
	free(tree);
	return NULL;
}

void
conf_tree_free(struct conf_tree *tree)
{
	if (!tree)
		return;
	yaml_document_delete(&tree->document);
	free(tree);
}

const struct conf_node *
conf_tree_root(struct conf_tree *tree)
{
	return (const struct conf_node *)yaml_document_get_root_node(&tree->document);
}

enum conf_node_kind
conf_node_kind(const struct conf_node *node)
{
	switch (yaml_of(node)->type) {
	case YAML_SEQUENCE_NODE:
		return CONF_NODE_LIST;
	case YAML_MAPPING_NODE:
		return CONF_NODE_MAPPING;
	default:
		return CONF_NODE_TEXT;
	}
}

struct conf_mark
conf_node_mark(const struct conf_node *node)
{
	const yaml_mark_t mark = yaml_of(node)->start_mark;

	return (struct conf_mark){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

const char *
conf_node_text(const struct conf_node *node)
{
	const yaml_node_t *yaml = yaml_of(node);
	const char *text;

	if (yaml->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)yaml->data.scalar.value;
	return strlen(text) == yaml->data.scalar.length ? text : NULL;
}

size_t
conf_node_count(const struct conf_node *node)
{
	const yaml_node_t *yaml = yaml_of(node);

	switch (conf_node_kind(node)) {
	case CONF_NODE_LIST:
		return (size_t)(yaml->data.sequence.items.top - yaml->data.sequence.items.start);
	case CONF_NODE_MAPPING:
		return (size_t)(yaml->data.mapping.pairs.top - yaml->data.mapping.pairs.start);
	default:
		return 0;
	}
}

static const struct conf_node *
node_of(struct conf_tree *tree, int number)
{
	return (const struct conf_node *)yaml_document_get_node(&tree->document, number);
}

const struct conf_node *
conf_node_key(struct conf_tree *tree, const struct conf_node *node, size_t index)
{
	return conf_node_kind(node) == CONF_NODE_MAPPING
	    ? node_of(tree, yaml_of(node)->data.mapping.pairs.start[index].key)
	    : NULL;
}

const struct conf_node *
conf_node_item(struct conf_tree *tree, const struct conf_node *node, size_t index)
{
	return node_of(tree,
	    conf_node_kind(node) == CONF_NODE_MAPPING
		? yaml_of(node)->data.mapping.pairs.start[index].value
		: yaml_of(node)->data.sequence.items.start[index]);
}
