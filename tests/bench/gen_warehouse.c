/*
 * gen_warehouse: an extract of a shop's warehouse as CSV files with headers, and what is true of it.
 *
 *	gen_warehouse FOLDER CUSTOMERS [SEED]
 *
 * customers, addresses, products, orders, order_lines, payments, shipments, returns. Orders come in the order
 * of their numbers, so those of a customer lie far apart; what belongs to orders follows them. The same
 * arguments give the same bytes. Fields have commas, quotes, line ends and text beyond ASCII; an empty
 * unquoted field is null. A customer takes about 2.2 KB, in all tables.
 *
 * Whatever there is to know of a row is computed from its number, so nothing has to be remembered: the
 * report on standard output, one JSON object, was counted beside the writing. Sums are in cents.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_CUSTOMERS, TABLE_ADDRESSES, TABLE_PRODUCTS, TABLE_ORDERS, TABLE_LINES, TABLE_PAYMENTS,
       TABLE_SHIPMENTS, TABLE_RETURNS, TABLES };
static const char *const headers[TABLES][2] = {
	{ "customers", "customer_id,given_name,family_name,email,phone,segment,tax_no,credit,newsletter,"
		       "created_at,changed_at" },
	{ "addresses", "address_id,customer_id,purpose,street,zip,town,country,since,preferred" },
	{ "products", "product_id,sku,title,kind,text,price,grams,active,listed_at" },
	{ "orders", "order_id,customer_id,reference,state,channel,currency,net,vat,gross,remark,ordered_at,"
		    "changed_at" },
	{ "order_lines", "line_id,order_id,position,product_id,quantity,price,discount,amount" },
	{ "payments", "payment_id,order_id,method,amount,currency,state,receipt,paid_at" },
	{ "shipments", "shipment_id,order_id,carrier,tracking,state,sent_at,arrived_at" },
	{ "returns", "return_id,order_id,line_id,reason,refund,returned_at" },
};
static const char *const given[] = { "Ada", "Bj\303\266rn", "Chlo\303\251", "Dmitri", "Emre", "Fatou", "Gr\303\241inne",
				     "Hana", "Ivo", "Jun", "Kofi", "Lucia", "Mette", "Nils", "Oksana", "Priya" };
static const char *const family[] = { "Abe", "Bakker", "Castillo", "D'Amico", "Eriksen", "Ferreira", "Gruber", "Hoxha",
				      "Ito", "Jovanovi\304\207", "Khan", "Lindqvist", "Moreau", "Nov\303\241k", "Okafor",
				      "P\303\251rez" };
static const char *const streets[] = { "Mill Lane", "Rue du Port", "Gartenstra\303\237e", "Calle Sol", "Via Lunga",
				       "Harbour Road", "Kirkegata", "Ulica Polna" };
static const char *const towns[] = { "Bergen", "Gda\305\204sk", "Ghent", "Graz", "Leeds", "Lyon", "Porto", "Turin" };
static const char *const countries[] = { "NO", "PL", "BE", "AT", "GB", "FR", "PT", "IT" };
static const char *const segments[] = { "private", "trade", "public" };
static const char *const states[] = { "arrived", "arrived", "arrived", "sent", "paid", "cancelled", "returned" };
static const char *const channels[] = { "web", "app", "shop", "phone" };
static const char *const methods[] = { "card", "transfer", "invoice", "voucher" };
static const char *const carriers[] = { "Swift", "Albatross", "Northmail", "Ox" };
static const char *const kinds[] = { "tools", "garden", "kitchen", "toys", "paper", "light" };
static const char *const looks[] = { "Small", "Large", "Folding", "Blue", "Plain", "Sturdy", "Quiet", "Old" };
static const char *const things[] = { "Ladder", "Kettle", "Lantern", "Spade", "Puzzle", "Notebook", "Clock", "Chair" };
static const char *const remarks[] = { "\"behind the shed, please\"", "\"the bell says \"\"Smith\"\"\"",
				       "\"first floor\nsecond door\"", "as a gift", "caf\303\251 next door" };
#define PICK(list, n) (list)[(n) % (sizeof(list) / sizeof((list)[0]))]

static uint64_t seed;

/* Which draw of which row of which table; well mixed. */
static uint64_t draw(unsigned table, uint64_t row, unsigned what)
{
	uint64_t z = seed + row * 0x9e3779b97f4a7c15u + (uint64_t)(table * 64 + what) * 0xd1342543de82ef95u;

	z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
	z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
	return z ^ z >> 32;
}

static FILE *files[TABLES];
static uint64_t rows[TABLES];

