/* What every delivery shares. */
#include "delivery/delivery.h"

void rv_delivery_free(struct rv_delivery *delivery)
{
	if (delivery)
		delivery->ops->free(delivery);
}

void rv_delivery_free_p(struct rv_delivery **delivery)
{
	rv_delivery_free(*delivery);
	*delivery = NULL;
}
