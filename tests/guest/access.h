// SPDX-License-Identifier: GPL-2.0-only
/* Accesses of the test module: a kernel driver under remote control. */
#pragma once

#include "kit.h"

#include "../../kmod/test/iommukit_test_abi.h"

namespace guest {

constexpr std::uint32_t access_pins = IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES;
constexpr std::uint32_t pin_write = IOMMUKIT_TEST_ACCESS_WRITE;
constexpr std::uint32_t rw_write = IOMMUKIT_TEST_ACCESS_RW_WRITE;
constexpr std::uint32_t rw_slow = IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH;
/* Of the kernel's own interface; only the raw calls reach it. */
constexpr std::uint32_t rw_kthread = 1 << 1;
constexpr std::uint32_t no_item = ~0U;

/* An empty test command for an op; @id is an object or an access. */
iommukit_test_cmd test_command(std::uint32_t op, std::uint32_t id = 0);
Errno test_call(const Context &context, iommukit_test_cmd &cmd);

Errno try_add_reserved(const Context &context, std::uint32_t ioas, std::uint64_t start,
		       std::uint64_t length);

/* Are the pages of @memory pinned @refs times? EIO says no. */
Errno check_refs(const Context &context, const Memory &memory, std::uint32_t refs);
Errno check_refs(const Context &context, std::uint64_t va, std::uint64_t length,
		 std::uint32_t refs);

Errno set_temp_memory_limit(const Context &context, std::uint32_t bytes);

/* What the unmap callback of an access has seen. */
struct Callbacks {
	std::uint32_t calls, running, items;
	std::uint64_t iova, length;
};

/* Where a raw rw runs: here, or in a kernel thread of the test module. */
enum class From : std::uint32_t {
	caller = 0,
	kthread = IOMMUKIT_TEST_ACCESS_FROM_KTHREAD,
};

class Access {
    public:
	Access(const Context &context, std::uint32_t ioas,
	       std::uint32_t flags = access_pins);
	static Errno attempt(const Context &context, std::uint32_t ioas,
			     std::uint32_t flags, Fd *access);
	/* The extended create, with more @flags; @ioas 0: not attached. */
	static Access extended(const Context &context, std::uint32_t ioas,
			       std::uint32_t flags, std::uint32_t *id = nullptr);
	static Errno attempt_extended(const Context &context, std::uint32_t ioas,
				      std::uint32_t flags, Fd *access,
				      std::uint32_t *id = nullptr);

	std::uint32_t id() const { return static_cast<std::uint32_t>(access.get()); }
	void close() { access.reset(); }

	Errno try_pin(std::uint64_t iova, std::uint64_t length, std::uint32_t flags = 0,
		      std::uint64_t uptr = 0, std::uint32_t *item = nullptr) const;
	/* Pins, compares the pages with those at @uptr, returns the item. */
	std::uint32_t pin(std::uint64_t iova, std::uint64_t length,
			  std::uint32_t flags = 0, std::uint64_t uptr = 0) const;
	Errno try_unpin(std::uint32_t item) const;

	Errno try_read(std::uint64_t iova, void *buffer, std::uint64_t length,
		       std::uint32_t flags = 0) const;
	Errno try_write(std::uint64_t iova, const void *buffer, std::uint64_t length,
			std::uint32_t flags = 0) const;
	std::vector<std::byte> read(std::uint64_t iova, std::uint64_t length,
				    std::uint32_t flags = 0) const;

	Errno try_replace(std::uint32_t ioas) const;
	Errno try_attach(std::uint32_t ioas) const;
	Errno try_detach() const;
	void detach() const;

	/* The kernel's calls with any flags, also from a kernel thread. */
	Errno rw_raw(std::uint64_t iova, const void *buffer, std::uint64_t length,
		     std::uint32_t flags, From from = From::caller) const;
	Errno pin_raw(std::uint64_t iova, std::uint64_t length,
		      std::uint32_t flags) const;
	/* Pins a range as drivers without a lock do; the callback does not know. */
	Errno try_pin_unlocked(std::uint64_t iova, std::uint64_t length) const;
	/* Unpins a range, whether it is pinned or not. */
	Errno try_unpin_raw(std::uint64_t iova, std::uint64_t length) const;
	void unpin_raw(std::uint64_t iova, std::uint64_t length) const;

	/* Makes the callback return without having released anything. */
	void set_stubborn(bool on) const;
	/* Makes each callback last that long. */
	void set_delay(std::uint32_t milliseconds) const;
	Callbacks callbacks() const;

    private:
	Access(int context_fd, Fd access);
	void behave(std::uint32_t flags, std::uint32_t delay_ms) const;
	Errno rw(std::uint64_t iova, std::uint64_t uptr, std::uint64_t length,
		 std::uint32_t flags) const;

	/* The command goes to the device; it finds the access by its fd. */
	Fd device;
	Fd access;
};

} // namespace guest
