"""Every attribute, span and event name that lytrace writes, once.

The OpenTelemetry GenAI conventions are at Development status and ship no constants package, so the strings live here.
``gen_ai.*`` names are the standard's; ``diffusion.*`` and ``lytrace.*`` are ours.

Source: https://github.com/open-telemetry/semantic-conventions-genai (status Development, read November 2026).
"""

from typing import Final

# --- gen_ai.*: status Development -------------------------------------------------------------------------------------
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
GEN_AI_REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
FINISH_STOP: Final = "stop"
FINISH_CONTENT_FILTER: Final = "content_filter"
GEN_AI_USAGE_TEXT_INPUT_TOKENS: Final = "gen_ai.usage.text.input_tokens"
GEN_AI_USAGE_TEXT_OUTPUT_TOKENS: Final = "gen_ai.usage.text.output_tokens"
GEN_AI_USAGE_IMAGE_INPUT_TOKENS: Final = "gen_ai.usage.image.input_tokens"
GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.image.output_tokens"
GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
GEN_AI_REQUEST_TOP_K: Final = "gen_ai.request.top_k"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
GEN_AI_REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
GEN_AI_REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
OPERATION_GENERATE_CONTENT: Final = "generate_content"
OPERATION_CHAT: Final = "chat"
OUTPUT_TYPE_IMAGE: Final = "image"
OUTPUT_TYPE_TEXT: Final = "text"
OUTPUT_TYPE_SPEECH: Final = "speech"
PROVIDER_OPENAI: Final = "openai"
PROVIDER_AZURE_OPENAI: Final = "azure.ai.openai"
PROVIDER_GEMINI: Final = "gcp.gemini"
PROVIDER_VERTEX_AI: Final = "gcp.vertex_ai"
PROVIDER_TRANSFORMERS: Final = "transformers"

# --- stable names of the general conventions --------------------------------------------------------------------------
CODE_FUNCTION_NAME: Final = "code.function.name"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
SERVICE_NAME: Final = "service.name"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"
HTTP_STATUS_CODE: Final = "http.response.status_code"
SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
HW_NAME: Final = "hw.name"
HW_DRIVER_VERSION: Final = "hw.driver_version"

# --- prompts of foreign senders, read (never written) by the collector, in this order after gen_ai.input.messages ---------
FOREIGN_PROMPT_ATTRIBUTES: Final = ("gen_ai.prompt", "input.value", "traceloop.entity.input", "lytrace.input")

