"""Phase 1: a 64-number description of every asset at every session, learned without labels.

What belongs here: everything between a feature panel and its embeddings. What does not: where panels
come from (``ml/features``), what the embeddings are used for (``ml/policy``).
"""
