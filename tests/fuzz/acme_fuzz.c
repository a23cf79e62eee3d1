/* What an ACME server and the DNS say: the first byte chooses who reads it, and all are as good as hostile. */
#include <assert.h>
#include <string.h>

#include "acme/caa.h"
#include "acme/chain.h"
#include "acme/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
read_caa(const uint8_t *data, size_t bytes)
{
	struct caa_set set;

	if (!caa_decode(&set, data, bytes))
		return;
	assert(set.count <= CAA_RECORDS);
	for (size_t i = 0; i < set.count; i++)
		assert(strlen(set.records[i].value) < CAA_VALUE);
	caa_judge(&set, "ca.example", "https://ca.example/acct/7");
}

static void
read_authorisation(const uint8_t *data, size_t bytes)
{
	struct acme_authorisation authorisation;

	if (acme_authorisation_decode(&authorisation, "app.example.com", data, bytes))
		assert(authorisation.url[0] == '\0' || document_url_is(authorisation.url));
}

static void
read_order(const uint8_t *data, size_t bytes)
{
	struct acme_order order;

	if (acme_order_decode(&order, data, bytes))
		assert(document_url_is(order.finalise));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct acme_directory directory;
	struct acme_problem problem;
	struct acme_window window;
	struct chain_facts facts;

	if (bytes == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		read_caa(data + 1, bytes - 1);
		break;
	case 'a':
		read_authorisation(data + 1, bytes - 1);
		break;
	case 'o':
		read_order(data + 1, bytes - 1);
		break;
	case 'd':
		if (acme_directory_decode(&directory, data + 1, bytes - 1))
			assert(document_url_is(directory.new_nonce));
		break;
	case 'p':
		acme_problem_decode(&problem, data + 1, bytes - 1);
		break;
	case 'w':
		if (acme_window_decode(&window, data + 1, bytes - 1))
			assert(window.from_s <= window.until_s);
		break;
	case 'x':
		chain_read(&facts, (struct der){ data + 1, bytes - 1 });
		break;
	default:
		break;
	}
	return 0;
}