static const char *moment(char text[32], uint64_t day, uint64_t second)
{
	/* Months of 28 days will do. */
	snprintf(text, 32, "%04u-%02u-%02u %02u:%02u:%02u", (unsigned)(2023 + day / 336),
		 (unsigned)(1 + day / 28 % 12), (unsigned)(1 + day % 28), (unsigned)(second / 3600 % 24),
		 (unsigned)(second / 60 % 60), (unsigned)(second % 60));
	return text;
}

static void customer(uint64_t id)
{
	char a[32], b[32];
	uint64_t r = draw(TABLE_CUSTOMERS, id, 0), s = draw(TABLE_CUSTOMERS, id, 1);
	FILE *f = files[TABLE_CUSTOMERS];

	fprintf(f, "%" PRIu64 ",%s,%s,c%" PRIu64 "@post%u.example,", id, PICK(given, r), PICK(family, r >> 8), id,
		(unsigned)(r >> 16 & 31));
	if (r >> 24 & 3)
		fprintf(f, "+47 %u %u", (unsigned)(s % 9000 + 1000), (unsigned)(s >> 16) % 900000 + 100000);
	fprintf(f, ",%s,", PICK(segments, r >> 32));
	if (!(r >> 40 & 7))
		fprintf(f, "TX%010u", (unsigned)(s >> 20) % 1000000000);
	fprintf(f, ",%u.%02u,%s,%s,%s\n", (unsigned)(s >> 8) % 8000, (unsigned)(s >> 40) % 100,
		s >> 50 & 1 ? "true" : "false", moment(a, s >> 51 & 511, s >> 10), moment(b, 512 + (r >> 50 & 255), s));
	rows[TABLE_CUSTOMERS]++;
	for (unsigned k = 0; k < 1 + (unsigned)(r >> 60 < 6); k++) {
		uint64_t t = draw(TABLE_ADDRESSES, id, k), n = ++rows[TABLE_ADDRESSES];

		moment(a, t >> 50 & 511, 0);
		a[10] = '\0';
		fprintf(files[TABLE_ADDRESSES], "%" PRIu64 ",%" PRIu64 ",%s,\"%u %s, floor %u\",%05u,%s,%s,%s,%s\n", n,
			id, k ? "goods" : "bills", (unsigned)(t & 255) + 1, PICK(streets, t >> 8),
			(unsigned)(t >> 16 & 7), (unsigned)(t >> 20) % 100000, PICK(towns, t >> 40),
			PICK(countries, t >> 40), a, k ? "false" : "true");
	}
}

static void product(uint64_t id)
{
	char a[32];
	uint64_t r = draw(TABLE_PRODUCTS, id, 0), s = draw(TABLE_PRODUCTS, id, 1);

	fprintf(files[TABLE_PRODUCTS],
		"%" PRIu64 ",A-%06" PRIu64 ",%s %s %u,%s,\"The %s %s: made to last, says \"\"%s\"\"; there are %u colours\","
		"%u.%02u,%u,%s,%s\n",
		id, id, PICK(looks, r), PICK(things, r >> 8), (unsigned)(r >> 16) % 1000, PICK(kinds, r >> 32),
		PICK(looks, r), PICK(things, r >> 8), PICK(given, s), (unsigned)(s >> 8 & 7) + 2,
		(unsigned)(s >> 16) % 500 + 1, (unsigned)(s >> 32) % 100, (unsigned)(s >> 40) % 9000 + 20,
		r >> 40 & 7 ? "true" : "false", moment(a, s >> 50, r >> 20));
	rows[TABLE_PRODUCTS]++;
}

struct sums {
	uint64_t lines, payments, refunds;
};

