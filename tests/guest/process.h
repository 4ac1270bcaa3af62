// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other processes as owners of memory. A child never asserts: Catch2 lives in
 * the parent. It returns what it saw as its exit status or in Shared memory.
 */
#pragma once

#include "kit.h"

#include <sys/mman.h>
#include <sys/types.h>

#include <functional>
#include <new>
#include <string>
#include <type_traits>

namespace guest {

/* An object that parent and children see together. */
template <class T> class Shared {
    public:
	static_assert(std::is_trivially_destructible_v<T>);

	Shared()
	{
		void *room = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		REQUIRE(room != MAP_FAILED);
		object = new (room) T{};
	}
	Shared(const Shared &) = delete;
	Shared &operator=(const Shared &) = delete;
	~Shared() { munmap(object, sizeof(T)); }

	T *operator->() const { return object; }
	T &operator*() const { return *object; }

    private:
	T *object;
};

/*
 * A forked process that runs in steps: it calls meet() where it wants to be
 * seen by the parent, and goes on when the parent lets it.
 */
class Child {
    public:
	class Steps {
	    public:
		/* Announces a state; returns when the parent calls resume(). */
		void meet() const;

		int announce;
		int proceed;
	};

	explicit Child(const std::function<int(const Steps &)> &body);
	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;
	/* Kills and reaps a child that was not joined. */
	~Child();

	/* Waits for the child's next meet(). */
	void await() const;
	void resume() const;
	void kill();
	/* Waits until the child has left this program, by exec or by its end. */
	void await_departure() const;
	/* Returns the exit status, or 1000 + the number of a deadly signal. */
	int join();

	pid_t pid() const { return process; }

    private:
	pid_t process = -1;
	Fd announced;
	Fd proceed;
};

/* Runs @body in a child and returns its exit status. */
int in_child(const std::function<int()> &body);

constexpr int deadly_signal = 1000;

/*
 * For children: become an unprivileged user without capabilities whose
 * RLIMIT_MEMLOCK is @memlock bytes. Returns 0 or an errno.
 */
int become_user(unsigned int uid, std::uint64_t memlock);
/* For children: drops one capability from all sets, keeping the rest. */
int drop_capability(int capability);
int set_memlock(std::uint64_t bytes);

/* A line of /proc/PID/status in pages, for example VmPin. */
long status_pages(pid_t pid, const std::string &field);

} // namespace guest
