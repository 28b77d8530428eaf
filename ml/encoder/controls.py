"""A Chronos model that learned nothing: what an encoder gains from embeddings as such.

What belongs here: random weights of a given architecture, whitened as trained ones are.
"""

from dataclasses import replace
from pathlib import Path

import torch

from ml.chronos.embed import fit_whitening, load_pipeline, raw_embeddings
from ml.chronos.whiten import corpus_prices
from ml.encoder.dataset import ChronosBranch

_WINDOWS = 6_000


def random_chronos(trained: ChronosBranch, model: Path, *, seed: int, device: str = "cpu") -> ChronosBranch:
    """The architecture of a model with weights drawn anew, whitened by its own statistics.

    Parameters
    ----------
    trained : ChronosBranch
        Gives window and components.
    model : pathlib.Path
        Folder of the model.
    seed : int
        Of weights and of the windows that the whitening is fitted on.
    device : str
        torch device.
    """
    from chronos import ChronosBoltPipeline

    pipeline = load_pipeline(model, device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(pipeline.model)(pipeline.model.config)
    pipeline = ChronosBoltPipeline(fresh.to(device).eval())
    window, components = trained.whitening.window, trained.whitening.matrix.shape[1]
    raw = raw_embeddings(pipeline, corpus_prices(seed, _WINDOWS, None, window))
    name = f"{trained.model_id}-random-{seed}"
    whitening = fit_whitening(raw, name, window, components)
    return replace(trained, pipeline=pipeline, whitening=whitening)
