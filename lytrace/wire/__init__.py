"""Wire formats of model APIs: what a request asks for, and readers of the answers, which run on the worker.

They read JSON, not an SDK's objects, so one reader serves an SDK, a raw HTTP call and an OpenAI-compatible server alike.
"""