# --- diffusion.*: what a diffusion pipeline was asked to do -----------------------------------------------------------
DIFFUSION_PIPELINE_CLASS: Final = "diffusion.pipeline.class"
DIFFUSION_SCHEDULER_CLASS: Final = "diffusion.scheduler.class"
DIFFUSION_SCHEDULER_ORDER: Final = "diffusion.scheduler.order"
DIFFUSION_SCHEDULER_CONFIG: Final = "diffusion.scheduler.config"
DIFFUSION_ARGUMENTS: Final = "diffusion.arguments"
DIFFUSION_NUM_INFERENCE_STEPS: Final = "diffusion.num_inference_steps"
DIFFUSION_STEP_COUNT: Final = "diffusion.step.count"
DIFFUSION_GUIDANCE_SCALE: Final = "diffusion.guidance_scale"
DIFFUSION_STRENGTH: Final = "diffusion.strength"
DIFFUSION_WIDTH: Final = "diffusion.width"
DIFFUSION_HEIGHT: Final = "diffusion.height"
DIFFUSION_NUM_FRAMES: Final = "diffusion.num_frames"
DIFFUSION_DTYPE: Final = "diffusion.dtype"
DIFFUSION_DEVICE: Final = "diffusion.device"
DIFFUSION_WEIGHTS: Final = "diffusion.weights"
DIFFUSION_LORA_NAMES: Final = "diffusion.lora.names"
DIFFUSION_LORA_SCALES: Final = "diffusion.lora.scales"
DIFFUSION_LORA_SOURCES: Final = "diffusion.lora.sources"
DIFFUSION_LORA_FUSED: Final = "diffusion.lora.fused"
DIFFUSION_CONTROLNET_NAMES: Final = "diffusion.controlnet.names"
DIFFUSION_NEGATIVE_PROMPT: Final = "diffusion.negative_prompt"
DIFFUSION_SEEDS: Final = "diffusion.seeds"
DIFFUSION_GENERATOR_FRESH: Final = "diffusion.generator.fresh"
DIFFUSION_GENERATOR_SOURCE: Final = "diffusion.generator.source"
DIFFUSION_GENERATOR_DEVICES: Final = "diffusion.generator.devices"
DIFFUSION_GENERATOR_STATES: Final = "diffusion.generator.states"
DIFFUSION_GENERATOR_IGNORED: Final = "diffusion.generator.ignored"
DIFFUSION_COMPONENT_NAMES: Final = "diffusion.components.names"
DIFFUSION_COMPONENT_CLASSES: Final = "diffusion.components.classes"
DIFFUSION_COMPONENT_DTYPES: Final = "diffusion.components.dtypes"
DIFFUSION_ATTENTION_PROCESSORS: Final = "diffusion.attention.processors"
DIFFUSION_QUANTIZATION: Final = "diffusion.quantization"
DIFFUSION_OFFLOAD: Final = "diffusion.offload"
DIFFUSION_COMPILED: Final = "diffusion.compiled"
TORCH_THREADS: Final = "lytrace.torch.threads"
TORCH_SETTINGS: Final = "lytrace.torch.settings"
DIFFUSION_COMPONENT_NAME: Final = "diffusion.component.name"
DIFFUSION_COMPONENT_CLASS: Final = "diffusion.component.class"
DIFFUSION_STEP_INDEX: Final = "diffusion.step.index"
DIFFUSION_STEP_TIMESTEP: Final = "diffusion.step.timestep"
DIFFUSION_STEP_SIGMA: Final = "diffusion.step.sigma"
DIFFUSION_STEP_ORDER: Final = "diffusion.step.order"
DIFFUSION_STEP_GUIDANCE_SCALE: Final = "diffusion.step.guidance_scale"
DIFFUSION_LATENT_MEAN: Final = "diffusion.latent.mean"
DIFFUSION_LATENT_STD: Final = "diffusion.latent.std"
DIFFUSION_LATENT_MIN: Final = "diffusion.latent.min"
DIFFUSION_LATENT_MAX: Final = "diffusion.latent.max"
DIFFUSION_LATENT_NONFINITE_COUNT: Final = "diffusion.latent.nonfinite_count"
DIFFUSION_LATENT_MEASURED_COUNT: Final = "diffusion.latent.measured_count"
DIFFUSION_FIRST_NONFINITE_STEP: Final = "diffusion.first_nonfinite.step"
DIFFUSION_FIRST_NONFINITE_AFTER_STEP: Final = "diffusion.first_nonfinite.after_step"
DIFFUSION_FIRST_NONFINITE_COMPONENT: Final = "diffusion.first_nonfinite.component"
DIFFUSION_STEP_DURATIONS: Final = "diffusion.step.durations"
DIFFUSION_STEP_TIMESTEPS: Final = "diffusion.step.timesteps"
DIFFUSION_PREVIEW_STEPS: Final = "diffusion.preview.steps"
DIFFUSION_PREVIEW_IMAGES: Final = "diffusion.preview.images"
DIFFUSION_LOAD_BYTES: Final = "diffusion.load.bytes"
DIFFUSION_LOAD_FILE_COUNT: Final = "diffusion.load.file_count"
DIFFUSION_LOAD_SOURCE: Final = "diffusion.load.source"
DIFFUSION_LOAD_DEVICE_MAP: Final = "diffusion.load.device_map"
DIFFUSION_LOAD_VARIANT: Final = "diffusion.load.variant"
DIFFUSION_LOAD_REVISION: Final = "diffusion.load.revision"
LOAD_LOCAL: Final = "local"
LOAD_CACHE: Final = "cache"
LOAD_DOWNLOAD: Final = "download"

