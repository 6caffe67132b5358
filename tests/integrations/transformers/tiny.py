"""Tiny models with random weights, built from configs in code: real classes, milliseconds a token."""

from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    WhisperConfig,
    WhisperForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

torch.set_num_threads(1)  # two threads that fight for two busy cores are a hundred times slower than one

PAD, BOS, EOS = 0, 1, 2
VOCABULARY = 96
IMAGE_TOKEN = "<image>"
IMAGE_TOKEN_ID = 4
_WORDS = [
    "user",
    "assistant",
    "system",
    ":",
    "a",
    "red",
    "blue",
    "circle",
    "describe",
    "this",
    "picture",
    "of",
    "what",
    "is",
    ".",
    "green",
    "square",
    "answer",
    "please",
]
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}"
    "{% endfor %}{% endif %} {% endfor %}{% if add_generation_prompt %}assistant : {% endif %}"
)


def tokenizer(**more: Any) -> PreTrainedTokenizerFast:
    """One token a word; words from w0 on stand for everything that a random model says."""
    words = ["<pad>", "<s>", "</s>", "<unk>", IMAGE_TOKEN, *_WORDS]
    words += [f"w{number}" for number in range(VOCABULARY - len(words))]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=[IMAGE_TOKEN],
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
        **more,
    )
    made.chat_template = _TEMPLATE
    return made


def text_config(**changes: Any) -> LlamaConfig:
    settings = {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }
    return LlamaConfig(**{**settings, **changes})


def llama(seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(text_config(**changes)).eval()


def t5() -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=37,
        num_layers=1,
        num_heads=4,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
    )
    return T5ForConditionalGeneration(config).eval()


def llava() -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=30,
        patch_size=10,
        projection_dim=32,
    )
    config = LlavaConfig(
        vision_config=vision, text_config=text_config(), image_token_index=IMAGE_TOKEN_ID, vision_feature_layer=-1
    )
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = EOS
    model.generation_config.pad_token_id = PAD
    return model


def llava_processor() -> LlavaProcessor:
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30}),
        tokenizer=tokenizer(),
        patch_size=10,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def whisper() -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=8,
        max_source_positions=30,
        max_target_positions=40,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=3,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    return WhisperForConditionalGeneration(config).eval()


def janus() -> Any:
    """Makes pictures of 8×8 pixels from 16 tokens."""
    from transformers import JanusConfig, JanusForConditionalGeneration

    torch.manual_seed(0)
    text = {**text_config().to_dict(), "num_key_value_heads": 4}
    vision = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
        "projection_dim": 32,
        "num_image_tokens": 16,
        "mlp_ratio": 1.0,
        "depth": 1,
    }
    vq = {
        "embed_dim": 8,
        "num_embeddings": 32,
        "base_channels": 32,
        "channel_multiplier": [1, 1],
        "num_res_blocks": 1,
        "projection_dim": 32,
        "image_token_embed_dim": 32,
        "num_patches": 4,
        "double_latent": False,
        "latent_channels": 32,
    }
    model = JanusForConditionalGeneration(JanusConfig(text_config=text, vision_config=vision, vq_config=vq)).eval()
    model.generation_config.generation_kwargs = {"boi_token_id": 5}
    model.generation_config.pad_token_id = PAD
    model.generation_config.eos_token_id = EOS
    return model


EMU3_SIDE = 4
"""Tokens a row of a picture; each is 2×2 pixels."""
_EMU3_FIRST = 60
_EMU3_TOKENS = 32
_EMU3_END_OF_ROW = 5


def emu3() -> Any:
    """Makes pictures of 8×8 pixels from the visual tokens in its stream of text."""
    from transformers import Emu3Config, Emu3ForConditionalGeneration

    torch.manual_seed(0)
    vocabulary = {"<image>": IMAGE_TOKEN_ID, "<pad>": PAD, "<|extra_200|>": _EMU3_END_OF_ROW}
    vocabulary |= {f"<|visual token {number:06d}|>": _EMU3_FIRST + number for number in range(_EMU3_TOKENS)}
    vq = {
        "codebook_size": _EMU3_TOKENS,
        "embed_dim": 4,
        "latent_channels": 4,
        "base_channels": 32,
        "channel_multiplier": [1, 1],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "hidden_size": 32,
        "num_attention_heads": 1,
        "temporal_downsample_factor": 1,
        "out_channels": 3,
        "double_latent": False,
    }
    text = {**text_config().to_dict(), "num_key_value_heads": 4}
    return Emu3ForConditionalGeneration(Emu3Config(vq_config=vq, text_config=text, vocabulary_map=vocabulary)).eval()


def emu3_layout(prompt_length: int) -> Any:
    """``prefix_allowed_tokens_fn`` of a picture: rows of visual tokens with their ends, then three that close it."""
    row, visual = EMU3_SIDE + 1, list(range(_EMU3_FIRST, _EMU3_FIRST + _EMU3_TOKENS))

    def allowed(_: int, ids: torch.Tensor) -> list[int]:
        done = len(ids) - prompt_length
        if done >= EMU3_SIDE * row:
            return [20]
        return [_EMU3_END_OF_ROW] if done % row == EMU3_SIDE else visual

    return allowed


EMU3_NEW_TOKENS = EMU3_SIDE * (EMU3_SIDE + 1) + 3


def whisper_tokenizer() -> Any:
    """Whisper's class, over the words of :func:`tokenizer`."""
    from transformers import WhisperTokenizer

    words = tokenizer().get_vocab()
    return WhisperTokenizer(
        vocab=words, merges=[], unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>", language=None, task=None
    )


VIDEO_TOKEN_ID = 5
VIDEO_TOKENS = 8 * 10
"""Eight frames, each of nine patches and a class token."""


def video_llava() -> Any:
    from transformers import VideoLlavaConfig, VideoLlavaForConditionalGeneration

    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 30,
        "patch_size": 10,
        "projection_dim": 32,
        "model_type": "clip_vision_model",
    }
    config = VideoLlavaConfig(
        vision_config=vision,
        text_config=text_config(),
        image_token_index=IMAGE_TOKEN_ID,
        video_token_index=VIDEO_TOKEN_ID,
        image_seq_length=9,
        video_seq_length=VIDEO_TOKENS,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    return VideoLlavaForConditionalGeneration(config).eval()


def blip2() -> Any:
    """An override whose language model, a part of it, has a ``generate()`` of its own."""
    from transformers import Blip2Config, Blip2ForConditionalGeneration, OPTConfig

    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 1, "num_attention_heads": 4}
    text = OPTConfig(
        hidden_size=32,
        ffn_dim=37,
        num_hidden_layers=1,
        num_attention_heads=4,
        vocab_size=VOCABULARY,
        max_position_embeddings=64,
        word_embed_proj_dim=32,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=95,
    )
    config = Blip2Config(
        vision_config={**small, "image_size": 30, "patch_size": 10},
        qformer_config={**small, "vocab_size": VOCABULARY, "encoder_hidden_size": 32},
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=IMAGE_TOKEN_ID,
    )
    return Blip2ForConditionalGeneration(config).eval()
