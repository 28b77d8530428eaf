"""Free text to a structured goal: offline, deterministic, and nothing inferred.

``schema`` is the result, ``text`` sets aside what is not the investor's own statement, ``numbers`` and
``dates`` read amounts and times, ``lexicon`` holds words, ``grammar`` turns them into fields and
``parse`` is the way in. Text is data: it can neither change a setting nor reach SQL.
"""