# --- lytrace.*: spans -------------------------------------------------------------------------------------------------
SPAN_KIND: Final = "lytrace.span.kind"
SPAN_TYPE: Final = "lytrace.span.type"
PENDING_PARENT_ID: Final = "lytrace.pending.parent_id"
INPUT: Final = "lytrace.input"
OUTPUT: Final = "lytrace.output"
STAGE_NAME: Final = "lytrace.stage.name"
STAGE_INDEX: Final = "lytrace.stage.index"
ENCLOSING_STAGE: Final = "lytrace.enclosing.stage"
ENCLOSING_STEP: Final = "lytrace.enclosing.step"
ROLE: Final = "lytrace.role"
CLOCK: Final = "lytrace.clock"
CLOCK_REASON: Final = "lytrace.clock.reason"
COLD_START: Final = "lytrace.cold_start"
COMPILE_TIME: Final = "lytrace.compile.time"
RUN_ID: Final = "lytrace.run.id"
CONFIG_HASH: Final = "lytrace.config.hash"
COST_USD: Final = "lytrace.cost.usd"
TAGS_PREFIX: Final = "lytrace.tags."
ITEM_COUNT: Final = "lytrace.output.item_count"

KIND_FUNCTION: Final = "function"
KIND_GENERATION: Final = "generation"
KIND_STAGE: Final = "stage"
KIND_STEP: Final = "step"
TYPE_PENDING: Final = "pending"
CLOCK_HOST: Final = "host"
CLOCK_DEVICE: Final = "device"
REASON_CAPTURING: Final = "capturing"
REASON_NOT_DONE: Final = "not_done"
REASON_TOO_MANY: Final = "too_many_waiting"
COLD_FIRST_CALL: Final = "first_call"
COLD_COMPILATION: Final = "compilation"

# --- lytrace.*: GPU, on stage, step and generation spans ----------------------------------------------------------------
GPU_TIME: Final = "lytrace.gpu.time"
GPU_MEMORY_ALLOCATED: Final = "lytrace.gpu.memory.allocated"
GPU_MEMORY_RESERVED: Final = "lytrace.gpu.memory.reserved"
GPU_MEMORY_PEAK: Final = "lytrace.gpu.memory.peak"
GPU_MEMORY_DELTA: Final = "lytrace.gpu.memory.delta"
GPU_MEMORY_PEAK_EXACT: Final = "lytrace.gpu.memory.peak_exact"
GPU_MEMORY_ALLOCATED_TOTAL: Final = "lytrace.gpu.memory.allocated_total"
GPU_DEVICE: Final = "lytrace.gpu.device"
GPU_ENERGY: Final = "lytrace.gpu.energy"
GPU_UTILIZATION: Final = "lytrace.gpu.utilization"

# --- lytrace.*: where memory ran out, on the generation ---------------------------------------------------------------------
OUT_OF_MEMORY_STAGE: Final = "lytrace.out_of_memory.stage"
OUT_OF_MEMORY_STEP: Final = "lytrace.out_of_memory.step"
OUT_OF_MEMORY_COMPONENT: Final = "lytrace.out_of_memory.component"
OUT_OF_MEMORY_REQUESTED: Final = "lytrace.out_of_memory.requested"
OUT_OF_MEMORY_FREE: Final = "lytrace.out_of_memory.free"
OUT_OF_MEMORY_CAPACITY: Final = "lytrace.out_of_memory.capacity"
OUT_OF_MEMORY_ALLOCATED: Final = "lytrace.out_of_memory.allocated"
OUT_OF_MEMORY_RESERVED: Final = "lytrace.out_of_memory.reserved"

# --- lytrace.*: images --------------------------------------------------------------------------------------------------
ARTIFACT_IDS: Final = "lytrace.artifact.ids"
IMAGE_HASHES: Final = "lytrace.image.hashes"
IMAGE_PHASHES: Final = "lytrace.image.phashes"
IMAGE_UNIFORM_COLORS: Final = "lytrace.image.uniform_colors"
IMAGE_UNIFORM_CAUSES: Final = "lytrace.image.uniform_causes"
IMAGES_DROPPED: Final = "lytrace.images.dropped"
IMAGES_DROPPED_REASONS: Final = "lytrace.images.dropped_reasons"

CAUSE_SAFETY_CHECKER: Final = "safety_checker"
CAUSE_NONFINITE_LATENTS: Final = "nonfinite_latents"
CAUSE_NONFINITE_DECODE: Final = "nonfinite_decode"
COLOR_BLACK: Final = "#000000"

