/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

/* FIPS 180-4 examples (csrc.nist.gov, "SHA256.pdf"), and the hash of nothing */
static void sha256_published_values(void **state)
{
    (void)state;
    char hex[65];
    atoll_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    atoll_sha256_hex(two, strlen(two), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    atoll_sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* draft-eastlake-fnv: the test vectors for FNV-1a 64 */
static void fnv1a_published_values(void **state)
{
    (void)state;
    assert_true(atoll_fnv1a("", 0, 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(atoll_fnv1a("a", 1, 0) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(atoll_fnv1a("foobar", 6, 0) == UINT64_C(0x85944171f73967e8));
    assert_true(atoll_fnv1a("a", 1, 1) != atoll_fnv1a("a", 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_published_values),
        cmocka_unit_test(fnv1a_published_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
