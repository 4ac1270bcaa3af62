/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts as those see them that look on: by a number, and in a list.
 *
 * There are two ways to keep one. iommukit_ctx_get() keeps its file open, and with that
 * everything in it. context_get() keeps the structure, of which all that does not change,
 * the counts, and the table of objects may be looked at; but its objects may end at any
 * moment, and it keeps nobody from closing the file.
 *
 * A number is not given to another context before all others had their turn.
 */
#ifndef IOMMUKIT_CONTEXT_H
#define IOMMUKIT_CONTEXT_H

#include <linux/refcount.h>

#include "private.h"

struct file;

/* Contexts have numbers from 1 on. */
#define CONTEXT_ID_MAX INT_MAX

struct iommukit_ctx *context_create(struct file *file);
void context_end(struct iommukit_ctx *ctx);
void context_free(struct iommukit_ctx *ctx);
struct iommukit_ctx *context_next(u32 id);
unsigned int contexts_changes(void);

/**
 * context_get - keep the structure of a context
 * @ctx: a context the caller has
 *
 * Context: any. Undone by context_put().
 */
static inline void context_get(struct iommukit_ctx *ctx)
{
	refcount_inc(&ctx->refs);
}

/**
 * context_put - undo context_get()
 * @ctx: the context
 *
 * Context: may sleep.
 */
static inline void context_put(struct iommukit_ctx *ctx)
{
	if (refcount_dec_and_test(&ctx->refs))
		context_free(ctx);
}

#endif /* IOMMUKIT_CONTEXT_H */
