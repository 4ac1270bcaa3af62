// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports: how accesses come, move and go. Everything here runs with
 * command_lock held and none of the locks that the unmap callback takes.
 */
#include "dma.h"

/*
 * A copying port has a callback too: detach and replace announce themselves
 * through it, and a job must not go on after them.
 */
static const struct iommukit_access_ops ikdma_copy_ops = {
	.unmap = ikdma_port_unmap,
};

static const struct iommukit_access_ops ikdma_pin_ops = {
	.needs_pin_pages = 1,
	.unmap = ikdma_port_unmap,
};

static int ikdma_bind_access(struct ikdma_port *port,
			     struct iommukit_ctx *ictx, u32 *id)
{
	struct iommukit_access *access;

	access = iommukit_access_create(ictx,
					port->may_pin ? &ikdma_pin_ops :
							&ikdma_copy_ops,
					port, id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	port->access = access;
	return 0;
}

static int ikdma_bind_device(struct ikdma_port *port,
			     struct iommukit_ctx *ictx, u32 *id)
{
	struct iommukit_soft_device *device;

	device = iommukit_soft_device_bind(ictx, id);
	if (IS_ERR(device))
		return PTR_ERR(device);
	port->device = device;
	return 0;
}

int ikdma_bind(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct iommukit_dma_bind *bind = &arg->bind;
	struct iommukit_ctx *ictx;
	struct ikdma_port *port;
	int ret;

	if (bind->flags & ~(IOMMUKIT_DMA_PORT_PIN | IOMMUKIT_DMA_PORT_HWPT) ||
	    bind->__reserved)
		return -EOPNOTSUPP;
	if (bind->port >= IOMMUKIT_DMA_NR_PORTS ||
	    bind->flags == (IOMMUKIT_DMA_PORT_PIN | IOMMUKIT_DMA_PORT_HWPT))
		return -EINVAL;
	port = &engine->ports[bind->port];
	if (ikdma_port_bound(port))
		return -EBUSY;

	ictx = iommukit_ctx_from_fd(bind->fd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	port->may_pin = bind->flags & IOMMUKIT_DMA_PORT_PIN;
	if (bind->flags & IOMMUKIT_DMA_PORT_HWPT)
		ret = ikdma_bind_device(port, ictx, &bind->out_access_id);
	else
		ret = ikdma_bind_access(port, ictx, &bind->out_access_id);
	/* Either has a reference of its own. */
	iommukit_ctx_put(ictx);
	return ret;
}

/* Find the bound port of a command that has one. */
static struct ikdma_port *ikdma_port_find(struct ikdma_engine *engine, u32 nr)
{
	if (nr >= IOMMUKIT_DMA_NR_PORTS)
		return ERR_PTR(-EINVAL);
	if (!ikdma_port_bound(&engine->ports[nr]))
		return ERR_PTR(-ENODEV);
	return &engine->ports[nr];
}

int ikdma_attach(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct iommukit_dma_attach *attach = &arg->attach;
	struct ikdma_port *port;
	int ret;

	if (attach->__reserved)
		return -EOPNOTSUPP;
	port = ikdma_port_find(engine, attach->port);
	if (IS_ERR(port))
		return PTR_ERR(port);
	/* To attach twice is a bug of the driver: keep the user from it. */
	if (port->ioas_id)
		return -EINVAL;
	if (port->device)
		ret = iommukit_soft_device_attach(port->device,
						  &attach->ioas_id);
	else
		ret = iommukit_access_attach(port->access, attach->ioas_id);
	if (!ret)
		port->ioas_id = attach->ioas_id;
	return ret;
}

static int ikdma_replace_access(struct ikdma_port *port, u32 ioas_id)
{
	struct ikdma_engine *engine = port->engine;
	int ret;

	/*
	 * If it fails, or names the IOAS we are on, the job goes on as if
	 * nothing had happened: then there is no callback. Otherwise the
	 * callback ends the job before replace returns, and attach_lock keeps
	 * a copying job from slipping one more chunk into the new IOAS.
	 */
	ret = mutex_lock_killable(&engine->attach_lock);
	if (ret)
		return ret;
	ret = iommukit_access_replace(port->access, ioas_id);
	mutex_unlock(&engine->attach_lock);
	return ret;
}

int ikdma_replace(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct iommukit_dma_attach *attach = &arg->attach;
	struct ikdma_port *port;
	int ret;

	if (attach->__reserved)
		return -EOPNOTSUPP;
	port = ikdma_port_find(engine, attach->port);
	if (IS_ERR(port))
		return PTR_ERR(port);
	if (!port->ioas_id)
		return -ENOENT;
	if (port->device)
		ret = iommukit_soft_device_replace(port->device,
						   &attach->ioas_id);
	else
		ret = ikdma_replace_access(port, attach->ioas_id);
	if (!ret)
		port->ioas_id = attach->ioas_id;
	return ret;
}

/* End a job that uses the port, and wait until its thread is gone. */
static void ikdma_port_quiesce(struct ikdma_port *port)
{
	struct ikdma_engine *engine = port->engine;

	if (engine->job.task && ikdma_pass_uses(&engine->job.pass, port))
		ikdma_job_stop(engine, IOMMUKIT_DMA_REVOKED);
}

int ikdma_detach(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct ikdma_port *port = ikdma_port_find(engine, arg->port.port);

	if (IS_ERR(port))
		return PTR_ERR(port);
	if (!port->ioas_id)
		return -ENOENT;
	ikdma_port_quiesce(port);
	if (port->device)
		iommukit_soft_device_detach(port->device);
	else
		iommukit_access_detach(port->access);
	port->ioas_id = 0;
	return 0;
}

int ikdma_unbind(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct ikdma_port *port = ikdma_port_find(engine, arg->port.port);

	if (IS_ERR(port))
		return PTR_ERR(port);
	/* No call may be in progress on an access that is destroyed. */
	ikdma_port_quiesce(port);
	ikdma_port_destroy(port);
	return 0;
}

void ikdma_port_destroy(struct ikdma_port *port)
{
	if (port->device) {
		if (port->ioas_id)
			iommukit_soft_device_detach(port->device);
		iommukit_soft_device_unbind(port->device);
		port->device = NULL;
	}
	if (port->access) {
		iommukit_access_destroy(port->access);
		port->access = NULL;
	}
	port->ioas_id = 0;
}
