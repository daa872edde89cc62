/* SPDX-License-Identifier: Apache-2.0 */
/* Sectors 6 and 7 of the flash as the store's pages 0 and 1 [3.3, 3.6]. While a page is erased, for
 * up to two seconds, the processor stands still; it does so only when no scans run. */
#include "stm32_board.h"

enum { FIRST_SECTOR = 6, PAGE_BYTES = 128 * 1024 };
#define PAGES_AT UINT32_C(0x08040000)

const uint32_t port_flash_page_bytes = PAGE_BYTES;

static volatile uint32_t *word_at(uint8_t page, uint32_t at)
{
    return (volatile uint32_t *)(uintptr_t)(PAGES_AT + (uint32_t)page * PAGE_BYTES + at);
}

static void unlock(void)
{
    if ((FLASH->cr & FLASH_CR_LOCK) != 0) {
        FLASH->keyr = FLASH_KEY_1;
        FLASH->keyr = FLASH_KEY_2;
    }
    FLASH->sr = FLASH_SR_ERRORS; /* a one clears */
}

static bool finish(void)
{
    while ((FLASH->sr & FLASH_SR_BSY) != 0) {
    }
    const bool good = (FLASH->sr & FLASH_SR_ERRORS) == 0;
    FLASH->cr = FLASH_CR_LOCK;
    return good;
}

uint32_t port_flash_read(uint8_t page, uint32_t at)
{
    return *word_at(page, at);
}

bool port_flash_program(uint8_t page, uint32_t at, uint32_t word)
{
    unlock();
    FLASH->cr = FLASH_CR_PG | FLASH_CR_PSIZE_32; /* 2.7 V or more */
    *word_at(page, at) = word;
    return finish() && *word_at(page, at) == word;
}

bool port_flash_erase(uint8_t page)
{
    unlock();
    FLASH->cr = FLASH_CR_SER | FLASH_CR_SNB(FIRST_SECTOR + page) | FLASH_CR_PSIZE_32;
    FLASH->cr |= FLASH_CR_STRT;
    const bool good = finish();
    /* the data cache may hold what is gone [3.4.2]: off, reset, on */
    FLASH->acr &= ~FLASH_ACR_DCEN;
    FLASH->acr |= FLASH_ACR_DCRST;
    FLASH->acr &= ~FLASH_ACR_DCRST;
    FLASH->acr |= FLASH_ACR_DCEN;
    return good;
}
