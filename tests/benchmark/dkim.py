"""A signed mailing, beside what one core can sign.

The way of `pipeline`, with an RSA key of 2,048 bits for the domain in From. The yardstick is the same key in a loop in
one thread of this process, before and after each round: nothing that signs with one core can be faster. Senders sign in
as many threads as the machine has processors, so with two the ratio may be above 1.
"""

import statistics
import tempfile
import time
from pathlib import Path

from shared.contracts import commands
from shared.dkim_keys import SigningKey
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.benchmark.pipeline import send
from tests.benchmark.plant import Plant

RECIPIENTS = 20_000
ROUNDS = 3
SELECTOR = "b1"
_SECONDS = 2.0
_HEADER = b"x" * 1_500


def signatures(key: SigningKey) -> tuple[float, float]:
    """Return how many signatures of a header one core makes a second, and the microseconds of CPU of each."""
    count, began, used = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - began) < _SECONDS:
        for _ in range(20):
            key.sign(_HEADER)
        count += 20
    return count / passed, (time.process_time() - used) / count * 1e6


async def run(recipients: int = RECIPIENTS, rounds: int = ROUNDS, connections: int = 32) -> None:
    """Measure and print."""
    pem = SigningKey.generate("rsa")
    domain = shop.SENDER.partition("@")[2]
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - the sink gives up root
        async with Plant(folder) as plant:
            account = await plant.account(connections)
            await plant.ask(commands.AddDomainKey(domain=domain, selector=SELECTOR, private_key=pem))
            await plant.ask(commands.UseDomainKey(domain=domain, selector=SELECTOR))
            await plant.contacts(shop.write_csv(folder / "people.csv", recipients), "people")
            key, sent = SigningKey(pem), []
            raw = [signatures(key)]
            for number in range(rounds):
                sent.append(await send(plant, account, "people"))
                raw.append(signatures(key))
                before, after = (rate for rate, _ in raw[-2:])
                note(f"round {number + 1}: {sent[-1].rate:.0f} mails/s, one core signs {before:.0f}, {after:.0f}")
    rates = [rate for rate, _ in raw]
    ratios = [each.rate / statistics.mean(rates[i : i + 2]) for i, each in enumerate(sent)]
    middle = sorted(sent, key=lambda each: each.rate)[len(sent) // 2]
    more: dict[str, object] = {
        "rounds": [each.rate for each in sent],
        "ratios": ratios,
        "recipients": recipients,
        "connections": connections,
        "signature_cpu_us": statistics.median(cost for _, cost in raw),
        "cpu_us_a_mail": {name: spent.cpu_s / middle.mails * 1e6 for name, spent in middle.spent.items()},
    }
    yardstick = Yardstick("RSA-2048 signatures of one core", statistics.median(rates))
    emit(Outcome("dkim", middle.rate, "mails/s", yardstick, statistics.median(ratios), middle.spent, more))
