"""Free text to a structured goal: offline, deterministic, and nothing inferred.

``schema`` is the result, ``text`` sets aside what is not the investor's own statement, ``numbers`` and
``dates`` read amounts and times, ``lexicon`` holds words, ``grammar``, ``needs`` and ``exclusions`` turn
them into fields, ``parse`` is the way in and ``constraints`` what binds on a night. Text is data: it
can neither change a setting nor reach SQL.
"""
