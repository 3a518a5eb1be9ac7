"""Record what the `transformers` library computes, for test_layouts.py, which does without it.

Tiny networks with random weights, saved as the library saves them, an input and the library's output of it.
Run by hand: `pip install transformers`, then `python tests/encoders/record_transformers.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTModel,
)

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CLIP_TEXT = {**TINY, "vocab_size": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


def main() -> None:
    torch.manual_seed(0)
    models = {
        "vit": ViTModel(ViTConfig(**TINY, image_size=32, patch_size=16), add_pooling_layer=False),
        # Positions learnt on a grid of 3 x 3, seen with one of 4 x 4.
        "dinov2": Dinov2Model(Dinov2Config(**TINY, image_size=24, patch_size=8, use_swiglu_ffn=True)),
        "registers": Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(**TINY, image_size=32, patch_size=8, num_register_tokens=4)
        ),
        "clip": CLIPModel(
            CLIPConfig(
                vision_config={**TINY, "image_size": 32, "patch_size": 16, "hidden_act": "quick_gelu"},
                text_config=CLIP_TEXT,
                projection_dim=12,
            )
        ),
    }
    pixels = torch.randn(2, 3, 32, 32)
    recorded = {"pixels": pixels}
    for name, model in models.items():
        model.eval()
        for weight in model.parameters():  # freshly made, many are zero or one and would hide a mistake
            torch.nn.init.normal_(weight, std=0.3)
        with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
            if name == "clip":
                output = model.get_image_features(pixels)
                output = getattr(output, "pooler_output", output)
            else:
                output = model(pixels).last_hidden_state
            model.save_pretrained(folder)
            state = load_file(Path(folder) / "model.safetensors")
        recorded |= {f"{name}/{key}": value for key, value in state.items()}
        recorded[f"{name}/output"] = output.clone()
    save_file(recorded, Path(__file__).with_name("transformers.safetensors"))


if __name__ == "__main__":
    main()
