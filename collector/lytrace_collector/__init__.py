"""The collector: receives OTLP, stores it, answers questions about it, and serves the dashboard.

``server.serve(CollectorSettings())`` runs one; ``app.create_app`` gives the ASGI application.
"""
