"""Answers of the API as it would send them."""

from tests.integrations.openai.server import b64, png

IMAGE_USAGE = {
    "input_tokens": 30,
    "output_tokens": 100,
    "total_tokens": 130,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 20},
}


def images(*contents, **more):
    data = [{"b64_json": b64(content)} for content in contents]
    return {
        "created": 1,
        "data": data,
        "size": "1024x1024",
        "quality": "low",
        "output_format": "png",
        "background": "opaque",
        **more,
    }


def image_events(kind="image_generation", partial=("yellow", "orange"), final="red"):
    shared = {"created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    for index, colour in enumerate(partial):
        yield {"type": f"{kind}.partial_image", "b64_json": b64(png(colour)), "partial_image_index": index, **shared}
    yield {"type": f"{kind}.completed", "b64_json": b64(png(final)), "usage": IMAGE_USAGE, **shared}


def chat(text="a red circle", finish_reason="stop", **message):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, **message},
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 300,
            "completion_tokens": 5,
            "total_tokens": 305,
            "prompt_tokens_details": {"cached_tokens": 100, "image_tokens": 255, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
        },
    }


def chat_chunks(words=("a ", "red ", "circle"), usage=True):
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    for word in words:
        yield {**shared, "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]}
    yield {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage:
        yield {**shared, "choices": [], "usage": chat()["usage"]}


def response(*items, status="completed", **more):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5-2025-08-07",
        "status": status,
        "output": list(items),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 50,
            "output_tokens": 60,
            "total_tokens": 110,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 20},
        },
        **more,
    }


def message_item(text="done"):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def image_item(colour="red", **more):
    return {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": b64(png(colour)),
        "revised_prompt": "a bright red circle",
        "size": "1024x1024",
        "quality": "high",
        "output_format": "png",
        "background": "opaque",
        **more,
    }
