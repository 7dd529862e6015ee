"""pump_python.py FOLDER PORT BATCH: what people write by hand in river pump's place: csv.DictReader, the
events of the same data set with uuid and json, and arrays of BATCH of them over one kept connection."""
import csv
import http.client
import json
import os
import sys
import time
import uuid
import zlib

folder, port, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = http.client.HTTPConnection("127.0.0.1", port)
screens = ["1920\u00d71080", "1366\u00d7768", "1440\u00d7900", "1024x768"]
languages = ["en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "fr-CAta-IN", "pt-BR"]
agents = ["Mozilla/5.0 (%d) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/9%d.0.4606.61 Safari/537.36" % (i, i)
          for i in range(7)]
tids = [str(uuid.uuid4()) for _ in range(5)]

with open(os.path.join(folder, "sku_to_content.csv"), newline="", encoding="utf-8") as f:
    catalog = {row["product_sku_hash"]: (row["price_bucket"], row["category_hash"]) for row in csv.DictReader(f)}


def event(row):
    session = row["session_id_hash"]
    h = zlib.crc32(session.encode())
    e = {
        "dl": "https://shop.example/?page=" + row["hashed_url"],
        "tm": int(time.time() * 1000),
        "z": str(uuid.uuid4()),
        "sr": screens[h % 4],
        "sd": "30-bit",
        "ul": languages[h % 7],
        "ua": agents[h % 7],
        "de": "UTF-8",
        "tid": tids[h % 5],
        "cid": str(uuid.uuid5(uuid.NAMESPACE_DNS, session)),
    }
    if row["event_type"] == "pageview":
        e["t"] = "pageview"
        return e
    e["t"] = "event"
    e["pa"] = row["product_action"]
    price, category = catalog.get(row["product_sku_hash"], ("0.0", "NOCAT"))
    if e["pa"] == "purchase":
        e["ti"] = str(uuid.uuid4())
        e["tr"] = float(price) if price else 0.0
    e["pr1id"] = row["product_sku_hash"]
    e["pr1pr"] = price
    e["pr1ca"] = category
    return e


def post(events):
    connection.request("POST", "/collect", json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode(),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    assert response.status // 100 == 2


with open(os.path.join(folder, "browsing_train.csv"), newline="", encoding="utf-8") as f:
    waiting = []
    for line in csv.DictReader(f):
        waiting.append(event(line))
        if len(waiting) == batch:
            post(waiting)
            waiting.clear()
    if waiting:
        post(waiting)
