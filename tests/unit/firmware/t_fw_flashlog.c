/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's log on a flash as a chip has it: erased by the page, programmed word by word from
 * ones to zeros, and power may fail at any word, which then holds some of the bits.
 */
#include "../atoll_test.h"

#include <atoll/base.h>
#include <firmware_flashlog.h>

enum { PAGE_BYTES = 2048 };
const uint32_t port_flash_page_bytes = PAGE_BYTES;

static uint32_t pages[2][PAGE_BYTES / 4];
static uint32_t erases[2];
static uint32_t words_left = UINT32_MAX; /* until power fails */
static bool worn;                        /* takes nothing any more */
static struct atoll_rng rng;

uint32_t port_flash_read(uint8_t page, uint32_t at)
{
    assert_true(page < 2 && at < PAGE_BYTES && at % 4 == 0);
    return pages[page][at / 4];
}

bool port_flash_program(uint8_t page, uint32_t at, uint32_t word)
{
    assert_true(page < 2 && at < PAGE_BYTES && at % 4 == 0);
    assert_true(pages[page][at / 4] == UINT32_MAX); /* never twice */
    if (worn || words_left == 0) {
        return false;
    }
    if (--words_left == 0) {
        pages[page][at / 4] &= word | (uint32_t)atoll_rng_u64(&rng);
        return false;
    }
    pages[page][at / 4] &= word;
    return true;
}

bool port_flash_erase(uint8_t page)
{
    if (worn || words_left == 0) {
        return false;
    }
    erases[page]++;
    if (--words_left == 0) { /* half of it */
        memset(pages[page], 0xff, PAGE_BYTES / 2);
        return false;
    }
    memset(pages[page], 0xff, PAGE_BYTES);
    return true;
}

static int erase_all(void **state)
{
    (void)state;
    memset(pages, 0xff, sizeof pages);
    erases[0] = erases[1] = 0;
    words_left = UINT32_MAX;
    worn = false;
    return 0;
}

static void random_write(uint16_t *at, uint8_t *bytes, uint8_t *n)
{
    *n = (uint8_t)(1 + atoll_rng_below(&rng, 48));
    *at = (uint16_t)atoll_rng_below(&rng, FW_STORE_BYTES - *n + 1u);
    for (uint8_t i = 0; i < *n; i++) {
        bytes[i] = (uint8_t)atoll_rng_u64(&rng);
    }
}

static void keeps_what_is_written(void **state)
{
    (void)state;
    struct fw_flashlog l;
    uint8_t model[FW_STORE_BYTES];
    uint8_t bytes[48];
    uint16_t at = 0;
    uint8_t n = 0;
    memset(model, 0xff, sizeof model);
    fw_flashlog_open(&l);
    for (size_t i = 0; i < test_cases(3000); i++) {
        random_write(&at, bytes, &n);
        assert_true(fw_flashlog_write(&l, at, bytes, n));
        memcpy(model + at, bytes, n);
        if (atoll_rng_below(&rng, 10) == 0) {
            fw_flashlog_open(&l);
        }
        assert_memory_equal(l.bytes, model, sizeof model);
    }
    fw_flashlog_read(&l, at, bytes, n);
    assert_memory_equal(bytes, model + at, n);
    assert_true(erases[0] > 10 && erases[0] - erases[1] + 1 <= 2); /* both wear alike */
    const uint32_t before = l.at;
    assert_true(fw_flashlog_write(&l, at, bytes, n)); /* nothing new: nothing worn */
    assert_int_equal(l.at, before);
}

/* Power fails at the k-th word for all k that matter: afterwards a write is there whole or not at
 * all, all others are there, and the log takes more. */
static void power_may_fail_at_any_word(void **state)
{
    (void)state;
    struct fw_flashlog l;
    uint8_t model[FW_STORE_BYTES];
    uint8_t bytes[48];
    uint16_t at = 0;
    uint8_t n = 0;
    uint32_t kept = 0;
    uint32_t cut = 0;
    memset(model, 0xff, sizeof model);
    fw_flashlog_open(&l);
    for (size_t i = 0; i < test_cases(6000); i++) {
        random_write(&at, bytes, &n);
        words_left = 1 + (uint32_t)atoll_rng_below(&rng, 200);
        const bool done = fw_flashlog_write(&l, at, bytes, n);
        cut += !done;
        words_left = UINT32_MAX;
        fw_flashlog_open(&l); /* the next start */
        uint8_t with[FW_STORE_BYTES];
        memcpy(with, model, sizeof with);
        memcpy(with + at, bytes, n);
        const bool there = memcmp(l.bytes, with, sizeof with) == 0;
        assert_true(there || (!done && memcmp(l.bytes, model, sizeof model) == 0));
        kept += there && !done;
        memcpy(model, l.bytes, sizeof model);
    }
    assert_true(cut > 100);
    print_message("%u writes were cut off, %u of them had got through\n", cut, kept);
}

static void a_worn_flash_is_told(void **state)
{
    (void)state;
    struct fw_flashlog l;
    const uint8_t one[4] = {1, 2, 3, 4};
    const uint8_t two[4] = {5, 6, 7, 8};
    uint8_t back[4];
    fw_flashlog_open(&l);
    assert_true(fw_flashlog_write(&l, 8, one, 4));
    worn = true;
    assert_false(fw_flashlog_write(&l, 8, two, 4));
    fw_flashlog_read(&l, 8, back, 4);
    assert_memory_equal(back, one, 4); /* so that the store's reading back finds the old */
    assert_false(fw_flashlog_write(&l, FW_STORE_BYTES - 2, two, 4));
}

/* Whatever stands in the flash, opening it reads within it. */
static void any_content_can_be_opened(void **state)
{
    (void)state;
    struct fw_flashlog l;
    const uint8_t one[4] = {1, 2, 3, 4};
    fw_flashlog_open(&l);
    assert_true(fw_flashlog_write(&l, 8, one, 4));
    for (size_t i = 0; i < test_cases(2000); i++) {
        const uint32_t from = i % 2 == 0 ? 3 : 0; /* behind a good header, or everywhere */
        for (uint32_t k = from; k < PAGE_BYTES / 4; k++) {
            const uint32_t random = (uint32_t)atoll_rng_u64(&rng);
            pages[0][k] =
                atoll_rng_below(&rng, 3) == 0 ? (random & 0x00ffffffu) | 0xa5000000u : random;
        }
        fw_flashlog_open(&l);
        assert_true(fw_flashlog_write(&l, 8, one, 4));
        fw_flashlog_open(&l);
        uint8_t back[4];
        fw_flashlog_read(&l, 8, back, 4);
        assert_memory_equal(back, one, 4);
        (void)erase_all(NULL);
        fw_flashlog_open(&l);
        assert_true(fw_flashlog_write(&l, 8, one, 4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keeps_what_is_written, erase_all),
        cmocka_unit_test_setup(power_may_fail_at_any_word, erase_all),
        cmocka_unit_test_setup(a_worn_flash_is_told, erase_all),
        cmocka_unit_test_setup(any_content_can_be_opened, erase_all),
    };
    atoll_rng_seed(&rng, test_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
