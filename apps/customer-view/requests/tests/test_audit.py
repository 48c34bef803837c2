"""The audit trail: every change, gap, move and cut is found."""

import json
import random
import unittest
from threading import Thread

from requests.domain import audit
from requests.service import trail
from requests.service.objects import Found

from .memory import MemoryPlatform

COUNT = 12


class Trail(unittest.TestCase):
    def setUp(self):
        self.platform = MemoryPlatform()
        for n in range(COUNT):
            trail.note(self.platform, "test", "thing.done", request=f"r-{n}", detail={"n": n})
        self.objects = self.platform.requests.objects

    def findings(self) -> list[str]:
        return trail.verify(self.platform)["findings"]

    def test_a_whole_trail_is_whole(self):
        self.assertEqual(trail.verify(self.platform), {"records": COUNT, "findings": [], "whole": True})

    def test_every_changed_bit_is_found(self):
        random.seed(3)
        for _ in range(300):
            key = audit.name(random.randint(1, COUNT))
            found = self.objects[key]
            body = bytearray(found.body)
            body[random.randrange(len(body))] ^= 1 << random.randrange(8)
            self.objects[key] = Found(bytes(body), found.etag, found.metadata)
            self.assertTrue(self.findings(), key)
            self.objects[key] = found
        self.assertEqual(self.findings(), [])

    def test_a_gap_is_found(self):
        for gap in ([1], [5], [5, 6, 7], [COUNT], [COUNT - 1, COUNT]):
            kept = {number: self.objects.pop(audit.name(number)) for number in gap}
            self.assertTrue(self.findings(), gap)
            self.objects |= {audit.name(number): found for number, found in kept.items()}

    def test_records_in_another_order_are_found(self):
        for one, other in ((1, 2), (3, 9), (11, 12)):
            a, b = audit.name(one), audit.name(other)
            self.objects[a], self.objects[b] = self.objects[b], self.objects[a]
            self.assertTrue(self.findings(), (one, other))
            self.objects[a], self.objects[b] = self.objects[b], self.objects[a]

    def test_a_chain_written_anew_without_the_key_is_found(self):
        previous, forger = audit.FIRST, b"not the key"
        for number in range(1, COUNT + 1):
            body = audit.record(number, previous, "2026-01-01T00:00:00Z", "nobody", "nothing")
            self.objects[audit.name(number)] = Found(body, "", {"mac": audit.mac(forger, body)})
            previous = audit.digest(body)
        self.assertEqual(len(self.findings()), COUNT + 1)

    def test_a_record_too_many_is_found(self):
        self.objects[f"{audit.PREFIX}zzz.json"] = Found(b"{}", "", {})
        self.assertEqual(self.findings(), ["`audit/zzz.json` is no record's name"])

    def test_a_lost_head_costs_nothing(self):
        self.objects.pop(audit.HEAD)
        self.assertEqual(trail.note(self.platform, "test", "thing.done"), COUNT + 1)
        self.assertEqual(self.findings(), [])

    def test_many_writers_make_one_chain(self):
        def write():
            for _ in range(10):
                trail.note(self.platform, "test", "thing.done")

        writers = [Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(trail.verify(self.platform)["records"], COUNT + 40)
        self.assertEqual(self.findings(), [])

    def test_no_personal_data_is_in_a_record_unless_somebody_puts_it_there(self):
        entry = json.loads(self.objects[audit.name(1)].body)
        self.assertEqual(sorted(entry), ["action", "actor", "at", "detail", "format", "n", "previous", "request"])


if __name__ == "__main__":
    unittest.main()
