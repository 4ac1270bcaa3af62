/* SPDX-License-Identifier: GPL-2.0-only */
/* Setting bits beside others who set and clear bits of the same words. */
#ifndef IOMMUKIT_WORDS_H
#define IOMMUKIT_WORDS_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
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

/* As word_or(). Returns how many of the bits were not set before. */
static inline unsigned int word_or_new(unsigned long *word, unsigned long mask)
{
	if ((READ_ONCE(*word) & mask) == mask)
		return 0;
	return hweight_long(mask & ~atomic_long_fetch_or(mask,
							 (atomic_long_t *)word));
}

/* As words_set(), a word at a time. Returns how many of the bits were not set before. */
static inline unsigned long words_set_new(unsigned long *words,
					  unsigned long first, unsigned long end)
{
	unsigned long *word = &words[BIT_WORD(first)];
	unsigned long *tail = &words[BIT_WORD(end)];
	unsigned long mask = BITMAP_FIRST_WORD_MASK(first), n = 0;

	for (; word < tail; word++, mask = ~0UL)
		n += word_or_new(word, mask);
	if (end % BITS_PER_LONG)
		n += word_or_new(word, mask & ~BITMAP_FIRST_WORD_MASK(end));
	return n;
}

#endif /* IOMMUKIT_WORDS_H */
