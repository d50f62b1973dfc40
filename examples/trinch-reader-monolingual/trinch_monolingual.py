"""A reader for Trinch: with TRINCH_READER=monolingual, only posts in the language of the question answer it."""

from trinch.reader import Reading, load


class Monolingual:
    def __init__(self):
        self._reader = load()
        self.knows, self.akin = self._reader.knows, self._reader.akin

    def read(self, query, passages):
        return self.judge(query, passages)[0]

    def judge(self, query, passages):
        readings, chance = self._reader.judge(query, [one for one in passages if one.lang == query.lang])
        of_own = iter(readings)
        return [next(of_own) if one.lang == query.lang else Reading(0, 0) for one in passages], chance
