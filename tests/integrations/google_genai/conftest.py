"""The real clients of google-genai against the stand-in, which is no model but speaks the wire format."""

import io
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # google-genai's own
    from google import genai
from google.oauth2.credentials import Credentials

from examples.shapes.scenes import Scene, Shape
from examples.stand_in import serve
from lytrace.testing import capture
from lytrace_integrations.google_genai import GoogleGenAIInstrumentor


@pytest.fixture(scope="session")
def stand_in():
    with serve() as running:
        yield running


@pytest.fixture
def captured():
    with capture() as found:
        instrumentor = GoogleGenAIInstrumentor()
        instrumentor.instrument()
        yield found
        instrumentor.uninstrument()


@pytest.fixture
def client(stand_in):
    with genai.Client(api_key="stand-in", http_options={"base_url": stand_in.url}) as made:
        yield made


@pytest.fixture
async def aio(stand_in):
    client = genai.Client(api_key="stand-in", http_options={"base_url": stand_in.url})
    yield client.aio
    await client.aio.aclose()
    client.close()


@pytest.fixture
def vertex(stand_in):
    options = {"base_url": stand_in.url}
    credentials = Credentials(token="stand-in")
    with genai.Client(vertexai=True, project="p", location="l", credentials=credentials, http_options=options) as made:
        yield made


@pytest.fixture
def red_circle():
    return Scene("white", (Shape("circle", "red"),)).render(96)


@pytest.fixture
def png(red_circle):
    out = io.BytesIO()
    red_circle.save(out, "PNG")
    return out.getvalue()