static void order(uint64_t id, uint64_t customers, uint64_t products, uint64_t orders, struct sums *sums)
{
	char a[32], b[32];
	uint64_t r = draw(TABLE_ORDERS, id, 0), s = draw(TABLE_ORDERS, id, 1), day = id * 900 / orders, net = 0;
	uint64_t first = rows[TABLE_LINES] + 1;
	unsigned lines = 1 + (unsigned)((r & 3) + (r >> 2 & 3)) * 2 / 3;
	const char *state = PICK(states, r >> 4 & 0xffff);

	for (unsigned k = 1; k <= lines; k++) {
		uint64_t t = draw(TABLE_LINES, id, k);
		unsigned quantity = t & 3 ? 1 : 2 + (unsigned)(t >> 2 & 3), price = (unsigned)(t >> 8) % 40000 + 250;
		unsigned discount = t >> 40 & 3 ? 0 : 5 * ((unsigned)(t >> 42 & 3) + 1);
		uint64_t amount = (uint64_t)quantity * price * (100 - discount) / 100;

		net += amount;
		fprintf(files[TABLE_LINES], "%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%u,%u.%02u,%u,%" PRIu64 ".%02u\n",
			++rows[TABLE_LINES], id, k, draw(TABLE_LINES, id, 32 + k) % products + 1, quantity, price / 100,
			price % 100, discount, amount / 100, (unsigned)(amount % 100));
	}
	uint64_t vat = net / 5, gross = net + vat;

	sums->lines += net;
	fprintf(files[TABLE_ORDERS],
		"%" PRIu64 ",%" PRIu64 ",R-%08x,%s,%s,EUR,%" PRIu64 ".%02u,%" PRIu64 ".%02u,%" PRIu64 ".%02u,%s,%s,%s\n", id,
		s % customers + 1, (unsigned)draw(TABLE_ORDERS, id, 2), state, PICK(channels, r >> 24), net / 100,
		(unsigned)(net % 100), vat / 100, (unsigned)(vat % 100), gross / 100, (unsigned)(gross % 100),
		r >> 28 & 15 ? "" : PICK(remarks, r >> 32), moment(a, day, r >> 40), moment(b, day + (r >> 36 & 15), r >> 44));
	rows[TABLE_ORDERS]++;
	if (*state != 'c')
		for (unsigned k = 0, parts = r >> 60 ? 1 : 2; k < parts; k++) {
			uint64_t t = draw(TABLE_PAYMENTS, id, k), part = gross / parts + (k ? gross % parts : 0);

			sums->payments += part;
			fprintf(files[TABLE_PAYMENTS],
				"%" PRIu64 ",%" PRIu64 ",%s,%" PRIu64 ".%02u,EUR,%s,P%016" PRIx64 ",%s\n",
				++rows[TABLE_PAYMENTS], id, PICK(methods, t), part / 100, (unsigned)(part % 100),
				t >> 8 & 63 ? "done" : "refused", draw(TABLE_PAYMENTS, id, 8 + k),
				moment(a, day + (t >> 16 & 3), t >> 20));
		}
	if (*state == 'a' || *state == 's' || *state == 'r') {
		uint64_t t = draw(TABLE_SHIPMENTS, id, 0);

		moment(a, day + 1, t);
		moment(b, day + 2 + (t >> 40 & 7), t >> 8);
		fprintf(files[TABLE_SHIPMENTS], "%" PRIu64 ",%" PRIu64 ",%s,%012u,%s,%s,%s\n", ++rows[TABLE_SHIPMENTS], id,
			PICK(carriers, t >> 50), (unsigned)(t >> 12), state, a, *state == 's' ? "" : b);
	}
	if (*state == 'r') {
		uint64_t t = draw(TABLE_RETURNS, id, 0), refund = t % 20000 + 100;

		sums->refunds += refund;
		fprintf(files[TABLE_RETURNS], "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%" PRIu64 ".%02u,%s\n",
			++rows[TABLE_RETURNS], id, first + (t >> 20) % lines, t >> 40 & 1 ? "\"broken, sadly\"" : "too large",
			refund / 100, (unsigned)(refund % 100), moment(a, day + 12, t >> 4));
	}
}

int main(int argc, char **argv)
{
	uint64_t customers = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, orders = customers * 4;
	uint64_t products = customers / 10 + 1 > 50000 ? 50000 : customers / 10 + 1;
	struct sums sums = { 0 };
	char path[4096];

	if (argc < 3 || argc > 4 || !customers) {
		fprintf(stderr, "usage: gen_warehouse FOLDER CUSTOMERS [SEED]\n");
		return 2;
	}
	seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 20260101;
	for (unsigned i = 0; i < TABLES; i++) {
		snprintf(path, sizeof(path), "%s/%s.csv", argv[1], headers[i][0]);
		files[i] = fopen(path, "w");
		if (!files[i]) {
			perror(path);
			return 1;
		}
		setvbuf(files[i], NULL, _IOFBF, 1 << 18);
		fprintf(files[i], "%s\n", headers[i][1]);
	}
	for (uint64_t i = 1; i <= customers; i++)
		customer(i);
	for (uint64_t i = 1; i <= products; i++)
		product(i);
	for (uint64_t i = 1; i <= orders; i++)
		order(i, customers, products, orders, &sums);
	printf("{");
	for (unsigned i = 0; i < TABLES; i++) {
		if (ferror(files[i]) | fclose(files[i])) {
			fprintf(stderr, "gen_warehouse: %s.csv could not be written\n", headers[i][0]);
			return 1;
		}
		printf("\"%s\":%" PRIu64 ",", headers[i][0], rows[i]);
	}
	printf("\"line_cents\":%" PRIu64 ",\"payment_cents\":%" PRIu64 ",\"refund_cents\":%" PRIu64 "}\n", sums.lines,
	       sums.payments, sums.refunds);
	return 0;
}
