/* What every keeper of documents shares. */
#include "delivery/documents.h"

void rv_documents_free(struct rv_documents *documents)
{
	if (documents)
		documents->ops->free(documents);
}

void rv_documents_free_p(struct rv_documents **documents)
{
	rv_documents_free(*documents);
	*documents = NULL;
}
