"""``python -m examples.stand_in --port N``: the stand-in in the foreground."""

import argparse
import sys

from examples.stand_in.server import build, listen

DEFAULT_PORT = 8087


def main() -> int:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.stand_in", description="A stand-in for the OpenAI and Gemini APIs.")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1; 0 takes a free one (default %(default)s)"
    )
    options = parser.parse_args()
    try:
        sock = listen(options.port)
    except OSError as error:
        print(f"port {options.port} cannot be used ({error.strerror}): choose another with --port", file=sys.stderr)
        return 1
    server, _ = build()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    print(f"The stand-in (not a model) listens on {url}", flush=True)
    print(f"  OpenAI:  OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=stand-in")
    print(f"  Gemini:  genai.Client(api_key='stand-in', http_options={{'base_url': '{url}'}})", flush=True)
    server.run(sockets=[sock])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