# --- lytrace.*: calls of a model over an API ----------------------------------------------------------------------------
REQUEST_SIZE: Final = "lytrace.request.size"
REQUEST_ASPECT_RATIO: Final = "lytrace.request.aspect_ratio"
REQUEST_QUALITY: Final = "lytrace.request.quality"
REQUEST_BACKGROUND: Final = "lytrace.request.background"
REQUEST_OUTPUT_FORMAT: Final = "lytrace.request.output_format"
REQUEST_STYLE: Final = "lytrace.request.style"
REQUEST_MODERATION: Final = "lytrace.request.moderation"
REQUEST_INPUT_FIDELITY: Final = "lytrace.request.input_fidelity"
REQUEST_PARTIAL_IMAGES: Final = "lytrace.request.partial_images"
RESPONSE_SIZE: Final = "lytrace.response.size"
RESPONSE_QUALITY: Final = "lytrace.response.quality"
RESPONSE_BACKGROUND: Final = "lytrace.response.background"
RESPONSE_OUTPUT_FORMAT: Final = "lytrace.response.output_format"
RESPONSE_REQUEST_ID: Final = "lytrace.response.request_id"
RESPONSE_ERROR_CODE: Final = "lytrace.response.error_code"
RESPONSE_BYTES_DROPPED: Final = "lytrace.response.bytes_dropped"
REVISED_PROMPTS: Final = "lytrace.revised_prompts"
REFUSAL: Final = "lytrace.refusal"
STREAM_OUTCOME: Final = "lytrace.stream.outcome"
STREAM_CHUNKS: Final = "lytrace.stream.chunks"

STREAM_COMPLETED: Final = "completed"
STREAM_INCOMPLETE: Final = "incomplete"
STREAM_CLOSED: Final = "closed"
STREAM_ABANDONED: Final = "abandoned"
STREAM_CANCELLED: Final = "cancelled"
STREAM_FAILED: Final = "failed"

# --- lytrace.*: models that run here and answer token by token -----------------------------------------------------------
MODEL_CLASS: Final = "lytrace.model.class"
MODEL_DEVICE: Final = "lytrace.model.device"
MODEL_DTYPE: Final = "lytrace.model.dtype"
MODEL_ASSISTANT_CLASS: Final = "lytrace.model.assistant.class"
PIPELINE_TASK: Final = "lytrace.pipeline.task"
SAMPLING_DO_SAMPLE: Final = "lytrace.sampling.do_sample"
SAMPLING_NUM_BEAMS: Final = "lytrace.sampling.num_beams"
SAMPLING_REPETITION_PENALTY: Final = "lytrace.sampling.repetition_penalty"
SAMPLING_GUIDANCE_SCALE: Final = "lytrace.sampling.guidance_scale"
DECODING_DURATIONS: Final = "lytrace.token.durations"
DECODING_COUNT: Final = "lytrace.token.count"
DECODING_DURATION_MEAN: Final = "lytrace.token.duration.mean"
DECODING_DURATION_P50: Final = "lytrace.token.duration.p50"
DECODING_DURATION_P95: Final = "lytrace.token.duration.p95"
DECODING_DURATION_MAX: Final = "lytrace.token.duration.max"

# --- lytrace.*: resource ------------------------------------------------------------------------------------------------
VERSION: Final = "lytrace.version"
LIB_VERSION: Final = "lytrace.lib.{library}.version"
PROCESS_UUID: Final = "lytrace.process.uuid"

# --- span names -----------------------------------------------------------------------------------------------------------
STAGE_TEXT_ENCODE: Final = "text_encode"
STAGE_IMAGE_ENCODE: Final = "image_encode"
STAGE_DENOISE: Final = "denoise"
STAGE_VAE_DECODE: Final = "vae_decode"
STAGE_SAFETY_CHECK: Final = "safety_check"
STAGE_POSTPROCESS: Final = "postprocess"
STAGE_LOAD: Final = "load"
STAGE_PREFILL: Final = "prefill"
STAGE_DECODE: Final = "decode"
SPAN_DENOISE_STEP: Final = "denoise_step"

# --- log records: event names and their attributes ----------------------------------------------------------------------------
EVENT_EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
EVALUATION_ID: Final = "lytrace.evaluation.id"
EVALUATION_ANNOTATOR_KIND: Final = "lytrace.evaluation.annotator_kind"
EVALUATION_SCOPE: Final = "lytrace.evaluation.scope"
EVALUATION_EVALUATOR: Final = "lytrace.evaluation.evaluator"
EVALUATION_IDENTIFIER: Final = "lytrace.evaluation.identifier"
EVALUATION_IMAGE_INDEX: Final = "lytrace.evaluation.image_index"
EVALUATION_MIN: Final = "lytrace.evaluation.min"
EVALUATION_MAX: Final = "lytrace.evaluation.max"
EVALUATION_HIGHER_IS_BETTER: Final = "lytrace.evaluation.higher_is_better"
EVALUATION_ARTIFACT_ID: Final = "lytrace.evaluation.artifact_id"
EVALUATION_DELETED: Final = "lytrace.evaluation.deleted"

