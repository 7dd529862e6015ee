/* What every warehouse shares. */
#include "warehouse/warehouse.h"

void rv_warehouse_free(struct rv_warehouse *warehouse)
{
	if (warehouse)
		warehouse->ops->free(warehouse);
}

void rv_warehouse_free_p(struct rv_warehouse **warehouse)
{
	rv_warehouse_free(*warehouse);
	*warehouse = NULL;
}
