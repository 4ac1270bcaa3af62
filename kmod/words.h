/* SPDX-License-Identifier: GPL-2.0-only */
/* Setting bits beside others who set and clear bits of the same words. */
#ifndef IOMMUKIT_WORDS_H
#define IOMMUKIT_WORDS_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/string.h>

/* Many bits are set more than once. Those leave the cache line alone. */
static inline void word_or(unsigned long *word, unsigned long mask)
{
	if ((READ_ONCE(*word) & mask) != mask)
		atomic_long_or(mask, (atomic_long_t *)word);
}

/* Set the bits from @first up to @end, which is behind it. */
static __always_inline void words_set(unsigned long *words, unsigned long first,
				      unsigned long end)
{
	unsigned long *head = &words[BIT_WORD(first)];
	unsigned long *tail = &words[BIT_WORD(end)];

	if (head == tail) {
		word_or(head, BITMAP_FIRST_WORD_MASK(first) &
			      ~BITMAP_FIRST_WORD_MASK(end));
		return;
	}
	if (first % BITS_PER_LONG)
		word_or(head++, BITMAP_FIRST_WORD_MASK(first));
	memset(head, 0xff, (void *)tail - (void *)head);
	if (end % BITS_PER_LONG)
		word_or(tail, ~BITMAP_FIRST_WORD_MASK(end));
}

#endif /* IOMMUKIT_WORDS_H */