EVENT_ARTIFACT: Final = "lytrace.artifact"
ARTIFACT_ID: Final = "lytrace.artifact.id"
ARTIFACT_MIME_TYPE: Final = "lytrace.artifact.mime_type"
ARTIFACT_SIZE: Final = "lytrace.artifact.size"
ARTIFACT_WIDTH: Final = "lytrace.artifact.width"
ARTIFACT_HEIGHT: Final = "lytrace.artifact.height"
ARTIFACT_ROLE: Final = "lytrace.artifact.role"
ARTIFACT_INDEX: Final = "lytrace.artifact.index"
ARTIFACT_PIXEL_HASH: Final = "lytrace.artifact.pixel_hash"
ARTIFACT_PHASH: Final = "lytrace.artifact.phash"
ARTIFACT_DROPPED: Final = "lytrace.artifact.dropped"

EVENT_HEARTBEAT: Final = "lytrace.heartbeat"
HEARTBEAT_ENDED: Final = "lytrace.heartbeat.ended"
DROPPED_SPANS: Final = "lytrace.dropped.spans"
DROPPED_IMAGES: Final = "lytrace.dropped.images"
DROPPED_SCORES: Final = "lytrace.dropped.scores"
UNSAMPLED_SPANS: Final = "lytrace.unsampled.spans"

EVENT_STEP: Final = "lytrace.step"

EVENT_NOTE: Final = "lytrace.note"
NOTE_STARRED: Final = "lytrace.note.starred"
NOTE_TAGS: Final = "lytrace.note.tags"
NOTE_TEXT: Final = "lytrace.note.text"

ROLE_OUTPUT: Final = "output"
ROLE_INPUT: Final = "input"
ROLE_MASK: Final = "mask"
ROLE_CONTROL: Final = "control"
ROLE_PREVIEW: Final = "preview"
ROLE_LATENT: Final = "latent"
ARTIFACT_ROLES: Final = (ROLE_OUTPUT, ROLE_INPUT, ROLE_MASK, ROLE_CONTROL, ROLE_PREVIEW, ROLE_LATENT)

# --- evaluation carriers for backends that take traces only (OpenInference) -----------------------------------------------------
OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
OPENINFERENCE_EVALUATOR: Final = "EVALUATOR"
OPENINFERENCE_LLM: Final = "LLM"
CARRIER_PREFIX: Final = "evaluations.0.evaluation."
SPAN_EVALUATION: Final = "evaluation {name}"

CONTENT_ATTRIBUTES: Final = frozenset(
    {
        GEN_AI_INPUT_MESSAGES,
        GEN_AI_OUTPUT_MESSAGES,
        DIFFUSION_NEGATIVE_PROMPT,
        DIFFUSION_ARGUMENTS,
        INPUT,
        OUTPUT,
        REVISED_PROMPTS,
        REFUSAL,
    }
)
"""Attributes that hold what a user typed or got: kept from third-party exporters unless opted in."""

FOREIGN_CONTENT: Final = (
    "agent.messages",
    "ai.prompt",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.text",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "completion",
    "embedding.embeddings",
    "embedding.text",
    "gcp.vertex.agent",
    "gen_ai.completion",
    "gen_ai.content",
    "gen_ai.prompt",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "input",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "llm.completions",
    "llm.input_messages",
    "llm.messages",
    "llm.output_messages",
    "llm.prompt_template",
    "llm.prompts",
    "lmnr.span.input",
    "lmnr.span.output",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "output",
    "prompt",
    "request_data",
    "response_data",
    "retrieval.documents",
    "tool.parameters",
    "traceloop.entity.input",
    "traceloop.entity.output",
)
"""What other instrumentations call content: these names, and every name that goes on after one of them with a dot."""

GEN_AI_EVENTS: Final = "gen_ai."
"""How the names of span events begin that older GenAI instrumentations wrote messages into."""
EVENT_CONTENT: Final = ("content", "message", "tool_calls", "body")
"""Attributes of such events that hold a message."""
