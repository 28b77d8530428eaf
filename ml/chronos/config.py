"""What a Chronos pretraining run is made of: model sizes, corpus shares, optimiser, profiles.

What belongs here: plain values and the model built from them. What does not: data, training.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Final

CUT_OFF: Final = date(2016, 12, 30)
"""No observation after this date touches shipped weights."""

QUANTILES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ChronosTrainingConfig:
    """One pretraining run; with the seed and the series it fixes the weights on one kind of device.

    Attributes
    ----------
    d_model, d_ff, d_kv, layers, heads : int
        Sizes of encoder and decoder; the defaults are Chronos-Bolt-tiny's (about 8.7 million weights).
    context_length, prediction_length, patch_length : int
        Observations. Contexts of a batch are cut to random lengths from `min_context` up.
    gp_share, real_share : float
        Parts of each batch from Gaussian-process mixtures and real series; the rest is simulation.
    pool_series : int
        Simulated return series alive at once; `pool_steps` steps draw from one pool.
    steps, batch : int
        Optimiser steps and series a step.
    budget_seconds : float or None
        Training time at which the learning rate reaches its end even if `steps` are not done.
        None: by steps alone, the reproducible form.
    peak_rate, warmup_steps, weight_decay, clip_norm : float
        AdamW with linear warm-up and cosine decay to a hundredth.
    seed : int
        Seeds weights, corpus and batches.
    """

    d_model: int = 256
    d_ff: int = 1024
    d_kv: int = 64
    layers: int = 4
    heads: int = 4
    context_length: int = 512
    prediction_length: int = 64
    patch_length: int = 16
    min_context: int = 48
    gp_share: float = 0.05
    real_share: float = 0.25
    pool_series: int = 32_768
    pool_steps: int = 128
    steps: int = 60_000
    batch: int = 2_048
    budget_seconds: float | None = None
    peak_rate: float = 1e-3
    warmup_steps: int = 500
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 20161230

    @property
    def window(self) -> int:
        """Observations of one training row: context and target."""
        return self.context_length + self.prediction_length

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the model card."""
        return asdict(self)


FULL: Final = ChronosTrainingConfig()
QUICK: Final = replace(
    FULL, d_model=64, d_ff=128, d_kv=16, layers=2, steps=40, batch=64, pool_series=256, pool_steps=20,
    warmup_steps=5,
)  # fmt: skip
PROFILES: Final = {"quick": QUICK, "full": FULL}


def bolt_config(config: ChronosTrainingConfig) -> dict[str, Any]:
    """Arguments of the T5 configuration that `BaseChronosPipeline` recognises as Chronos-Bolt."""
    return {
        "architectures": ["ChronosBoltModelForForecasting"],
        "chronos_pipeline_class": "ChronosBoltPipeline",
        "chronos_config": {
            "context_length": config.context_length,
            "prediction_length": config.prediction_length,
            "input_patch_size": config.patch_length,
            "input_patch_stride": config.patch_length,
            "quantiles": list(QUANTILES),
            "use_reg_token": True,
        },
        "d_model": config.d_model,
        "d_ff": config.d_ff,
        "d_kv": config.d_kv,
        "num_layers": config.layers,
        "num_decoder_layers": config.layers,
        "num_heads": config.heads,
        "dropout_rate": 0.0,
        "feed_forward_proj": "relu",
        "initializer_factor": 0.05,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "reg_token_id": 1,
        "vocab_size": 2,
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "use_cache": False,
    }


def build_bolt(config: ChronosTrainingConfig) -> Any:
    """A Chronos-Bolt model with random weights drawn from torch's global seed.

    Returns
    -------
    chronos.chronos_bolt.ChronosBoltModelForForecasting
    """
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    return ChronosBoltModelForForecasting(T5Config(**bolt_config(config)))
