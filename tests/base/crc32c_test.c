/* Tests of base/crc32c: values that others have published, and bytes in pieces. */
#include "base/crc32c.h"

#include <string.h>
#include "helpers.h"

/* RFC 3720, B.4, and the check value that catalogues of CRCs give. */
static void
agrees_with_published_values(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32], rising[32];

	(void)state;
	memset(ones, 0xff, sizeof ones);
	for (unsigned i = 0; i < sizeof rising; i++)
		rising[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, zeros, sizeof zeros), 0x8a9136aa);
	assert_int_equal(crc32c(0, ones, sizeof ones), 0x62a8ab43);
	assert_int_equal(crc32c(0, rising, sizeof rising), 0x46dd794e);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

static void
goes_on_over_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 9; cut++)
		assert_int_equal(
		    crc32c(crc32c(0, "123456789", cut), &"123456789"[cut], 9 - cut), 0xe3069283);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_published_values),
	cmocka_unit_test(goes_on_over_pieces),
};

RUN_TESTS("crc32c", tests)
