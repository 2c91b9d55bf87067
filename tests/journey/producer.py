"""A producer as somebody else would write it: with nats-py and docs/asyncapi.json, nothing of ours.

Subjects, schemas, queues and inboxes come from the document alone; each message is checked by its schema before it goes
out, and each answer when it comes. It syncs so many contacts, starts a mailing to them, follows the feed to the end,
and prints what it heard as JSON.
"""

import asyncio
import json
import os
import pathlib
import sys

import jsonschema
import nats

DOCUMENT = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
VALIDATORS = {}
COUNT = int(sys.argv[2])
ACCOUNT = sys.argv[3]
USER = "producer"


def found(reference):
    """Return what a reference of the document leads to."""
    node = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return found(node["$ref"]) if "$ref" in node else node


def check(message, payload):
    """See that a payload fits its message."""
    if message["title"] not in VALIDATORS:
        schema = message["payload"] | {"components": DOCUMENT["components"]}
        VALIDATORS[message["title"]] = jsonschema.Draft7Validator(schema)
    VALIDATORS[message["title"]].validate(payload)


def operation(title):
    """Return an operation and the address of its channel, with our name in it."""
    found_operation = next(each for each in DOCUMENT["operations"].values() if each["title"] == title)
    address = found(found_operation["channel"]["$ref"])["address"]
    return found_operation, address.replace("{principal}", USER)


class Producer:
    """One connection."""

    def __init__(self, nc):
        self.nc = nc
        self.position = 0

    async def ask(self, title, **data):
        """Ask for something that is answered, and return the data of the answer."""
        wanted, subject = operation(title)
        request = {"data": data}
        if subject.startswith("query."):
            request["at_least"] = self.position
        check(found(wanted["messages"][0]["$ref"]), request)
        while True:
            reply = json.loads((await self.nc.request(subject, json.dumps(request).encode(), timeout=30)).data)
            check(found(wanted["reply"]["messages"][0]["$ref"]), reply)
            if reply["ok"]:
                self.position = max(self.position, reply["position"])
                return reply["data"]
            if reply["refusal"]["code"] not in ("not_yet", "not_there_yet"):
                raise SystemExit(f"{title}: {reply['refusal']}")

    async def sync(self):
        """Tell of all contacts, the first hundred twice and late, one of them wrongly."""
        channel = DOCUMENT["channels"]["contacts"]
        one = found(channel["messages"]["contact_upserted"]["$ref"])
        batch = found(channel["messages"]["contacts"]["$ref"])
        events = []
        for number in range(COUNT):
            event = json.loads(json.dumps(one["examples"][0]["payload"]))
            event |= {"id": f"e{number}", "source": "shop"}
            data = {"id": str(number), "version": 2, "addresses": [f"p{number}@x{number % 7}.example"]}
            event["data"] = data | {"name": f"Person {number}", "lists": ["customers"]}
            check(one, event)
            events.append(event)
        js = self.nc.jetstream()
        size = batch["payload"]["maxItems"]
        for start in range(0, COUNT, size):
            await js.publish(channel["address"], json.dumps(events[start : start + size]).encode())
        late = [
            event | {"data": event["data"] | {"version": 1, "name": "Old", "addresses": []}} for event in events[:100]
        ]
        wrong = events[0] | {"data": events[0]["data"] | {"id": "wrong", "addresses": ["nonsense"]}}
        return (await js.publish(channel["address"], json.dumps([*late, wrong]).encode())).seq

    async def members(self):
        """Wait until all are on the list."""
        for _ in range(600):
            lists = (await self.ask("list.list"))["lists"]
            if any(each["name"] == "customers" and each["members"] == COUNT for each in lists):
                return
            await asyncio.sleep(0.1)
        raise SystemExit(f"not all contacts came in: {lists}")

    async def start(self):
        """Start a mailing to the list."""
        campaign = (await self.ask("campaign.open", name="Autumn", lists=["customers"]))["campaign"]
        letter = {"sender_address": "news@shop.example", "subject": "Hello {{ name }}", "text": "Hello {{ name }}"}
        draft = await self.ask("mailing.draft", campaign=campaign, name="News", account=ACCOUNT, **letter)
        audience = await self.ask("mailing.audience", mailing=draft["mailing"])
        await self.ask("mailing.schedule", mailing=draft["mailing"])
        return draft["mailing"], audience["recipients"]

    async def follow(self, mailing):
        """Follow the feed from its beginning until the mailing has ended; return what it says."""
        by_type = {found(each)["name"]: found(each) for each in _feed_messages()}
        stream = DOCUMENT["channels"]["mailings"]["x-stream"]
        feed = await self.nc.jetstream().pull_subscribe("out.>", durable="shop", stream=stream)
        accepted, changes = set(), []
        for _ in range(600):
            try:
                messages = await feed.fetch(100, timeout=1)
            except TimeoutError:
                continue
            for message in messages:
                event = json.loads(message.data)
                check(by_type[event["type"]], event)
                if event["type"] == "recipients.settled/1" and event["data"]["mailing"] == mailing:
                    rows = event["data"]["recipients"]
                    accepted |= {row["external"] for row in rows if row["outcome"] == "accepted"}
                if event["type"] == "mailing.changed/1" and event["data"]["mailing"] == mailing:
                    changes.append(event["data"]["change"])
                await message.ack()
            if "completed" in changes and len(accepted) >= COUNT:
                return accepted, changes
        raise SystemExit(f"{len(accepted)} accepted, {changes}")


def _feed_messages():
    for each in DOCUMENT["operations"].values():
        if each["action"] == "send":
            yield from (message["$ref"] for message in each["messages"])


async def main():
    """Do all of it."""
    prefix = DOCUMENT["servers"]["local"]["x-inbox-prefix"].replace("{user}", USER)
    nc = await nats.connect(
        os.environ["NATS_URL"], user=USER, password=os.environ["NATS_PASSWORD"], inbox_prefix=prefix
    )
    producer = Producer(nc)
    wrong = await producer.sync()
    await producer.members()
    mailing, recipients = await producer.start()
    accepted, changes = await producer.follow(mailing)
    asked = await producer.ask("mailing.outcomes", mailing=mailing, source="shop", ids=["0", "9", "nobody"])
    problems = (await producer.ask("contacts.problems"))["rows"]
    print(
        json.dumps(
            {
                "mailing": mailing,
                "recipients": recipients,
                "accepted": len(accepted),
                "changes": changes,
                "outcomes": [[row["id"], row["outcome"]] for row in asked["rows"]],
                "unknown": asked["unknown"],
                "problem": next(row["reason"] for row in problems if row["message"] == wrong),
            }
        )
    )
    await nc.drain()


asyncio.run(main())
