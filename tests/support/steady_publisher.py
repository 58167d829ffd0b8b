"""Publishes a customer every few milliseconds until standard input ends, then prints how many.

    python3 -c "$(cat steady_publisher.py)" FIRST_ID QUEUE

It runs inside of a container of booted.py, as the ERP would: every message is persistent, and one
that the broker does not confirm ends the program with an error.
"""

import json
import select
import sys

import pika

PAUSE_S = 0.005

first, queue = int(sys.argv[1]), sys.argv[2]
connection = pika.BlockingConnection(pika.ConnectionParameters(
    host="127.0.0.1", virtual_host="prod", credentials=pika.PlainCredentials("erp", "erp")))
channel = connection.channel()
channel.confirm_delivery()
number = first
print("publishing", flush=True)
while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
    channel.basic_publish("", queue, json.dumps({"id": str(number), "status": "Active"}),
                          pika.BasicProperties(delivery_mode=2), mandatory=True)
    number += 1
connection.close()
print(number - first, flush=True)
