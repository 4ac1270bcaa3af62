// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failing an operation at the first, second, ... of its points until it has no
 * more, and looking what each failure leaves behind. Two injectors are at work
 * one after the other: the core's own points, which every kernel has, and the
 * kernel's, where it has them: every allocation, every copy to or from user
 * space.
 */
#pragma once

#include "kit.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace guest {

/* What can be seen of a state, one line for each thing. */
using Snapshot = std::vector<std::string>;

/* "the pages of a name, pinned so often", and so on */
std::string observation(const std::string &what, std::uint64_t value);

enum class Source { core, kernel };

/* Makes the n-th point fail that the calling thread comes to. */
class Injector {
    public:
	struct Outcome {
		bool fired = false;
		/* Else: how many points later it would have. */
		unsigned int left = 1;
		/* Of the point, if the source tells. */
		std::optional<Errno> error;
		std::string where;
	};

	/* Finds out whether there is one. */
	explicit Injector(Source source);

	explicit operator bool() const { return static_cast<bool>(knob); }
	bool arm(unsigned int n) const;
	/* What has happened since arm(); nothing more will. */
	Outcome disarm() const;

    private:
	Fd knob;
};

/* Ends the case as skipped if the kernel cannot inject faults itself. */
void need_kernel_faults();

/*
 * One operation, to be run in the same state again and again.
 * @least: points of the core that it must have
 * @run: does it; as little else as possible, for everything is injected into
 * @undo: of a success, or of the traces that a failure may leave (@partial)
 * @errors: what it may fail with; EFAULT in addition for its structure
 * @lasting: it takes effect although its response cannot be written: EFAULT
 * @partial: a failure may leave a part done, in memory: undone, then compared
 * @entered: tells of a failed run whether it came as far as to what matters. If
 *	set, points are failed from the last one on backwards, until it did not, and
 *	on a slow machine only some of them
 * @translates: its errno may be another one than the point's
 */
struct Operation {
	std::string name;
	unsigned int least = 0;
	std::function<Errno()> run;
	std::function<void()> undo;
	std::vector<int> errors;
	bool lasting = false;
	bool partial = false;
	std::function<bool()> entered = {};
	bool translates = false;
};

/*
 * Requires for each n, from either source: the errno is one of the operation's,
 * and the point's if that is known; nothing has changed; the operation succeeds
 * when it is repeated, and can be undone.
 */
void sweep(const Operation &operation, const std::function<Snapshot()> &look);
void sweep(Source source, const Operation &operation,
	   const std::function<Snapshot()> &look);

/* Checks at its end that the module has no more objects than at its beginning. */
class NothingLeft {
    public:
	NothingLeft();
	NothingLeft(const NothingLeft &) = delete;
	NothingLeft &operator=(const NothingLeft &) = delete;
	~NothingLeft();

    private:
	std::map<std::string, unsigned long> objects;
};

/* For operations that nothing can be seen of. */
Snapshot no_state();

} // namespace guest
