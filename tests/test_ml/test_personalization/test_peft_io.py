"""An exported adapter, loaded by peft, computes what ours computes."""

import json

import numpy as np
import pytest
import torch
from peft import PeftModel

from ml.personalization.lora import ADAPTER_SIZE, Head, adapted_logits
from ml.personalization.peft_io import export_adapter, objective_head


def test_peft_loads_the_folder(tmp_path):
    rng = np.random.default_rng(2)
    head = Head(rng.normal(0, 0.3, (6, 32)).astype(np.float32), rng.normal(0, 0.3, 6).astype(np.float32))
    adapter = rng.normal(0, 0.3, ADAPTER_SIZE).astype(np.float32)
    x = rng.standard_normal((50, 32)).astype(np.float32)
    export_adapter(adapter, tmp_path / "adapter")
    model = PeftModel.from_pretrained(objective_head(head), str(tmp_path / "adapter"))
    with torch.no_grad():
        found = model(torch.from_numpy(x)).numpy()
    ours = adapted_logits(x, np.zeros(50, dtype=np.int64), head, adapter[None, :])
    assert np.abs(ours - head.logits(x)).max() > 0.1
    np.testing.assert_allclose(found, ours, atol=5e-6)
    np.testing.assert_allclose(
        torch.softmax(torch.from_numpy(found), 1), torch.softmax(torch.from_numpy(ours), 1), atol=1e-6
    )
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (2, 2, ["head"])


def test_same_adapter_same_bytes(tmp_path):
    adapter = np.arange(ADAPTER_SIZE, dtype=np.float32)
    for name in ("a", "b"):
        export_adapter(adapter, tmp_path / name)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_length_is_refused(tmp_path):
    with pytest.raises(ValueError, match="76"):
        export_adapter(np.zeros(75), tmp_path)
