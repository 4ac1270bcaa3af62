// SPDX-License-Identifier: GPL-2.0-only
// Every command with the caller's own structure, one attempt, errno as the
// result: what tests and probes need to build any call, good or bad. Nothing
// is checked, nothing is repeated (EINTR is reported), nothing throws.
#pragma once

#include "context.h"
#include "dma_engine.h"

#include <linux/iommukit.h>
#include <linux/iommukit_dma.h>

#include <system_error>

namespace iommukit {

// Any request number with any argument, a bad pointer included.
std::error_code raw(int fd, unsigned long request, void *arg) noexcept;
std::error_code raw(const Context &context, unsigned long request, void *arg) noexcept;
std::error_code raw(const DmaEngine &engine, unsigned long request, void *arg) noexcept;

std::error_code try_open(const std::string &path, std::optional<Context> &out) noexcept;

std::error_code try_destroy(const Context &context, iommukit_destroy &cmd) noexcept;
std::error_code try_ioas_alloc(const Context &context, iommukit_ioas_alloc &cmd) noexcept;
std::error_code try_iova_ranges(const Context &context,
				iommukit_ioas_iova_ranges &cmd) noexcept;
std::error_code try_allow_iovas(const Context &context,
				iommukit_ioas_allow_iovas &cmd) noexcept;
std::error_code try_ioas_map(const Context &context, iommukit_ioas_map &cmd) noexcept;
std::error_code try_ioas_map_file(const Context &context,
				  iommukit_ioas_map_file &cmd) noexcept;
std::error_code try_ioas_copy(const Context &context, iommukit_ioas_copy &cmd) noexcept;
std::error_code try_ioas_unmap(const Context &context, iommukit_ioas_unmap &cmd) noexcept;
std::error_code try_option(const Context &context, iommukit_option &cmd) noexcept;
std::error_code try_vfio_ioas(const Context &context, iommukit_vfio_ioas &cmd) noexcept;
std::error_code try_info(const Context &context, iommukit_info &cmd) noexcept;

std::error_code try_open(const std::string &path, std::optional<DmaEngine> &out) noexcept;

std::error_code try_bind(const DmaEngine &engine, iommukit_dma_bind &cmd) noexcept;
std::error_code try_unbind(const DmaEngine &engine, iommukit_dma_port &cmd) noexcept;
std::error_code try_attach(const DmaEngine &engine, iommukit_dma_attach &cmd) noexcept;
std::error_code try_replace(const DmaEngine &engine, iommukit_dma_attach &cmd) noexcept;
std::error_code try_detach(const DmaEngine &engine, iommukit_dma_port &cmd) noexcept;
std::error_code try_transfer(const DmaEngine &engine,
			     iommukit_dma_transfer &cmd) noexcept;
std::error_code try_start(const DmaEngine &engine, iommukit_dma_start &cmd) noexcept;
std::error_code try_stop(const DmaEngine &engine, iommukit_dma_stop &cmd) noexcept;
std::error_code try_status(const DmaEngine &engine, iommukit_dma_status &cmd) noexcept;

} // namespace iommukit
