// SPDX-License-Identifier: GPL-2.0-only
// Everything of libiommukit.
#pragma once

#include "bound_device.h"
#include "command.h"
#include "context.h"
#include "dirty.h"
#include "dma_engine.h"
#include "error.h"
#include "fd.h"
#include "hw_info.h"
#include "hwpt.h"
#include "info.h"
#include "ioas.h"
#include "mapping.h"
#include "memory.h"
#include "owned_object.h"
#include "pci.h"
#include "raw.h"
#include "sysfs.h"
#include "types.h"
