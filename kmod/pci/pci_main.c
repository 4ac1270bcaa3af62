// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offers PCI functions to user space that are given to it by name:
 *
 *	echo iommukit_pci >/sys/bus/pci/devices/ADDRESS/driver_override
 *	echo ADDRESS >/sys/bus/pci/drivers_probe
 *
 * ("iommuctl device bind" does that.) It claims no BAR, so that user space can map
 * them by the resource files in sysfs, and leaves a function alone that nobody takes.
 */
#include <linux/iommukit.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

/**
 * struct pci_offer - A function that user space may have
 * @offer: its offer
 * @pristine: its configuration when user space first had it; NULL: that never did
 */
struct pci_offer {
	struct iommukit_offer *offer;
	struct pci_saved_state *pristine;
};

/* As it was found, whatever user space has written to the configuration since. */
static int pci_offer_configure(struct pci_dev *pdev)
{
	struct pci_offer *mine = pci_get_drvdata(pdev);

	if (mine->pristine) {
		pci_load_saved_state(pdev, mine->pristine);
		pci_restore_state(pdev);
		return 0;
	}
	pci_save_state(pdev);
	mine->pristine = pci_store_saved_state(pdev);
	return mine->pristine ? 0 : -ENOMEM;
}

/* What the last user left in the function is none of the next one's business. */
static int pci_offer_start(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_try_reset_function(pdev);
	/* There is no way to reset it; many simple functions are so. */
	if (ret == -ENOTTY)
		ret = 0;
	/* Somebody is at work on it, or the driver is about to leave it. */
	if (ret == -EAGAIN)
		ret = -EBUSY;
	if (!ret)
		ret = pci_offer_configure(pdev);
	if (ret) {
		pci_disable_device(pdev);
		return ret;
	}
	/* Nobody here answers the line, which others may share. */
	pci_intx(pdev, 0);
	pci_set_master(pdev);
	return 0;
}

static void pci_offer_stop(struct device *dev)
{
	pci_clear_master(to_pci_dev(dev));
}

static void pci_offer_end(struct device *dev)
{
	pci_disable_device(to_pci_dev(dev));
}

static const struct iommukit_offer_ops pci_offer_ops = {
	.start = pci_offer_start,
	.stop = pci_offer_stop,
	.end = pci_offer_end,
};

static int pci_offer_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct pci_offer *mine;

	/* What is behind a bridge would go with it. */
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	    pdev->class >> 16 == PCI_BASE_CLASS_BRIDGE)
		return -EINVAL;
	mine = kzalloc(sizeof(*mine), GFP_KERNEL);
	if (!mine)
		return -ENOMEM;
	pci_set_drvdata(pdev, mine);
	mine->offer = iommukit_offer_add(&pdev->dev, &pci_offer_ops);
	if (IS_ERR(mine->offer)) {
		int ret = PTR_ERR(mine->offer);

		kfree(mine);
		return ret;
	}
	return 0;
}

static void pci_offer_remove(struct pci_dev *pdev)
{
	struct pci_offer *mine = pci_get_drvdata(pdev);

	iommukit_offer_remove(mine->offer);
	/* The next driver is not interested in it either. */
	if (mine->pristine && pci_device_is_present(pdev)) {
		__pci_reset_function_locked(pdev);
		pci_offer_configure(pdev);
	}
	kfree(mine->pristine);
	kfree(mine);
}

/* Nothing by itself: what it gets is said by driver_override. */
static const struct pci_device_id pci_offer_ids[] = {
	{}
};

static struct pci_driver pci_offer_driver = {
	.name = "iommukit_pci",
	.id_table = pci_offer_ids,
	.probe = pci_offer_probe,
	.remove = pci_offer_remove,
	.driver_managed_dma = true,
};

module_pci_driver(pci_offer_driver);
IOMMUKIT_IMPORT_NS;
MODULE_DESCRIPTION("Offers PCI functions to contexts of iommukit");
MODULE_AUTHOR("The iommukit authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);
