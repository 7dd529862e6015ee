"""firehose_boto3.py FILE ENDPOINT: the loop that many write by hand, 500 lines or 4 MiB a call. It
checks nothing and sends nothing again. Credentials and AWS_CA_BUNDLE are boto3's to find."""
import sys

import boto3


def batches(path):
    batch, size = [], 0
    with open(path, "rb", buffering=1 << 20) as lines:
        for line in lines:
            if len(batch) == 500 or size + len(line) > 4 << 20:
                yield batch
                batch, size = [], 0
            batch.append({"Data": line})
            size += len(line)
    if batch:
        yield batch


client = boto3.client("firehose", region_name="eu-west-1", endpoint_url=sys.argv[2])
for batch in batches(sys.argv[1]):
    answer = client.put_record_batch(DeliveryStreamName="clicks", Records=batch)
    if answer["FailedPutCount"]:
        sys.exit("%d records failed" % answer["FailedPutCount"])
